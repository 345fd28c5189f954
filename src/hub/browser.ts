/**
 * `#hub` in browsers: models by name, in the Cache API. Files are stored in parts, each written once; the list of a commit's
 * files is written when all of them are whole and their hashes right, and only what is on it is read.
 */
import { openFolder } from '#platform'
import { blobSource } from '../platform/files.ts'
import { addressOf, cachedWarning, commitOf, filesOf } from './api.ts'
import { CachedFile } from './cached-file.ts'
import { forEach } from './each.ts'
import { HubError } from './errors.ts'
import { checkNames, isCommit } from './names.ts'
import { fetchNeeded, neededFiles } from './needed.ts'
import { Meter } from './progress.ts'
import { type HubClient, readClient } from './settings.ts'
import type { HubFile, HubFolder, HubOptions } from './types.ts'

const cacheName = 'dawnrank'

/** Whether a name is that of a folder beside the page, which goes before the hub. */
export async function isLocal(name: string): Promise<boolean> {
  try {
    const file = await (await openFolder(name)).open('config.json')
    await file?.close()
    return file !== undefined
  } catch {
    // There may be no URL that a name could be relative to, or no server.
    return false
  }
}

/** A URL does not show what is below it. */
export async function checkFolder(_path: string): Promise<void> {}

/**
 * Opens a model of the hub: from the Cache API, after downloading what is missing there. Where a page has no Cache API, because
 * it is not served by HTTPS, the files are read from the hub by ranges.
 *
 * @throws HubError; the signal's reason
 */
export async function openByName(
  name: string,
  { revision = 'main', signal, onProgress }: HubOptions = {},
): Promise<HubFolder> {
  checkNames(name, revision)
  signal?.throwIfAborted()
  const client = readClient(undefined, signal)
  const cache = await globalThis.caches?.open(cacheName)
  const refAddress = `${client.endpoint}/${name}/refs/${encodeURIComponent(revision)}`
  const known = isCommit(revision) ? revision : await (await cache?.match(refAddress))?.text()
  const earlier = known && cache && (await readList(client, cache, name, known))
  const open = (commit: string, files: readonly HubFile[], warnings: readonly string[] = []) =>
    folderOf(client, cache as Cache, name, commit, files, warnings)
  if (known && earlier && isCommit(revision)) return open(known, earlier)
  try {
    const commit = await commitOf(client, name, revision, Boolean(earlier))
    if (!cache) return await rangedFolder(client, name, commit)
    const files =
      (await readList(client, cache, name, commit)) ??
      (await download(client, cache, name, commit, new Meter(onProgress)))
    if (revision !== commit) await cache.put(refAddress, new Response(commit))
    return open(commit, files)
  } catch (fault) {
    signal?.throwIfAborted()
    if (Object(fault).name === 'QuotaExceededError') {
      throw new HubError('no-space', `${name}: the browser gives this page no more storage`, {
        cause: fault,
      })
    }
    if (!known || !earlier) throw fault
    return open(known, earlier, [cachedWarning(fault, known, revision)])
  }
}

/** Where the list of a commit's files is. */
const listAddress = ({ endpoint }: HubClient, name: string, commit: string) =>
  `${endpoint}/${name}/snapshots/${commit}`

/** The files of a commit, if all of them are there. */
async function readList(
  client: HubClient,
  cache: Cache,
  name: string,
  commit: string,
): Promise<HubFile[] | undefined> {
  const found = await cache.match(listAddress(client, name, commit))
  if (!found) return undefined
  const files: HubFile[] = await found.json()
  for (const file of files) {
    const stored = new CachedFile(cache, addressOf(client, name, commit, file.path), file)
    if (!(await stored.blob())) return undefined
  }
  return files
}

/** Downloads the files of a commit; gives them. */
async function download(
  client: HubClient,
  cache: Cache,
  name: string,
  commit: string,
  meter: Meter,
): Promise<readonly HubFile[]> {
  const listed = await filesOf(client, name, commit)
  const stored = (file: HubFile) =>
    new CachedFile(cache, addressOf(client, name, commit, file.path), file)
  const fetchAll = (some: readonly HubFile[]) => {
    meter.expect(some)
    return forEach(some, client.signal, (file, signal) =>
      // Of pages that want the same file, one downloads it.
      navigator.locks.request(`dawnrank ${name} ${file.etag}`, { signal }, () =>
        stored(file).fetch({ ...client, signal }, name, meter),
      ),
    )
  }
  const read = async (file: HubFile) => (await (await stored(file).blob())?.text()) ?? ''
  const all = await fetchNeeded(name, listed, neededFiles(name, listed), fetchAll, read)
  await cache.put(listAddress(client, name, commit), new Response(JSON.stringify(all)))
  return all
}

function folderOf(
  client: HubClient,
  cache: Cache,
  name: string,
  commit: string,
  files: readonly HubFile[],
  warnings: readonly string[],
): HubFolder {
  return {
    name,
    commit,
    path: undefined,
    warnings,
    async open(path) {
      const file = files.find((one) => one.path === path)
      if (!file) return undefined
      const blob = await new CachedFile(cache, addressOf(client, name, commit, path), file).blob()
      if (blob) return blobSource(`${name}/${path}`, blob)
      throw new HubError('not-cached', `${name}/${path}: gone from the browser's cache; load again`)
    },
    whyMissing: async () =>
      `The files of commit ${commit} are ${files.map(({ path }) => path).join(', ')}`,
  }
}

async function rangedFolder(client: HubClient, name: string, commit: string): Promise<HubFolder> {
  const folder = await openFolder(new URL(`${client.endpoint}/${name}/resolve/${commit}/`))
  const warnings = [
    'this page has no Cache API, for which it must be served by HTTPS: the model is fetched at each load, and its hashes are not checked',
  ]
  return { ...folder, name, commit, path: undefined, warnings }
}
