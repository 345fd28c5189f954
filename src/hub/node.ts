/** `#hub` in Node, Deno and Bun: models by name, in the cache that Python shares. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openFolder } from '#platform'
import { modelPrefix } from './cache.ts'
import { HubError } from './errors.ts'
import { fetchModel } from './model.ts'
import { nameOfFolder } from './repositories.ts'
import type { HubFolder, HubOptions } from './types.ts'

export { cacheRoot } from './cache.ts'
export { withLock } from './lock.ts'
export { type CachedModel, fetchModel } from './model.ts'
export { type ListedRevision, listCache, type Removed, removeFromCache } from './repositories.ts'
export { type Fault, type Verification, verifyCache } from './verify.ts'

/** Whether a name is that of a file or a folder here, which goes before the hub. */
export const isLocal = (name: string): Promise<boolean> =>
  stat(name).then(
    () => true,
    () => false,
  )

/**
 * Throws for a folder that holds models by name, and is none itself.
 *
 * @throws HubError `cache-root`
 */
export async function checkFolder(path: string): Promise<void> {
  const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])
  const entries = await list(path)
  if (entries.includes('config.json')) return
  const caches = entries.includes('hub') ? await list(join(path, 'hub')) : []
  const inside = [...entries, ...caches].filter((entry) => entry.startsWith(modelPrefix))
  const [first] = inside
  if (first === undefined) return
  throw new HubError(
    'cache-root',
    `${path}: a cache of models, not a model; give the name of a model in it, such as "${nameOfFolder(first)}" (HF_HUB_CACHE is the folder of the cache), or a folder below snapshots/`,
  )
}

/**
 * Opens a model of the hub: from the cache, after downloading what is missing there.
 *
 * @throws HubError; the signal's reason
 */
export async function openByName(name: string, options: HubOptions = {}): Promise<HubFolder> {
  const { path, commit, warnings } = await fetchModel(name, options)
  return { ...(await openFolder(path)), name, path, commit, warnings }
}
