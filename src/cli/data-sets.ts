import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { openFile, openFolder } from '#platform'
import {
  type EvaluationData,
  EvaluationError,
  folderData,
  type ListedFolder,
  layoutsText,
  linesIn,
  questionContextData,
  readQrelsLines,
  readText,
  rerankingData,
} from '../eval/index.ts'
import { CliError } from './errors.ts'
import { shortNames } from './short-names.ts'

/** A data set of an evaluation. */
export interface DataSet {
  /** Short, and no other set's. */
  readonly name: string
  /** The name of the folder that holds it and others, where that was given; short, and no other folder's. */
  readonly group: string | undefined
  /** Its place, with the split where its name had one. */
  readonly path: string
  /** The folder of its files. */
  readonly folder: string
  readonly data: EvaluationData
}

/** Where data sets are looked for. */
export interface DataSetOptions {
  /** The folder in which names such as `beir/scifact/test` are looked up. */
  readonly root?: string | undefined
  /** The split of the judgements, or a file of judgements. */
  readonly qrels?: string | undefined
}

/**
 * Finds data sets by their paths, or by names such as `beir/scifact/test` under a root folder. A folder of data sets gives
 * each of them.
 *
 * @throws CliError `input-missing`; EvaluationError `data-missing`, `data-malformed`
 */
export async function findDataSets(
  places: readonly string[],
  options: DataSetOptions,
): Promise<DataSet[]> {
  const found = new Map<string, Found>()
  for (const place of places) {
    for (const set of await setsAt(place, options)) found.set(resolve(set.path), set)
  }
  // In a group a set may be called as little as "ar"; its name tells the group, too.
  const paths = [...found].map(([path, { group }]) => ({
    path,
    least: group === undefined ? 1 : 2,
  }))
  const names = shortNames(paths)
  const folders = [...new Set([...found.values()].flatMap(({ group }) => group ?? []))]
  const groups = shortNames(folders)
  return [...found.values()].map(({ group, ...set }, i) => ({
    ...set,
    name: names[i]!,
    group: group && groups[folders.indexOf(group)],
  }))
}

/** A data set without its name; of its group, the path. */
type Found = Omit<DataSet, 'name'>

async function setsAt(place: string, { root, qrels }: DataSetOptions): Promise<Found[]> {
  const { path, split } = await located(place, root)
  const part = qrels ?? split
  const group = undefined
  if ((await kindOf(path)) === 'file') {
    return [{ group, path, folder: dirname(path), data: fileData(path) }]
  }
  const data = await dataIn(path, part)
  if (data) {
    return [{ group, path: split === undefined ? path : join(path, split), folder: path, data }]
  }
  const inner = await setsIn(path, part, 1)
  if (inner.length > 0) return inner
  throw new EvaluationError(
    'data-missing',
    `${path}: neither this folder nor those in it are in a known layout: ${layoutsText}. ` +
      'A set of C-MTEB for rerankers or of llama-index is given as its file, .jsonl or .json',
  )
}

/** The data sets in the folders of a folder: a group, unless some of these are groups themselves. */
async function setsIn(path: string, part: string | undefined, depth: number): Promise<Found[]> {
  const found: Found[] = []
  const grouped: Found[] = []
  for (const entry of (await readdir(path)).sort()) {
    const inside = join(path, entry)
    if ((await kindOf(inside)) !== 'folder') continue
    const data = await dataIn(inside, part)
    if (data) found.push({ group: resolve(path), path: inside, folder: inside, data })
    else if (depth > 0) grouped.push(...(await setsIn(inside, part, depth - 1)))
  }
  if (grouped.length === 0) return found
  return [...found.map((set) => ({ ...set, group: undefined })), ...grouped]
}

const usualSplits = /^(train|dev|validation|test)$/

/** The path of a data set, and the split that its name ends with. */
async function located(
  place: string,
  root: string | undefined,
): Promise<{ path: string; split?: string }> {
  const [last, ...before] = place.split(/[/:]/).reverse() as [string, ...string[]]
  const parts = [...before.reverse(), last]
  for (const path of placesOf(place, parts, root)) if (await kindOf(path)) return { path }
  const shorter = parts.slice(0, -1)
  for (const path of placesOf(shorter.join('/'), shorter, root)) {
    if ((await kindOf(path)) !== 'folder') continue
    const isGroup = usualSplits.test(last) && (await setsIn(path, last, 0)).length > 0
    if (isGroup || (await dataIn(path, last))) {
      return { path, split: last }
    }
  }
  // Its error names the place, and what is there.
  if (root === undefined) await openFolder(place)
  throw new CliError(
    'input-missing',
    `${place}: there is no such data set, nor one of that name in ${root}`,
  )
}

/** Where a set may be: at its path, or below the root with or without the name of its collection. */
function placesOf(place: string, parts: readonly string[], root: string | undefined): string[] {
  if (place === '') return []
  if (root === undefined) return [place]
  const [collection, ...rest] = parts
  const miracl = collection === 'miracl' && rest.length > 0 ? [`miracl-v1.0-${rest[0]}`] : undefined
  const below = [parts, rest, ...(miracl ? [['miracl', ...miracl], miracl] : [])]
  return [place, ...below.filter((path) => path.length > 0).map((path) => join(root, ...path))]
}

const kindOf = async (path: string): Promise<'file' | 'folder' | undefined> => {
  const info = await stat(path).catch(() => undefined)
  if (!info) return undefined
  return info.isDirectory() ? 'folder' : 'file'
}

/** The data of a folder, with the judgements of a split or of a file. */
async function dataIn(
  path: string,
  qrels: string | undefined,
): Promise<EvaluationData | undefined> {
  const isFile = qrels !== undefined && /[./]/.test(qrels) && (await kindOf(qrels)) === 'file'
  const folder = await listedFolder(path)
  const data = folderData(folder, isFile ? undefined : qrels)
  const tables = folder.files.filter((file) => file.endsWith('.parquet'))
  if (!data && tables.length > 0) throw parquetError(join(path, tables[0]!))
  return data && isFile ? { ...data, qrels: qrelsOf(qrels) } : data
}

const parquetError = (path: string) =>
  new EvaluationError(
    'data-malformed',
    `${path}: is a Parquet table; expected JSON lines. Convert it: python -c "import pandas; ` +
      `pandas.read_parquet('${path}').to_json('${path.replace(/parquet$/, 'jsonl')}', orient='records', lines=True, force_ascii=False)"`,
  )

/** A folder with the files in it and in its folders. A language of MIRACL keeps its corpus in a folder beside it. */
async function listedFolder(path: string): Promise<ListedFolder> {
  const files = new Map<string, string>()
  const list = async (folder: string, prefix: string, depth: number): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = join(folder, entry.name)
      const kind = entry.isSymbolicLink() ? await kindOf(inside) : undefined
      if (kind === 'folder' || entry.isDirectory()) {
        if (depth > 0) await list(inside, `${prefix}${entry.name}/`, depth - 1)
      } else files.set(`${prefix}${entry.name}`, inside)
    }
  }
  await list(path, '', 1)
  const [, language] = /^miracl-v1\.0-(\w+)$/.exec(basename(resolve(path))) ?? []
  if (language !== undefined) {
    const corpus = `miracl-corpus-v1.0-${language}`
    await list(join(path, '..', corpus), 'corpus/', 0)
    await list(join(path, '..', '..', 'miracl-corpus', corpus), 'corpus/', 0)
  }
  return {
    name: path,
    files: [...files.keys()],
    open: async (file) => (files.has(file) ? openFile(files.get(file)!) : undefined),
  }
}

const opened = async (path: string) => {
  const source = await openFile(path)
  if (source) return source
  throw new CliError('input-missing', `${path}: there is no such file`)
}

const qrelsOf = (path: string) => async (signal?: AbortSignal) =>
  readQrelsLines(linesIn(await opened(path), signal), path)

/** The data of a file: a set for rerankers, one of llama-index, or judgements alone. */
function fileData(path: string): EvaluationData {
  if (/\.parquet$/.test(path)) throw parquetError(path)
  if (/\.jsonl(\.gz)?$/.test(path)) {
    return rerankingData(async function* (signal) {
      yield* linesIn(await opened(path), signal)
    }, path)
  }
  if (/\.json(\.gz)?$/.test(path)) {
    return questionContextData(async (signal) => readText(await opened(path), signal), path)
  }
  const refuse = () => {
    throw new EvaluationError(
      'data-missing',
      `${path}: is read as a file of judgements, which has no texts to rerank; expected a folder of data, ` +
        'or --runs-only, which measures runs as they are',
    )
  }
  return {
    layout: 'judgements',
    qrels: qrelsOf(path),
    queries: async () => refuse(),
    passages: refuse,
  }
}
