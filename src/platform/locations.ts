/** Places of a model that are no path and no URL, and what messages say of near misses. */
import { PlatformError } from './errors.ts'
import { blobFolder, type Folder, type Place } from './files.ts'

/** Files that are at the top of a model's folder, the surest first. */
const topFiles = ['config.json', 'tokenizer.json']

/** Paths that are looked at to explain why a file is missing, and those of them that a message names. */
const most = { looked: 2000, named: 5 }

const expected =
  "expected a folder's path or URL, a Folder, or files: a list of File objects, or { 'config.json': blob, … }"

/** Whether a place is a path or a URL, of whichever realm. An empty one is an error. */
export function isAddress(place: unknown): place is string | URL {
  if (place === '') throw invalid('an empty text')
  return typeof place === 'string' || place instanceof URL || typeof Object(place).href === 'string'
}

/**
 * The folder that was given as such or as files.
 *
 * @throws PlatformError `place-invalid`
 */
export function givenFolder(place: Exclude<Place, string | URL>): Folder {
  if (typeof Object(place).open === 'function') return place as Folder
  if (isList(place)) return filesFolder(Array.from(place, nameFile))
  const isRecord = Object.prototype.toString.call(place) === '[object Object]'
  const entries = isRecord ? Object.entries(place) : []
  if (entries.length === 0) throw invalid(describe(place))
  const wrong = entries.find(([, file]) => !isBlob(file))
  if (wrong) throw invalid(`an object with ${JSON.stringify(wrong[0])}: ${describe(wrong[1])}`)
  return filesFolder(entries)
}

const invalid = (found: string) =>
  new PlatformError('place-invalid', `a model's place: found ${found}; ${expected}`)

const ambiguous = (paths: readonly string[]) =>
  new PlatformError(
    'place-invalid',
    `a model's place: found files of more than one folder, such as ${some(paths)}; expected those of one model, with their paths`,
  )

const isList = (place: unknown): place is ArrayLike<unknown> =>
  typeof place === 'object' && Number.isInteger(Object(place).length) && !ArrayBuffer.isView(place)

const isBlob = (value: unknown): value is Blob => typeof Object(value).arrayBuffer === 'function'

/** A file of a list with its path: from the folder that was picked, where a folder was. */
function nameFile(file: unknown, index: number): [path: string, file: Blob] {
  if (!isBlob(file)) throw invalid(`a list with ${describe(file)} at ${index}`)
  const { webkitRelativePath, name } = file as Partial<File>
  const path = webkitRelativePath || name
  if (path) return [path, file]
  throw invalid(`a list with a Blob without a name at ${index}`)
}

/** Files by path as the folder that holds the model. */
function filesFolder(files: readonly (readonly [path: string, file: Blob])[]): Folder {
  if (files.length === 0) throw invalid('an empty list')
  const named = files.map(
    ([path, file]) => [path.replaceAll('\\', '/').replace(/^(\.?\/)+/, ''), file] as const,
  )
  const paths = named.map(([path]) => path)
  const twice = paths.filter((path, index) => paths.indexOf(path) < index)
  if (twice.length > 0) throw ambiguous(twice)
  const root = topOf(paths)
  const inside = named.filter(([path]) => path.startsWith(root))
  return {
    ...blobFolder(
      Object.fromEntries(inside.map(([path, file]) => [path.slice(root.length), file])),
      root.replace(/\/$/, '') || undefined,
    ),
    whyMissing: async () => `The files given are ${some(paths)}`,
  }
}

/** The folder of the model among files: the one that holds them all, or the only one with a model's files. */
function topOf(paths: readonly string[]): string {
  const common = paths.map(folderOf).reduce(commonFolder)
  for (const file of topFiles) {
    const found = paths.filter((path) => path === folderOf(path) + file)
    const atTop = found.filter((path) => folderOf(path) === common)
    const [first, ...others] = atTop.length > 0 ? atTop : found
    if (first === undefined) continue
    if (others.length === 0) return folderOf(first)
    throw ambiguous([first, ...others])
  }
  return common
}

const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/') + 1)

/** The folder that holds both folders. */
function commonFolder(a: string, b: string): string {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return folderOf(a.slice(0, length))
}

/**
 * Why a folder lacks a file, from the paths in and below it, nearest first.
 *
 * @param prefix put before a path, so that it can be given
 */
export async function explainMissing(
  file: string,
  paths: AsyncIterable<string>,
  prefix: string,
): Promise<string> {
  const homes: string[] = []
  const snapshots: string[] = []
  const beside: string[] = []
  let looked = 0
  for await (const path of paths) {
    if (++looked > most.looked) break
    if (path === file) return `${file} is a link to what is not there; copy what it stands for, too`
    if (path.endsWith(`/${file}`)) homes.push(prefix + path.slice(0, -file.length - 1))
    if (/^snapshots\/[^/]+\/$/.test(path)) snapshots.push(prefix + path.slice(0, -1))
    if (/^[^/]+\/?$/.test(path)) beside.push(path)
  }
  if (homes.length === 1) return `${file} is in ${homes[0]}; give that folder`
  if (homes.length > 1) return `${file} is in folders below: ${some(homes)}; give one of them`
  if (snapshots.length > 0) {
    return `The folder is that of a hub cache, and none of its revisions has ${file}: ${some(snapshots)}; is the download complete?`
  }
  return beside.length > 0 ? `The folder has ${some(beside)}` : 'The folder is empty'
}

/** The first names of a list. */
function some(names: readonly string[]): string {
  const rest = names.length - most.named
  return `${names.slice(0, most.named).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** A value in words. */
function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (value === null || typeof value !== 'object') return String(value)
  const name = Object.getPrototypeOf(value)?.constructor?.name ?? 'Object'
  if (name === 'Promise') return 'a Promise, which may want an await'
  return name === 'Object' ? 'an object without files' : `a value of class ${name}`
}
