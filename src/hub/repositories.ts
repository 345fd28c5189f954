/** The models in the cache: what there is, and removing it. */
import { lstat, readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { cacheRoot, ModelCache, modelPrefix } from './cache.ts'
import { HubError } from './errors.ts'
import { isCommit } from './names.ts'

/** A snapshot in the cache. */
export interface ListedRevision {
  readonly name: string
  readonly commit: string
  /** The branches and tags that were this commit when they were last looked up. */
  readonly refs: readonly string[]
  readonly files: number
  /** Bytes of its files; those of several snapshots count for each. */
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly modified: number
  readonly path: string
}

export const nameOfFolder = (folder: string): string =>
  folder.slice(modelPrefix.length).replaceAll('--', '/')

/** The models in the cache, or the one of a name. */
export async function cachedModels(name?: string): Promise<ModelCache[]> {
  const root = cacheRoot()
  const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
  const models = entries
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(modelPrefix))
    .map((entry) => new ModelCache(nameOfFolder(entry.name), root))
    .filter((model) => name === undefined || model.name === name)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  if (name !== undefined && models.length === 0) {
    throw new HubError('not-cached', `${name}: not in the cache ${root}`)
  }
  return models
}

/** The paths of the files in and below a folder, relative to it. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}

/** The branches and tags of a model in the cache with their commits. */
async function refsOf(model: ModelCache): Promise<Map<string, string>> {
  const folder = join(model.folder, 'refs')
  const refs = new Map<string, string>()
  for (const path of await filesBelow(folder)) {
    const commit = (await readFile(join(folder, path), 'utf8')).trim()
    refs.set(path.split(sep).join('/'), commit)
  }
  return refs
}

export const commitsOf = async (model: ModelCache): Promise<string[]> =>
  (await readdir(model.snapshot('')).catch(() => [])).filter(isCommit).sort()

/** The snapshots in the cache, of one model or of all. */
export async function listCache(name?: string): Promise<ListedRevision[]> {
  const rows: ListedRevision[] = []
  for (const model of await cachedModels(name)) {
    const refs = await refsOf(model)
    for (const commit of await commitsOf(model)) rows.push(await revisionOf(model, commit, refs))
  }
  return rows
}

async function revisionOf(
  model: ModelCache,
  commit: string,
  refs: ReadonlyMap<string, string>,
): Promise<ListedRevision> {
  const path = model.snapshot(commit)
  const files = await filesBelow(path)
  let bytes = 0
  let modified = 0
  for (const file of files) {
    const info = await stat(join(path, file)).catch(() => undefined)
    bytes += info?.size ?? 0
    modified = Math.max(modified, info?.mtimeMs ?? 0)
  }
  const names = [...refs].filter(([, at]) => at === commit).map(([ref]) => ref)
  return { name: model.name, commit, refs: names, files: files.length, bytes, modified, path }
}

/** What {@link removeFromCache} did. */
export interface Removed {
  readonly name: string
  readonly commits: readonly string[]
  /** Bytes freed on the disk. */
  readonly bytes: number
}

/**
 * Removes a model, or one revision of it, from the cache; blobs go with the last snapshot that uses them.
 *
 * @param revision a branch, a tag, or a commit or its beginning
 * @throws HubError `not-cached`
 */
export async function removeFromCache(name: string, revision?: string): Promise<Removed> {
  const [model] = (await cachedModels(name)) as [ModelCache]
  const commits = await commitsOf(model)
  const chosen = revision === undefined ? commits : [await chosenCommit(model, revision)]
  const shared = await sharedBlobs(model)
  let bytes = 0
  if (chosen.length === commits.length) {
    bytes += await sizeBelow(model.folder)
    await rm(model.folder, { recursive: true, force: true })
    await rm(model.locks, { recursive: true, force: true })
  } else {
    for (const commit of chosen) bytes += await removeSnapshot(model, commit)
  }
  bytes += await freeShared(model, shared)
  return { name, commits: chosen, bytes }
}

/**
 * The commit of a revision in the cache.
 *
 * @throws HubError `not-cached`
 */
export async function chosenCommit(model: ModelCache, revision: string): Promise<string> {
  const commits = await commitsOf(model)
  const named = (await refsOf(model)).get(revision)
  const found = commits.filter((commit) =>
    named ? commit === named : revision.length >= 7 && commit.startsWith(revision),
  )
  const [commit] = found
  if (commit && found.length === 1) return commit
  throw new HubError(
    'not-cached',
    `${model.name}: no revision ${revision} in the cache ${model.root}; there are ${commits.join(', ') || 'none'}`,
  )
}

/** The paths of the blobs that snapshots lead to. */
export async function usedBlobs(
  model: ModelCache,
  commits: readonly string[],
): Promise<Set<string>> {
  const used = new Set<string>()
  for (const commit of commits) {
    const folder = model.snapshot(commit)
    for (const file of await filesBelow(folder)) {
      const path = join(folder, file)
      const target = await readlink(path).catch(() => undefined)
      if (target !== undefined) used.add(resolve(path, '..', target))
    }
  }
  return used
}

async function removeSnapshot(model: ModelCache, commit: string): Promise<number> {
  const before = await sizeBelow(model.folder)
  for (const [ref, at] of await refsOf(model)) {
    if (at === commit) await rm(join(model.folder, 'refs', ref), { force: true })
  }
  await rm(model.snapshot(commit), { recursive: true, force: true })
  await rm(join(model.folder, '.no_exist', commit), { recursive: true, force: true })
  await rm(model.treeFile(commit), { force: true })
  const used = await usedBlobs(model, await commitsOf(model))
  const blobs = model.blob('')
  for (const entry of await readdir(blobs).catch(() => [])) {
    // Downloads that are under way, or to be resumed, belong to no snapshot yet.
    if (used.has(resolve(blobs, entry)) || entry.endsWith('.incomplete')) continue
    await rm(join(blobs, entry), { force: true })
  }
  return before - (await sizeBelow(model.folder))
}

/** Bytes of the files in and below a folder; links count nothing. */
async function sizeBelow(folder: string): Promise<number> {
  let bytes = 0
  for (const file of await filesBelow(folder)) {
    const info = await lstat(join(folder, file)).catch(() => undefined)
    if (info?.isFile()) bytes += info.size
  }
  return bytes
}

/** The files of the store shared by all models that a model's blobs lead to. */
async function sharedBlobs(model: ModelCache): Promise<Set<string>> {
  const store = await realpath(join(model.root, 'blobs')).catch(() => undefined)
  const found = new Set<string>()
  for (const entry of store ? await readdir(model.blob('')).catch(() => []) : []) {
    const target = await realpath(model.blob(entry)).catch(() => undefined)
    if (target?.startsWith(store + sep)) found.add(target)
  }
  return found
}

/** Removes shared files that no model uses any more. */
async function freeShared({ root }: ModelCache, candidates: ReadonlySet<string>): Promise<number> {
  if (candidates.size === 0) return 0
  const used = new Set<string>()
  for (const entry of await readdir(root)) {
    if (!/^(models|datasets|spaces)--/.test(entry)) continue
    for (const blob of await readdir(join(root, entry, 'blobs')).catch(() => [])) {
      const target = await realpath(join(root, entry, 'blobs', blob)).catch(() => undefined)
      if (target) used.add(target)
    }
  }
  let bytes = 0
  for (const path of candidates) {
    if (used.has(path)) continue
    bytes += (await stat(path).catch(() => undefined))?.size ?? 0
    await rm(path, { force: true })
  }
  return bytes
}
