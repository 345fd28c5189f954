/** Which files of a repository a model needs, and whether a snapshot has them. */
import { parseJson } from '../json.ts'
import { HubError } from './errors.ts'
import { isPortablePath } from './names.ts'
import type { HubFile } from './types.ts'

const configFile = 'config.json'
const weightsFile = 'model.safetensors'
const indexFile = 'model.safetensors.index.json'
export const cardFile = 'README.md'

/** Any of these makes a tokenizer, as `Tokenizer.load` looks for them. */
const tokenizerFiles = [
  'tokenizer.json',
  'sentencepiece.bpe.model',
  'spm.model',
  'tokenizer.model',
  'vocab.txt',
  'vocab.json',
] as const

/** What is read where it is there: settings of tokenizers, templates, sentence-transformers' modules, a self-test. */
const optionalFiles = [
  ...tokenizerFiles,
  'merges.txt',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'modules.json',
  'config_sentence_transformers.json',
  'sentence_bert_config.json',
  '1_Pooling/config.json',
  // The heads of bge-m3.
  'sparse_linear.safetensors',
  'sparse_linear.pt',
  'colbert_linear.safetensors',
  'colbert_linear.pt',
  'self-test.json',
] as const

/** Only read where there is no tokenizer.json. */
const replacedFiles: readonly string[] = ['vocab.txt', 'vocab.json', 'merges.txt']

/** The files of a commit that a model needs; of sharded weights the index alone, which names the shards. */
export interface Needed {
  readonly files: readonly HubFile[]
  /** The index, where the weights are sharded. */
  readonly index: HubFile | undefined
  /** Paths that are looked for and that the commit does not have. */
  readonly absent: readonly string[]
}

/**
 * Chooses the files of a model.
 *
 * @param wanted more paths that are wanted, such as the model card
 * @throws HubError `files-missing`
 */
export function neededFiles(
  name: string,
  listed: ReadonlyMap<string, HubFile>,
  wanted: readonly string[] = [],
): Needed {
  const index = listed.has(weightsFile) ? undefined : listed.get(indexFile)
  if (!listed.has(configFile) || !(listed.has(weightsFile) || index)) {
    throw new HubError('files-missing', `${name}: ${missingText(listed)}`)
  }
  const optional = optionalFiles.filter(
    (path) => !replacedFiles.includes(path) || !listed.has(tokenizerFiles[0]),
  )
  const paths = [configFile, ...(index ? [weightsFile, indexFile] : [weightsFile])]
  const looked = [...paths, ...optional, ...wanted]
  return {
    files: looked.flatMap((path) => listed.get(path) ?? []),
    index,
    absent: looked.filter((path) => !listed.has(path)),
  }
}

/** Why a repository is no model for dawnrank, and what to do. */
function missingText(listed: ReadonlyMap<string, HubFile>): string {
  const paths = [...listed.keys()]
  const has = `it has ${paths.slice(0, 12).join(', ') || 'no files'}${paths.length > 12 ? ` and ${paths.length - 12} more` : ''}`
  if (listed.has('adapter_config.json')) {
    return `a LoRA adapter without the weights of its base model; ${has}. Merge them once in Python with peft: PeftModel.from_pretrained(baseModel, NAME).merge_and_unload().save_pretrained(FOLDER), and load FOLDER`
  }
  if (!listed.has(configFile)) {
    return `no ${configFile}, so it is not a model of transformers; ${has}`
  }
  return `no ${weightsFile} and no ${indexFile}; dawnrank reads safetensors alone, and ${has}. Convert once in Python with transformers: AutoModelForSequenceClassification.from_pretrained(NAME).save_pretrained(FOLDER), with the tokenizer beside it, and load FOLDER`
}

/**
 * Has the files fetched that a model needs: of sharded weights the index first, which names the shards.
 *
 * @returns all of them
 */
export async function fetchNeeded(
  name: string,
  listed: ReadonlyMap<string, HubFile>,
  { files, index }: Needed,
  fetchAll: (files: readonly HubFile[]) => Promise<void>,
  read: (file: HubFile) => Promise<string>,
): Promise<readonly HubFile[]> {
  if (index) await fetchAll([index])
  const shards = index ? shardFiles(name, await read(index), listed) : []
  const all = [...files, ...shards]
  await fetchAll(all.filter((file) => file !== index))
  return all
}

/**
 * The shards that an index names.
 *
 * @throws HubError `files-missing` for an index that names none, or files that the commit does not have
 */
function shardFiles(name: string, index: string, listed: ReadonlyMap<string, HubFile>): HubFile[] {
  const paths = pathsOf(index)
  if (!paths) {
    throw new HubError('files-missing', `${name}: ${indexFile} does not name the weights' files`)
  }
  return paths.map((path) => {
    const file = listed.get(path)
    if (file) return file
    throw new HubError('files-missing', `${name}: ${indexFile} names ${path}, which is not there`)
  })
}

/** The paths of the shards that an index names; `undefined` where it is malformed. */
function pathsOf(index: string): string[] | undefined {
  let map: unknown
  try {
    map = Object(parseJson(index)).weight_map
  } catch {
    return undefined
  }
  const paths = [...new Set(Object.values(Object(map)).map(String))]
  return paths.length > 0 && paths.every(isPortablePath) ? paths.sort() : undefined
}

/** What is known about a snapshot in the cache. */
export interface Snapshot {
  has(path: string): Promise<boolean>
  /** Whether the commit is known not to have a file. */
  lacks(path: string): Promise<boolean>
  read(path: string): Promise<string>
}

/**
 * Whether a snapshot has what a model needs.
 *
 * @param strict also that every optional file is there, or known not to exist; otherwise any tokenizer will do
 */
export async function isWhole(
  snapshot: Snapshot,
  { strict, wanted = [] }: { strict: boolean; wanted?: readonly string[] },
): Promise<boolean> {
  const all = async (paths: readonly string[], test: (path: string) => Promise<boolean>) => {
    for (const path of paths) if (!(await test(path))) return false
    return true
  }
  if (!(await snapshot.has(configFile))) return false
  if (!(await snapshot.has(weightsFile))) {
    if (!(await snapshot.has(indexFile))) return false
    if (strict && !(await snapshot.lacks(weightsFile))) return false
    const index = await snapshot.read(indexFile).catch(() => '')
    const shards = pathsOf(index)
    if (!shards || !(await all(shards, snapshot.has))) return false
  }
  if (!strict) return !(await all(tokenizerFiles, async (path) => !(await snapshot.has(path))))
  const hasTokenizer = await snapshot.has(tokenizerFiles[0])
  return all([...optionalFiles, ...wanted], async (path) => {
    if (hasTokenizer && replacedFiles.includes(path)) return true
    return (await snapshot.has(path)) || (await snapshot.lacks(path))
  })
}
