/** Checks the cache: every blob against the hash that is its name, every link of a snapshot. */
import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink, stat } from 'node:fs/promises'
import { basename, join, resolve, sep } from 'node:path'
import { blobHash } from './blob.ts'
import type { ModelCache } from './cache.ts'
import { isHash } from './names.ts'
import { cachedModels, chosenCommit, commitsOf, filesBelow, usedBlobs } from './repositories.ts'

/** Something wrong in the cache. */
export interface Fault {
  readonly name: string
  readonly path: string
  /** `corrupt`: other bytes than its name says; `broken-link`: a file of a snapshot that leads nowhere. */
  readonly kind: 'corrupt' | 'broken-link'
  readonly message: string
}

export interface Verification {
  readonly checked: number
  /** Bytes of the files checked. */
  readonly bytes: number
  /** Files whose hash is not known: copies in snapshots without links, names that are no hash. */
  readonly unchecked: number
  readonly faults: readonly Fault[]
}

/** Options of a verification. */
export interface VerifyOptions {
  /** One branch, tag or commit. Default: all, and the blobs that belong to none. */
  readonly revision?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes hashed so far, and in all. */
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined
}

/** A file and the hash that it must have. */
interface Check {
  readonly model: ModelCache
  readonly path: string
  readonly etag: string | undefined
  readonly size: number
}

/** Hashes every blob of one model or of all, and follows the links of their snapshots. */
export async function verifyCache(
  name?: string,
  { revision, signal, onProgress }: VerifyOptions = {},
): Promise<Verification> {
  const checks: Check[] = []
  const faults: Fault[] = []
  for (const model of await cachedModels(name)) {
    const chosen = revision === undefined ? undefined : [await chosenCommit(model, revision)]
    const used = chosen && (await usedBlobs(model, chosen))
    const blobs = await blobsOf(model)
    checks.push(...blobs.filter(({ path }) => !used || used.has(resolve(path))))
    for (const commit of chosen ?? (await commitsOf(model))) {
      const found = await checkSnapshot(model, commit)
      checks.push(...found.copies)
      faults.push(...found.broken)
    }
  }
  const known = checks.filter(({ etag }) => etag !== undefined)
  const total = known.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  for (const check of known) {
    const found = await hashFile(check, signal, (bytes) => {
      done += bytes
      onProgress?.({ done, total })
    })
    if (found === check.etag) continue
    faults.push({
      name: check.model.name,
      path: check.path,
      kind: 'corrupt',
      message: `the hash of its bytes is ${found}; expected ${check.etag}`,
    })
  }
  return {
    checked: known.length,
    bytes: total,
    unchecked: checks.length - known.length,
    faults: faults.sort((a, b) => (a.path < b.path ? -1 : 1)),
  }
}

async function blobsOf(model: ModelCache): Promise<Check[]> {
  const checks: Check[] = []
  for (const entry of await readdir(model.blob('')).catch(() => [])) {
    const path = model.blob(entry)
    // A link leads to the shared store; where it leads nowhere, the snapshots that use it are broken.
    const info = await stat(path).catch(() => undefined)
    if (!info?.isFile() || entry.endsWith('.incomplete')) continue
    checks.push({ model, path, etag: isHash(entry) ? entry : undefined, size: info.size })
  }
  return checks
}

/** The links of a snapshot that lead nowhere, and its files that are no links. */
async function checkSnapshot(
  model: ModelCache,
  commit: string,
): Promise<{ copies: Check[]; broken: Fault[] }> {
  const folder = model.snapshot(commit)
  const etags = await model.tree(commit)
  const copies: Check[] = []
  const broken: Fault[] = []
  for (const file of await filesBelow(folder)) {
    const path = join(folder, file)
    const info = await lstat(path)
    if (info.isFile()) {
      const etag = etags?.get(file.split(sep).join('/'))
      copies.push({ model, path, etag, size: info.size })
    } else if (!(await stat(path).catch(() => undefined))) {
      const target = basename(await readlink(path))
      const message = `leads to the blob ${target}, which is not there`
      broken.push({ name: model.name, path, kind: 'broken-link', message })
    }
  }
  return { copies, broken }
}

async function hashFile(
  { path, etag, size }: Check,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const hash = blobHash(etag as string, size)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted()
    hash.update(chunk)
    onBytes(chunk.length)
  }
  return hash.digest('hex')
}
