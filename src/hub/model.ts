/** A model by name on the disk: from the cache, or from the hub into the cache. */
import { mkdir, readdir, statfs } from 'node:fs/promises'
import { cachedWarning, commitOf, filesOf } from './api.ts'
import { fetchFile } from './blob.ts'
import { diskFault, ModelCache, readToken, sizeOf } from './cache.ts'
import { forEach } from './each.ts'
import { HubError } from './errors.ts'
import { checkNames, isCommit } from './names.ts'
import { cardFile, fetchNeeded, isWhole, neededFiles } from './needed.ts'
import { Meter } from './progress.ts'
import { type HubClient, isOffline, readClient } from './settings.ts'
import type { HubFile, HubOptions } from './types.ts'

/** What a model in the cache is. */
export interface CachedModel {
  readonly name: string
  readonly commit: string
  /** The folder of the snapshot. */
  readonly path: string
  readonly warnings: readonly string[]
}

/**
 * Sees to it that the cache has what a model needs.
 *
 * @param card also its README.md
 * @throws HubError; the signal's reason
 */
export async function fetchModel(
  name: string,
  { revision = 'main', signal, onProgress, card = false }: HubOptions & { card?: boolean } = {},
): Promise<CachedModel> {
  checkNames(name, revision)
  signal?.throwIfAborted()
  const cache = new ModelCache(name)
  const wanted = card ? [cardFile] : []
  const known = isCommit(revision) ? revision : await cache.ref(revision)
  const found = (commit: string, warnings: readonly string[] = []): CachedModel => ({
    name,
    commit,
    path: cache.snapshot(commit),
    warnings,
  })
  /** What the cache has of the revision as it was, if that is enough to load it. */
  const earlier =
    known && (await isWhole(cache.about(known), { strict: false })) ? known : undefined
  const isReady = (commit: string) => isWhole(cache.about(commit), { strict: true, wanted })

  if (isOffline()) {
    if (earlier) return found(earlier)
    throw new HubError('offline', await offlineText(cache, revision))
  }
  const client = readClient(await readToken(), signal)
  try {
    const commit = await commitOf(client, name, revision, earlier !== undefined)
    if (!(await isReady(commit))) {
      await complete(cache, client, commit, wanted, new Meter(onProgress))
    }
    // Last, so that a branch always is a snapshot that is whole.
    return await cache.writeRef(revision, commit).then(
      () => found(commit),
      (fault) => found(commit, [(diskFault(cache.root, fault) as Error).message]),
    )
  } catch (fault) {
    signal?.throwIfAborted()
    if (!earlier) throw fault
    return found(earlier, [cachedWarning(fault, earlier, revision)])
  }
}

async function offlineText(cache: ModelCache, revision: string): Promise<string> {
  const start = `${cache.name}: HF_HUB_OFFLINE is set, and the cache ${cache.root}`
  const remedy = 'Unset HF_HUB_OFFLINE, or run "dawnrank pull" where there is a network'
  const snapshots = await readdir(cache.snapshot('')).catch(() => [])
  if (snapshots.length === 0) return `${start} does not have this model. ${remedy}`
  const known = snapshots.slice(0, 5).join(', ')
  return `${start} does not have all files of revision ${revision}; it has files of ${known}. ${remedy}`
}

/** Downloads what a snapshot lacks. */
async function complete(
  cache: ModelCache,
  client: HubClient,
  commit: string,
  wanted: readonly string[],
  meter: Meter,
): Promise<void> {
  const { name } = cache
  const listed = await filesOf(client, name, commit)
  const needed = neededFiles(name, listed, wanted)
  const fetchAll = async (some: readonly HubFile[]) => {
    const missing = await missingFiles(cache, commit, some)
    if (missing.length === 0) return
    meter.expect(missing)
    await mkdir(cache.folder, { recursive: true })
    await checkSpace(cache, missing)
    await forEach(missing, client.signal, (file, signal) =>
      fetchFile(cache, { ...client, signal }, commit, file, meter),
    )
  }
  try {
    await fetchNeeded(name, listed, needed, fetchAll, ({ path }) => cache.about(commit).read(path))
    // A note that saves a request: a cache that cannot be written, such as one in an image, does without.
    for (const path of needed.absent) await cache.writeAbsence(commit, path).catch(() => {})
  } catch (fault) {
    const { code } = Object(fault) as NodeJS.ErrnoException
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw diskFault(cache.root, fault)
    const { done, total } = meter.progress()
    throw noSpace(cache, total - done, fault)
  }
}

/** A file that a snapshot lacks, and how much of it an earlier download left. */
type MissingFile = HubFile & { readonly left: number }

/** The files that a snapshot does not have yet. */
async function missingFiles(
  cache: ModelCache,
  commit: string,
  files: readonly HubFile[],
): Promise<MissingFile[]> {
  const missing: MissingFile[] = []
  for (const file of files) {
    if ((await sizeOf(cache.pointer(commit, file.path))) === file.size) continue
    const hasBlob = (await sizeOf(cache.blob(file.etag))) === file.size
    const left = hasBlob ? file.size : ((await sizeOf(cache.partial(file.etag))) ?? 0)
    missing.push({ ...file, left })
  }
  // The largest first, so that it is not left alone at the end.
  return missing.sort((a, b) => b.size - a.size)
}

/** Throws where the disk has less room than files take, before anything is fetched. */
async function checkSpace(cache: ModelCache, files: readonly MissingFile[]): Promise<void> {
  const free = await statfs(cache.folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  )
  const needed = files.reduce((sum, { size, left }) => sum + Math.max(0, size - left), 0)
  if (needed > free) throw noSpace(cache, needed, undefined, free)
}

const noSpace = (cache: ModelCache, needed: number, cause?: unknown, free?: number) =>
  new HubError(
    'no-space',
    `${cache.name}: ${megabytes(needed)} more are needed in ${cache.root}${free === undefined ? ', and the disk is full' : `, which has ${megabytes(free)} free`}. Free some ("dawnrank cache list" shows the models there), or set HF_HUB_CACHE to a folder on another disk`,
    { cause },
  )

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
