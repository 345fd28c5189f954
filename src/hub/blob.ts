/** Downloads of blobs: resumed, checked, and only then given their name. */
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { addressOf } from './api.ts'
import { type ModelCache, sizeOf } from './cache.ts'
import { withLock } from './lock.ts'
import type { Meter } from './progress.ts'
import type { HubClient } from './settings.ts'
import { download, type Sink, transfer } from './transfer.ts'
import type { HubFile } from './types.ts'

/** The hash that is the name of a blob. */
export function blobHash(etag: string, size: number): Hash {
  return etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

/**
 * Sees to it that the snapshot of a commit has a file. Of processes that want the same one, one downloads it.
 *
 * @throws HubError `file-corrupt` and those of the hub's answers; errors of the disk; the signal's reason
 */
export async function fetchFile(
  cache: ModelCache,
  client: HubClient,
  commit: string,
  file: HubFile,
  meter: Meter,
): Promise<void> {
  const watchOther = async () => {
    meter.update(file.path, (await sizeOf(cache.partial(file.etag))) ?? 0)
  }
  await withLock(cache.lock(file.etag), client.signal, watchOther, async () => {
    if ((await sizeOf(cache.pointer(commit, file.path))) !== file.size) {
      // A blob may be a link to the store that repositories share.
      const isNew = (await sizeOf(cache.blob(file.etag))) !== file.size
      if (isNew) await downloadBlob(cache, client, commit, file, meter)
      await cache.link(commit, file, isNew)
    }
    meter.update(file.path, file.size)
  })
}

async function downloadBlob(
  cache: ModelCache,
  client: HubClient,
  commit: string,
  file: HubFile,
  meter: Meter,
): Promise<void> {
  const partial = cache.partial(file.etag)
  await mkdir(dirname(partial), { recursive: true })
  const address = addressOf(client, cache.name, commit, file.path)
  const fill = (sink: Sink) => transfer(client, address, cache.name, file, sink)
  await download(
    cache.name,
    file,
    () => fillPartial(partial, file, fill, meter),
    () => rm(partial, { force: true }),
  )
  await giveName(partial, cache.blob(file.etag), file.size)
}

/** Continues a partial file to its end, and gives the hash of the whole, which is then on the disk. */
async function fillPartial(
  path: string,
  file: HubFile,
  fill: (sink: Sink) => Promise<void>,
  meter: Meter,
): Promise<string> {
  // Not "a": that writes at the end alone, whatever another process may have added.
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT)
  const hash = blobHash(file.etag, file.size)
  let position = 0
  try {
    position = await hashPartial(handle, file, hash)
    meter.update(file.path, position)
    await fill({
      get position() {
        return position
      },
      async write(bytes) {
        for (let at = 0; at < bytes.length; ) {
          const length = bytes.length - at
          at += (await handle.write(bytes, at, length, position + at)).bytesWritten
        }
        hash.update(bytes)
        position += bytes.length
        meter.update(file.path, position, bytes.length)
      },
    })
    await handle.datasync()
    return hash.digest('hex')
  } catch (fault) {
    if (position === 0) await rm(path, { force: true })
    throw fault
  } finally {
    await handle.close()
  }
}

const readBytes = 1 << 20

/** Hashes what is there; gives its length. What is longer than the file is no part of it. */
async function hashPartial(handle: FileHandle, { size }: HubFile, hash: Hash): Promise<number> {
  const info = await handle.stat()
  if (info.size > size) await handle.truncate(0)
  const buffer = Buffer.alloc(Math.min(readBytes, info.size))
  let position = 0
  while (info.size <= size && position < info.size) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
  return position
}

/** Renames what is whole. Where there is a link to the shared store, it replaces the link; the store's file stays. */
async function giveName(partial: string, blob: string, size: number): Promise<void> {
  await rename(partial, blob).catch(async (fault) => {
    // Another may have finished it, where this process stood still for so long that its lock was taken over.
    if ((await sizeOf(blob)) !== size) throw fault
  })
  // The new name survives a power failure; not every system can do this for folders.
  const folder = await open(dirname(blob), 'r').catch(() => undefined)
  await folder?.sync().catch(() => {})
  await folder?.close()
}
