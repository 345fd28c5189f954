/** Files by URL, over `fetch`: what browsers, Node, Deno and Bun share. */
import { PlatformError } from './errors.ts'
import { type ByteSource, blobSource, type Folder, isInnerPath } from './files.ts'

/** Bytes of a file that are asked for first: small files are whole with them. */
const firstBytes = 64 * 1024

/** Milliseconds to wait before a fault of a moment is tried again. */
const pauses = [100, 1000]

/** What servers answer that are busy or being restarted. */
export const busyStatuses: readonly number[] = [408, 425, 429, 500, 502, 503, 504]

/** A status that may be another one in a moment. */
class Busy extends Error {}

/** Why there is no file at a URL. `refused` (403): it may be there all the same. */
interface Missing {
  readonly missing: string
  readonly refused: boolean
}

/** The bytes of a 206 answer, their offset, and of which file. */
interface Part {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly start: number
  readonly total: number
  /** The strong validator of the file's state, where the server shows one. */
  readonly tag: string | undefined
}

/** Opens the file at a URL; `undefined` where the server has none, or a web page in its place. */
export async function openUrl(url: URL): Promise<ByteSource | undefined> {
  const found = await find(url)
  if (!('missing' in found)) return found
  if (found.refused) throw unreadable(url, found.missing)
  return undefined
}

/**
 * A URL as a {@link Folder}; each file's URL has the query that the folder's has, such as a signature.
 *
 * A 403 counts as a missing file once the server has given another file of the folder: stores such as S3 answer so for
 * what is not there unless one may list. Before that it is an error.
 */
export function urlFolder(place: URL): Folder {
  checkFolderUrl(place)
  const base = new URL(place)
  base.hash = ''
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  const reasons = new Map<string, string>()
  let isReached = false
  return {
    name: nameOf(base).replace(/\/$/, ''),
    async open(file) {
      if (!isInnerPath(file)) return undefined
      const url = new URL(encodePath(file), base)
      url.search = base.search
      const found = await find(url)
      if (!('missing' in found)) {
        isReached = true
        return found
      }
      if (found.refused && !isReached) throw unreadable(url, found.missing)
      reasons.set(file, `${file}: ${found.missing}`)
      return undefined
    },
    whyMissing: async (file) => reasons.get(file),
  }
}

/**
 * Checks that `fetch` can take a URL.
 *
 * @param own another protocol that is taken, such as a browser extension's own
 * @throws PlatformError `place-invalid`
 */
export function checkUrl(url: URL, own?: string): URL {
  const invalid = (fault: string) => new PlatformError('place-invalid', `${nameOf(url)}: ${fault}`)
  if (url.protocol === 'blob:' || url.protocol === 'data:') {
    throw invalid(
      `a ${url.protocol} URL has one file; expected the URL of a folder, or files by name: { 'config.json': blob, … }`,
    )
  }
  if (!['http:', 'https:', own].includes(url.protocol)) {
    throw invalid(`${url.protocol} URLs are not taken; expected http:, https: or a folder's path`)
  }
  if (url.username || url.password) {
    throw invalid(
      'a user name and password in a URL are not taken by fetch; expected a URL without, such as a signed one',
    )
  }
  return url
}

/** The URL of the folder of a file, and the file's name. */
export function splitUrl(url: URL): { parent: URL; file: string } {
  const parent = new URL('.', url)
  parent.search = url.search
  const name = url.pathname.slice(url.pathname.lastIndexOf('/') + 1)
  try {
    return { parent, file: decodeURIComponent(name) }
  } catch {
    return { parent, file: name }
  }
}

/** Near misses that the URL alone shows. */
function checkFolderUrl(url: URL): void {
  const invalid = (fault: string) => new PlatformError('place-invalid', `${nameOf(url)}: ${fault}`)
  if (/\.(json|safetensors|model)$/i.test(url.pathname)) {
    throw invalid(`is a file; expected a folder. Give its folder, ${nameOf(new URL('.', url))}`)
  }
  const page = /^\/([^/]+\/[^/]+)(\/(tree|blob)\/([^/]+))?\/?$/.exec(url.pathname)
  if (url.hostname === 'huggingface.co' && page) {
    throw invalid(
      `is the page about a model; its files are under ${url.origin}/${page[1]}/resolve/${page[4] ?? 'main'}/`,
    )
  }
}

/** How messages call a URL: a query may hold a signature, which is not for logs. */
function nameOf({ protocol, host, pathname }: URL): string {
  if (protocol === 'data:') return 'data:…'
  return `${protocol}${host || protocol === 'file:' ? `//${host}` : ''}${pathname}`
}

const unreadable = (url: URL, fault: string, options?: ErrorOptions) =>
  new PlatformError('file-unreadable', `${nameOf(url)}: ${fault}`, options)

/**
 * Looks for a file. Its size comes with its first bytes, in the Content-Range of a ranged GET: HEAD gives the packed
 * size, or is refused. Where that does not work, all of it is fetched.
 */
async function find(url: URL): Promise<ByteSource | Missing> {
  const request = async () => {
    const answer = await ask(url, 0, firstBytes)
    const missing = await missingOf(url, answer)
    if (missing) return missing
    if (answer.status === 206) return partOf(answer)
    if (answer.status === 200) return answer.blob()
    await drop(answer)
    return undefined
  }
  // A browser takes no packed answer to a range, and may ask another origin first whether it takes ranges: what fails
  // then may work with a plain GET.
  const first = await persist(url, request, 1).catch((fault: PlatformError) => {
    if (!(fault.cause instanceof TypeError)) throw fault
    return undefined
  })
  if (first && 'missing' in first) return first
  if (first instanceof Blob) return wholeFile(url, first)
  if (first?.start === 0) return looksLikePage(url, first.bytes) ?? rangedFile(url, first)
  const whole = await fetchWhole(url)
  return 'missing' in whole ? whole : wholeFile(url, whole)
}

/** A file of which parts are fetched as they are read. */
function rangedFile(url: URL, first: Part): ByteSource {
  const { bytes: head, total: size } = first
  // From when on a server does not keep to ranges any more.
  let whole: Blob | undefined

  async function readPart(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    if (start < head.length) return head.slice(start, end)
    if (whole) return new Uint8Array(await whole.slice(start, end).arrayBuffer())
    const found = await persist(url, async () => {
      const answer = await ask(url, start, end)
      if (answer.status === 206) return (await partOf(answer)) ?? 'with bytes of no known place'
      if (answer.status === 200) return answer.blob()
      await drop(answer)
      return answer.status
    })
    if (typeof found !== 'object') {
      throw unreadable(url, `asked for a range of bytes, the server answered ${found}`)
    }
    const isOther =
      found instanceof Blob
        ? found.size !== size
        : found.total !== size || (first.tag && found.tag && found.tag !== first.tag)
    if (isOther) {
      throw new PlatformError(
        'file-changed',
        `${nameOf(url)}: the file changed on the server while it was read; load again`,
      )
    }
    if (found instanceof Blob) {
      whole = found
      return readPart(start, end)
    }
    const { bytes } = found
    const [from, to] = [start - found.start, Math.min(end - found.start, bytes.length)]
    if (from < 0 || from >= to) {
      throw unreadable(
        url,
        `asked for bytes ${start} to ${end}, the server sent ${bytes.length} from ${found.start} on`,
      )
    }
    return from === 0 && to === bytes.length ? bytes : bytes.slice(from, to)
  }

  return {
    name: nameOf(url),
    size,
    async read(start, end) {
      const last = Math.min(end, size)
      if (start >= last) return new Uint8Array()
      const bytes = new Uint8Array(last - start)
      // A server may send less than it was asked for.
      for (let filled = 0; filled < bytes.length; ) {
        const part = await readPart(start + filled, last)
        if (part.length === bytes.length) return part
        bytes.set(part, filled)
        filled += part.length
      }
      return bytes
    },
    close: async () => {},
  }
}

/** A file that was fetched at once. A browser keeps a large `Blob` on its disk. */
async function wholeFile(url: URL, blob: Blob): Promise<ByteSource | Missing> {
  const head = new Uint8Array(await blob.slice(0, firstBytes).arrayBuffer())
  return looksLikePage(url, head) ?? blobSource(nameOf(url), blob)
}

/** The whole of a file, by a plain GET. */
const fetchWhole = (url: URL): Promise<Blob | Missing> =>
  persist(url, async () => {
    const answer = await ask(url)
    const missing = await missingOf(url, answer)
    if (missing) return missing
    if (answer.status === 200) return answer.blob()
    await drop(answer)
    throw unreadable(url, `the server answered ${answer.status}`)
  })

/** One request. */
async function ask(url: URL, start?: number, end?: number): Promise<Response> {
  const ranged = start !== undefined && end !== undefined
  const answer = await fetch(url, ranged ? { headers: { range: `bytes=${start}-${end - 1}` } } : {})
  if (!busyStatuses.includes(answer.status)) return answer
  await drop(answer)
  throw new Busy(`the server answered ${answer.status}`)
}

/**
 * Requests until an answer came; faults of a moment are tried again.
 *
 * @param reconnects how often a fault of the network is, such as a connection that broke off
 */
async function persist<T>(
  url: URL,
  request: () => Promise<T>,
  reconnects = pauses.length,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await request()
    } catch (cause) {
      if (cause instanceof PlatformError) throw cause
      const isBusy = cause instanceof Busy
      // `fetch` throws a TypeError where the network fails.
      const isBrief = isBusy || (cause instanceof TypeError && attempt < reconnects)
      const pause = pauses[attempt]
      if (!isBrief || pause === undefined) {
        throw unreadable(url, isBusy ? cause.message : unfetched(url, cause), { cause })
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

function unfetched(url: URL, fault: unknown): string {
  const page = globalThis.location?.origin
  const isForeign = page !== undefined && page !== url.origin
  return `${unfetchedText(fault)}${isForeign ? `; is the server up, and does it let pages of ${page} read its files (CORS)?` : ''}`
}

/** The fault that `fetch` throws where the network fails, in words. */
export function unfetchedText(fault: unknown): string {
  const { message, cause } = fault as Error & { cause?: Error & { code?: string } }
  return `cannot be fetched (${cause?.code ?? cause?.message ?? message})`
}

/** Frees the connection of an answer that is not read. */
const drop = async (answer: Response): Promise<void> => answer.body?.cancel()

/** Why an answer stands for no file, if it does. */
async function missingOf(url: URL, answer: Response): Promise<Missing | undefined> {
  const { status, headers, ok } = answer
  const type = headers.get('content-type')
  let missing: Missing | undefined
  if (ok && /^\s*(text\/html|application\/xhtml)/i.test(type ?? '') && !isPageName(url)) {
    missing = webPage(type)
  } else if (status === 404 || status === 410 || status === 403) {
    missing = { missing: `the server answered ${status}`, refused: status === 403 }
  } else if (status === 401 || status === 407) {
    await drop(answer)
    throw unreadable(url, `the server answered ${status}: it wants to know who asks`)
  }
  if (missing) await drop(answer)
  return missing
}

const isPageName = ({ pathname }: URL) => /\.x?html?$/i.test(pathname)

const webPage = (type: string | null): Missing => ({
  missing: `the server answered with a web page${type ? ` (${type})` : ''}`,
  refused: false,
})

/** Some hosts answer a web page for what they do not have, whatever type they give it. */
function looksLikePage(url: URL, bytes: Uint8Array): Missing | undefined {
  return beginsPage(bytes) && !isPageName(url) ? webPage(null) : undefined
}

/** Whether bytes are the first ones of a web page. */
export const beginsPage = (bytes: Uint8Array): boolean =>
  /^\s*<(!doctype\s+html|html)\b/i.test(new TextDecoder().decode(bytes.subarray(0, 256)))

/**
 * The bytes of a 206 answer; `undefined` where they cannot be placed: the server does not say their offset or what
 * the file's size is, or does not let pages of other origins see it, or they are bytes of a packed file.
 */
async function partOf(answer: Response): Promise<Part | undefined> {
  const { headers } = answer
  const range = contentRange(headers)
  if (!range || isPacked(headers) || !Number.isSafeInteger(range.total)) {
    await drop(answer)
    return undefined
  }
  const { start, last, total } = range
  const bytes = new Uint8Array(await answer.arrayBuffer())
  const tag = headers.get('etag') ?? undefined
  if (bytes.length !== last + 1 - start) return undefined
  return { bytes, start, total, tag: tag?.startsWith('W/') ? undefined : tag }
}

/** The offsets of the first and the last byte of an answer, and the size of the file; `undefined` where it does not say. */
export function contentRange(
  headers: Headers,
): { start: number; last: number; total: number } | undefined {
  const found = /^\s*bytes\s+(\d+)-(\d+)\/(\d+)\s*$/i.exec(headers.get('content-range') ?? '')
  return found
    ? { start: Number(found[1]), last: Number(found[2]), total: Number(found[3]) }
    : undefined
}

/** Whether the body of an answer is packed: its length is then not that of the file. */
export const isPacked = (headers: Headers): boolean =>
  (headers.get('content-encoding') ?? 'identity') !== 'identity'

/** A path as it stands in a URL. */
export const encodePath = (path: string): string =>
  path.split('/').map(encodeURIComponent).join('/')
