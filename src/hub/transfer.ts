/** One file over the network: ranges from where the last attempt ended, and a check of every answer. */
import { beginsPage, contentRange, isPacked } from '../platform/http.ts'
import { HubError } from './errors.ts'
import { checkStatus, get, Passing, persist, type Reply } from './http.ts'
import type { HubClient } from './settings.ts'
import type { HubFile } from './types.ts'

/** Where the bytes of a file go. */
export interface Sink {
  /** How many bytes are there. */
  readonly position: number
  /** Adds bytes at {@link position}. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>
}

/** The hub sends something else than the file that it lists. */
class WrongAnswer extends Error {}

/** Attempts where the answers are of another file: a sign-in page may be gone after a moment. */
const wrongAttempts = 2

/**
 * Downloads a file. If the hash is wrong, what is there is deleted and all of it fetched once more: what an earlier download
 * left may be wrong, such as the start of a sign-in page.
 *
 * @param fill continues the download to the end of the file, and gives the hash of the whole
 * @throws HubError `file-corrupt`; what `fill` and `clear` throw
 */
export async function download(
  name: string,
  { path, etag }: HubFile,
  fill: () => Promise<string>,
  clear: () => Promise<void>,
): Promise<void> {
  const corrupt = (fault: string, options?: ErrorOptions) =>
    new HubError('file-corrupt', `${name}/${path}: ${fault}`, options)
  const filled = () =>
    fill().catch((fault) => {
      throw fault instanceof WrongAnswer ? corrupt(fault.message, { cause: fault }) : fault
    })
  let found = await filled()
  if (found === etag) return
  await clear()
  found = await filled()
  if (found === etag) return
  await clear()
  const hash = etag.length === 64 ? 'SHA-256' : 'git SHA-1'
  throw corrupt(
    `the ${hash} of what came is ${found}; expected ${etag}. Nothing of it was kept; try again later, or from another network`,
  )
}

/**
 * Fetches a file from the position of its sink to its end. What arrives has the size that the hub lists; {@link download}
 * checks whether the bytes are right.
 *
 * @throws WrongAnswer, HubError; errors of the sink
 */
export async function transfer(
  client: HubClient,
  address: string,
  name: string,
  file: HubFile,
  sink: Sink,
): Promise<void> {
  const subject = { name, path: file.path }
  // Less than a step is no progress, or a connection that breaks after each byte would be tried again for days.
  const step = Math.max(1, Math.min(file.size / 100, 2 ** 20))
  const position = () => Math.floor(sink.position / step)
  for (let wrong = 0; ; ) {
    try {
      return await persist(client, subject, () => attempt(client, address, subject, file, sink), {
        position,
      })
    } catch (fault) {
      if (!(fault instanceof WrongAnswer) || ++wrong >= wrongAttempts) throw fault
    }
  }
}

async function attempt(
  client: HubClient,
  address: string,
  subject: { name: string; path: string },
  { size }: HubFile,
  sink: Sink,
): Promise<void> {
  const from = sink.position
  if (from >= size) return
  const reply = await get(client, address, { range: `bytes=${from}-` })
  if (reply.status === 416) {
    await reply.drop()
    throw new WrongAnswer(`the file on the server ends before byte ${from} of ${size}`)
  }
  await checkStatus(reply, subject, client)
  let skip = from - (await startOf(reply, from, size))
  for await (const chunk of reply.chunks()) {
    const bytes = skip > 0 ? chunk.subarray(skip) : chunk
    skip = Math.max(0, skip - chunk.length)
    if (bytes.length === 0) continue
    if (sink.position + bytes.length > size) {
      throw new WrongAnswer(`the server sends more than the ${size} bytes that it lists`)
    }
    await sink.write(bytes)
  }
  if (sink.position < size) {
    throw new Passing('unreachable', `the answer ends after ${sink.position} of ${size} bytes`)
  }
}

/** Where the bytes of an answer begin in the file; `from` is where they were asked for. */
async function startOf(reply: Reply, from: number, size: number): Promise<number> {
  const { status, headers } = reply
  const isPage = /^\s*text\/html/i.test(headers.get('content-type') ?? '')
  const range = contentRange(headers)
  // A store of another origin may hide the range from a page; the hash shows whether it is what was asked for.
  const start = status !== 206 ? 0 : range ? range.start : from
  const length = isPacked(headers) ? null : headers.get('content-length')
  const total = range?.total ?? (length === null ? size : start + Number(length))
  if (!isPage && total === size && start <= from) return start
  const came = await whatCame(reply, isPage, total)
  throw new WrongAnswer(`${came}, from byte ${start}; expected one of ${size} bytes, from ${from}`)
}

/** What an answer holds, by its first bytes. */
async function whatCame(reply: Reply, isPage: boolean, total: number): Promise<string> {
  let start = new Uint8Array()
  try {
    for await (const chunk of reply.chunks()) {
      start = chunk
      break
    }
  } catch (fault) {
    if (!(fault instanceof Passing)) throw fault
  }
  if (isPage || beginsPage(start)) {
    return 'a web page came, perhaps the sign-in page of a network'
  }
  if (new TextDecoder().decode(start.subarray(0, 100)).startsWith('version https://git-lfs'))
    return 'the Git LFS pointer of the file came'
  return `a file of ${total} bytes came`
}
