/** Browsers: files by URL, WebGPU built in. */
import { PlatformError } from './errors.ts'
import type { ByteSource, Folder } from './files.ts'

/** Opens one file by URL; its bytes come by range requests where the server knows them. */
export async function openFile(place: string | URL): Promise<ByteSource | undefined> {
  const url = String(new URL(place, globalThis.location?.href))
  const head = await fetch(url, { method: 'HEAD' }).catch((cause) => {
    throw new PlatformError('file-unreadable', `${url}: cannot be fetched`, { cause })
  })
  if (head.status === 404) return undefined
  if (!head.ok)
    throw new PlatformError('file-unreadable', `${url}: the server answered ${head.status}`)
  const size = Number(head.headers.get('content-length') ?? Number.NaN)
  const ranges = head.headers.get('accept-ranges') === 'bytes' && Number.isSafeInteger(size)
  if (!ranges) return wholeSource(url)
  return {
    name: url,
    size,
    async read(start, end) {
      if (start >= Math.min(end, size)) return new Uint8Array()
      const answer = await fetch(url, {
        headers: { range: `bytes=${start}-${Math.min(end, size) - 1}` },
      })
      if (answer.status !== 206) {
        throw new PlatformError(
          'file-unreadable',
          `${url}: asked for a range of bytes, the server answered ${answer.status}`,
        )
      }
      return new Uint8Array(await answer.arrayBuffer())
    },
    close: async () => {},
  }
}

async function wholeSource(url: string): Promise<ByteSource> {
  const answer = await fetch(url)
  if (!answer.ok)
    throw new PlatformError('file-unreadable', `${url}: the server answered ${answer.status}`)
  const bytes = new Uint8Array(await answer.arrayBuffer())
  return {
    name: url,
    size: bytes.length,
    read: async (start, end) => bytes.slice(start, end),
    close: async () => {},
  }
}

/** A URL as a {@link Folder}. */
export async function openFolder(place: string | URL): Promise<Folder> {
  const base = new URL(place, globalThis.location?.href)
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  const isPlain = (file: string) => !/^\.{0,2}$|[/\\]/.test(file)
  return {
    name: String(base),
    open: async (file) =>
      isPlain(file) ? openFile(new URL(encodeURIComponent(file), base)) : undefined,
  }
}

/** The folder of an embedded model, which is served beside the bundle. */
export function embeddedFolder(model: string): Promise<Folder> {
  return openFolder(new URL(`../weights/${model}/`, import.meta.url))
}

/** The entry to WebGPU. */
export async function webgpu(_flags: readonly string[] = []): Promise<GPU> {
  const builtIn = navigator.gpu as GPU | undefined
  if (!builtIn) {
    throw new PlatformError(
      'webgpu-missing',
      'this browser has no WebGPU (navigator.gpu); it needs a secure context and a browser that supports it',
    )
  }
  return builtIn
}

/** Maps a buffer for reading once the device is done with it. */
export const mapForReading = (buffer: GPUBuffer, _isOver?: () => boolean): Promise<void> =>
  buffer.mapAsync(GPUMapMode.READ)

const noteKey = (name: string) => `dawnrank/${name}`

/** What was kept in this browser under a name; `undefined` where nothing was. */
export const recall = async (name: string): Promise<string | undefined> =>
  globalThis.localStorage?.getItem(noteKey(name)) ?? undefined

/** Keeps a text in this browser; gives the place. */
export async function remember(name: string, text: string): Promise<string> {
  globalThis.localStorage?.setItem(noteKey(name), text)
  return `localStorage ${noteKey(name)}`
}

/** Forgets what was kept under a name; gives the place. */
export async function forget(name: string): Promise<string> {
  globalThis.localStorage?.removeItem(noteKey(name))
  return `localStorage ${noteKey(name)}`
}

/** A browser has no environment variables. */
export const environment = (_name: string): string | undefined => undefined
