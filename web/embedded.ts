/** Models that are served beside the page: fetched once, then read from the Cache API, also without a network. */
import { blobFolder, type Folder } from '../src/platform/files.ts'
import type { EmbeddedModel } from './messages.ts'

const cacheName = 'dawnrank-embedded'

interface FetchOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: { done: number; total: number }) => void
}

const addressOf = ({ name, version }: EmbeddedModel, file: string) =>
  new URL(`models/${name}/${file}?v=${version}`, globalThis.location.href).href

/** The bytes of all files. */
export const sizeOf = ({ files }: EmbeddedModel): number =>
  Object.values(files).reduce((sum, size) => sum + size, 0)

/** Whether every file of a model is in the cache. */
export async function isCached(model: EmbeddedModel): Promise<boolean> {
  const cache = await globalThis.caches?.open(cacheName)
  if (!cache) return false
  for (const file of Object.keys(model.files)) {
    if (!(await cache.match(addressOf(model, file)))) return false
  }
  return true
}

/**
 * Opens a model, whose files are fetched unless they are in the cache.
 *
 * @throws Error for what the server answers; the signal's reason
 */
export async function openEmbedded(
  model: EmbeddedModel,
  { signal, onProgress }: FetchOptions,
): Promise<Folder> {
  const cache = await globalThis.caches?.open(cacheName)
  const total = sizeOf(model)
  let done = 0
  const count = (bytes: number) => {
    done += bytes
    onProgress?.({ done, total })
  }
  const open = async (file: string): Promise<[string, Blob]> => {
    const address = addressOf(model, file)
    const stored = await cache?.match(address)
    if (stored) return [file, await stored.blob()]
    const blob = await fetchBlob(address, signal, count)
    // A browser without room for it still has it in memory.
    await cache?.put(address, new Response(blob)).catch(() => {})
    return [file, blob]
  }
  const files = await Promise.all(Object.keys(model.files).map(open))
  await forgetOthers(model, cache)
  return blobFolder(Object.fromEntries(files), model.name)
}

async function fetchBlob(
  address: string,
  signal: AbortSignal | undefined,
  count: (bytes: number) => void,
): Promise<Blob> {
  const response = await fetch(address, signal ? { signal } : {}).catch((cause) => {
    signal?.throwIfAborted()
    throw new Error(`${address}: no answer. The model is not in this browser yet: go online once`, {
      cause,
    })
  })
  if (!response.ok || !response.body) {
    throw new Error(`${address}: HTTP ${response.status}; the page's folder is not complete`)
  }
  const meter = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      count(bytes.length)
      controller.enqueue(bytes)
    },
  })
  return new Response(response.body.pipeThrough(meter)).blob()
}

/** Removes the files of earlier versions. */
async function forgetOthers(model: EmbeddedModel, cache: Cache | undefined): Promise<void> {
  const folder = new URL(`models/${model.name}/`, globalThis.location.href).href
  for (const { url } of (await cache?.keys()) ?? []) {
    if (url.startsWith(folder) && !url.endsWith(`?v=${model.version}`)) await cache?.delete(url)
  }
}
