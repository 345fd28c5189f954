/** Browsers: files by URL, WebGPU built in. */
import { PlatformError } from './errors.ts'
import type { ByteSource, Folder, Place } from './files.ts'
import { checkUrl, openUrl, splitUrl, urlFolder } from './http.ts'
import { givenFolder, isAddress } from './locations.ts'

/** A URL, against the page's or the worker's own. */
function urlOf(place: string | URL): URL {
  const { document, location } = globalThis
  const page = document?.baseURI ?? location?.href
  // Nothing is relative to a blob, of which some workers are made, but to the origin that made it.
  const base = page?.startsWith('blob:') ? new URL(page).origin : page
  let url: URL
  try {
    url = new URL(place, base)
  } catch (cause) {
    throw new PlatformError('place-invalid', `${place}: not a URL, seen from ${base}`, { cause })
  }
  // An extension's own pages may fetch by its protocol; those of the disk may not.
  const own = base && new URL(base).protocol
  return checkUrl(url, own === 'file:' ? undefined : own)
}

/** Opens one file by URL; its bytes come by range requests where the server knows them. */
export const openFile = async (place: string | URL): Promise<ByteSource | undefined> =>
  openUrl(urlOf(place))

/** A model's place as a {@link Folder}. */
export const openFolder = async (place: Place): Promise<Folder> =>
  isAddress(place) ? urlFolder(urlOf(place)) : givenFolder(place)

/** The folder of a file, and the file's name. */
export function openParent(place: string | URL): { folder: Folder; file: string } {
  const { parent, file } = splitUrl(urlOf(place))
  return { folder: urlFolder(parent), file }
}

/** The folder of an embedded model, which is served beside the bundle. */
export async function embeddedFolder(model: string, _published: string): Promise<Folder> {
  const place = `../weights/${model}/`
  if (URL.canParse(place, import.meta.url)) return openFolder(new URL(place, import.meta.url))
  throw new PlatformError(
    'place-invalid',
    `${import.meta.url}: the embedded model lies beside the bundle, and nothing lies beside such a URL; give the URL of a model's folder`,
  )
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

/** Whether what is kept in this browser is there later: workers have no such store. */
export const canRemember = (_name: string): boolean => globalThis.localStorage !== undefined

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

/** A browser does not tell the model of the processor. */
export const processor = (): string => ''

/** A browser has no environment variables. */
export const environment = (_name: string): string | undefined => undefined
