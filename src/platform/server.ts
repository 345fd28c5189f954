/** Node, Bun and Deno: files from the disk, WebGPU built in (Deno) or by Dawn (npm `webgpu`). */
import { constants, createReadStream, openSync } from 'node:fs'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { Socket } from 'node:net'
import { cpus } from 'node:os'
import { basename, dirname, join, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { dawnFlags } from './dawn-flags.ts'
import { PlatformError } from './errors.ts'
import { type ByteSource, type Folder, isInnerPath, type Place, streamSource } from './files.ts'
import { checkUrl, splitUrl, urlFolder } from './http.ts'
import { explainMissing, givenFolder, isAddress } from './locations.ts'
import { modelPackage } from './model-packages.ts'

/** A path, or a URL that is fetched. One letter before a colon is a drive. */
function addressOf(place: string | URL): string | URL {
  if (
    typeof place === 'string' &&
    !/^([a-z][a-z\d+.-]+:\/\/|(file|https?|data|blob):)/i.test(place)
  ) {
    return place
  }
  try {
    const url = new URL(place)
    return url.protocol === 'file:' ? fileURLToPath(url) : checkUrl(url)
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause
    const { message } = cause as Error
    throw new PlatformError('place-invalid', `${place}: not to be taken as a URL (${message})`, {
      cause,
    })
  }
}

/** The path of a file or folder of the disk. */
function pathOf(place: string | URL): string {
  const address = addressOf(place)
  if (typeof address === 'string') return address
  throw new PlatformError('place-invalid', `${place}: expected a path or a file: URL`)
}

/**
 * Opens one file of the disk; `undefined` where there is none. What is no plain file, such as a pipe, gives a stream.
 *
 * @throws PlatformError `file-unreadable` for a folder, and for what may not or cannot be read
 */
export async function openFile(place: string | URL): Promise<ByteSource | undefined> {
  const path = pathOf(place)
  const unreadable = (cause: NodeJS.ErrnoException) => {
    const denied = cause.code === 'EACCES' || cause.code === 'EPERM'
    const why = denied ? 'no permission to read it' : 'cannot be read'
    return new PlatformError('file-unreadable', `${path}: ${why} (${cause.code})`, { cause })
  }
  let handle: FileHandle
  let size: number
  try {
    // Before it is opened, for that waits at a pipe until there is a writer.
    const info = await stat(path)
    if (info.isDirectory()) {
      throw new PlatformError('file-unreadable', `${path}: is a folder; expected a file`)
    }
    if (!info.isFile()) return openStream(path, info.isFIFO(), unreadable)
    handle = await open(path)
    size = (await handle.stat()).size
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error instanceof PlatformError ? error : unreadable(error as NodeJS.ErrnoException)
  }
  return {
    name: path,
    size,
    async read(start, end) {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start))
      let filled = 0
      while (filled < bytes.length) {
        const { bytesRead } = await handle
          .read(bytes, filled, bytes.length - filled, start + filled)
          .catch((cause) => {
            throw unreadable(cause)
          })
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled === bytes.length ? bytes : bytes.slice(0, filled)
    },
    close: () => handle.close(),
  }
}

/** A pipe or a device, opened when its first bytes are asked for. */
function openStream(
  path: string,
  isPipe: boolean,
  unreadable: (cause: NodeJS.ErrnoException) => Error,
): ByteSource {
  let stream: Readable | undefined
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      stream = isPipe && !('Deno' in globalThis) ? pipeSocket(path) : createReadStream(path)
      yield* stream
    } catch (cause) {
      throw unreadable(cause as NodeJS.ErrnoException)
    }
  }
  return streamSource(path, bytes(), async () => {
    stream?.destroy()
  })
}

/**
 * Where Node reads a pipe like a file, the process cannot end as long as a read waits; a socket does not hold it up.
 * Deno has no sockets over descriptors, and ends nevertheless.
 */
const pipeSocket = (path: string): Readable =>
  new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  })

/** A model's place as a {@link Folder}: a directory of the disk, a URL, or files in memory. */
export async function openFolder(place: Place): Promise<Folder> {
  if (!isAddress(place)) return givenFolder(place)
  const path = addressOf(place)
  if (path instanceof URL) return urlFolder(path)
  const info = await stat(path).catch(() => undefined)
  if (info?.isDirectory()) return diskFolder(path)
  if (!info && /^[a-z][a-z\d+.-]+:/i.test(path)) checkUrl(new URL(path))
  let fault = 'does not exist; expected a folder'
  if (info) fault = `is a file; expected a folder. Give its folder, ${dirname(path)}`
  throw new PlatformError('folder-missing', `${path}: ${fault}`)
}

/** The folder of a file, and the file's name. */
export function openParent(place: string | URL): { folder: Folder; file: string } {
  const path = addressOf(place)
  if (typeof path === 'string') return { folder: diskFolder(dirname(path)), file: basename(path) }
  const { parent, file } = splitUrl(path)
  return { folder: urlFolder(parent), file }
}

const diskFolder = (path: string): Folder => ({
  name: path,
  open: (file) =>
    isInnerPath(file) && file.split('/').every((part) => basename(part) === part)
      ? openFile(join(path, file))
      : Promise.resolve(undefined),
  whyMissing: (file) =>
    explainMissing(file, pathsBelow(path), path.endsWith(sep) ? path : path + sep),
})

/** How deep a near miss is looked for: to a model in a hub cache's `models--org--name/snapshots/revision`. */
const deepest = 3

/** The paths in and below a directory, level by level; directories end in a slash. What cannot be read is left out. */
async function* pathsBelow(root: string): AsyncGenerator<string> {
  let level = ['']
  for (let depth = 0; depth <= deepest; depth++) {
    const next: string[] = []
    for (const folder of level) {
      const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])
      for (const entry of entries) {
        const path = `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`
        yield path
        if (entry.isDirectory()) next.push(path)
      }
    }
    level = next
  }
}

/** The folder of an embedded model: that of its package. Parameters and errors as of {@link modelPackage}. */
export const embeddedFolder = async (model: string, published: string): Promise<Folder> =>
  openFolder(modelPackage(model, published))

// Dawn's instance must stay reachable for as long as any device lives: the process crashes once it is collected.
const held = globalThis as { __dawnrankGpu?: GPU }

/**
 * The entry to WebGPU: the built-in one where there is one, else Dawn, made by the first call. `flags` are Dawn's, such as
 * toggles; those of `DAWNRANK_DAWN_FLAGS` and of {@link dawnFlags} are added.
 */
export async function webgpu(flags: readonly string[] = []): Promise<GPU> {
  const builtIn = (globalThis.navigator as Navigator | undefined)?.gpu
  if (builtIn) return builtIn
  if (!held.__dawnrankGpu) {
    const dawn = await import('webgpu').catch((cause) => {
      throw new PlatformError(
        'webgpu-missing',
        'npm "webgpu" (Dawn) cannot be loaded on this system; see "dawnrank doctor"',
        { cause },
      )
    })
    Object.assign(globalThis, dawn.globals)
    const ofEnvironment = environment('DAWNRANK_DAWN_FLAGS')?.split(' ') ?? []
    held.__dawnrankGpu = dawn.create(dawnFlags([...flags, ...ofEnvironment]))
  }
  return held.__dawnrankGpu as GPU
}

/** Dawn is asked again after this share of the time that it was waited for, and after so many milliseconds at most. */
const patience = { share: 1 / 16, most: 10 }

/**
 * Maps a buffer for reading once the device is done with it.
 * As long as an answer is pending, npm `webgpu` turns the event loop without a pause, which takes a core from whatever
 * computes. So what is not done yet is taken back, and asked for again a little later, unless `isOver` by then: a buffer
 * that is destroyed meanwhile must not be asked for, which would be an error of the device.
 */
export async function mapForReading(
  buffer: GPUBuffer,
  isOver: () => boolean = () => false,
): Promise<void> {
  if ((globalThis.navigator as Navigator | undefined)?.gpu) return buffer.mapAsync(GPUMapMode.READ)
  const start = performance.now()
  for (;;) {
    let mapped = false
    const asked = buffer.mapAsync(GPUMapMode.READ).then(() => {
      mapped = true
    })
    asked.catch(() => {})
    await Promise.race([asked, setImmediate().then(() => setImmediate())])
    if (mapped) return
    buffer.unmap()
    await setTimeout(Math.min((performance.now() - start) * patience.share, patience.most))
    if (isOver()) return
  }
}

function noteFile(name: string): string {
  const { XDG_CACHE_HOME, HOME, USERPROFILE } = process.env
  return join(XDG_CACHE_HOME || join(HOME || USERPROFILE || '.', '.cache'), 'dawnrank', name)
}

interface DenoPermissions {
  readonly Deno?: { permissions: { querySync(what: object): { state: string } } }
}

/** Deno asks on the terminal before it reads what it was not told that it may read. */
const mustAsk = (path: string): boolean => {
  const { Deno } = globalThis as DenoPermissions
  return Deno?.permissions.querySync({ name: 'read', path }).state === 'prompt'
}

/** Whether what is kept on this machine may be there later: Deno must have been told that it may write. */
export function canRemember(name: string): boolean {
  const path = noteFile(name)
  const { Deno } = globalThis as DenoPermissions
  return (
    Deno === undefined || Deno.permissions.querySync({ name: 'write', path }).state === 'granted'
  )
}

/** What was kept on this machine under a name; `undefined` where nothing was, or it may not be read. */
export async function recall(name: string): Promise<string | undefined> {
  const file = noteFile(name)
  return mustAsk(file) ? undefined : readFile(file, 'utf8').catch(() => undefined)
}

/** Keeps a text on this machine; gives the place. */
export async function remember(name: string, text: string): Promise<string> {
  const file = noteFile(name)
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new PlatformError(
      'file-unwritable',
      `${file}: cannot be written (${code}); set XDG_CACHE_HOME to a folder that can`,
      { cause },
    )
  }
  return file
}

/** Forgets what was kept under a name; gives the place. */
export async function forget(name: string): Promise<string> {
  await rm(noteFile(name), { force: true })
  return noteFile(name)
}

/** The model of the processor. */
export const processor = (): string => cpus()[0]?.model.trim() ?? ''

/** The value of an environment variable. */
export const environment = (name: string): string | undefined => process.env[name]
