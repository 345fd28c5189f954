import type { ByteSource } from '../platform/files.ts'
import { foreignContent, isGzip, longestSignature, utf8Fault } from './content.ts'
import { EvaluationError } from './errors.ts'
import { gunzip } from './gunzip.ts'

/** One line of a text file. */
export interface Line {
  /** The text without its line break (`\n` or `\r\n`); empty where there is a fault. */
  readonly text: string
  /** Counted from 1. */
  readonly number: number
  /** Bytes from the start of the file to the end of this line, its break included. */
  readonly end: number
  /** The error of a line that is not UTF-8 (`data-malformed`). */
  readonly fault?: EvaluationError
}

const chunkSize = 1 << 18
/** Far beyond any record: what has no line breaks at all does not fill the memory. */
const longestLine = 1 << 28
const newline = 0x0a
const byteOrderMark = '\ufeff'

/**
 * Cuts a stream of bytes into lines, giving those that each chunk completes as one list, as soon as
 * the chunk is there. Lines may break inside a UTF-8 sequence.
 *
 * @throws EvaluationError `data-malformed` where a line is longer than 256 MB
 */
export async function* lineBatches(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Line[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let number = 0
  let end = 0
  let begun: Uint8Array[] = []
  let begunSize = 0

  const finish = (rest: Uint8Array, closed: boolean): Line => {
    const bytes = begun.length === 0 ? rest : concat([...begun, rest])
    begun = []
    begunSize = 0
    number++
    end += bytes.length + (closed ? 1 : 0)
    const refuse = (why: string, cause?: unknown) => ({
      text: '',
      number,
      end,
      fault: new EvaluationError('data-malformed', `${name}:${number}: ${why}`, { cause }),
    })
    let text: string
    try {
      text = decoder.decode(bytes)
    } catch (cause) {
      return refuse(utf8Fault(bytes), cause)
    }
    if (number === 1 && text.startsWith(byteOrderMark)) text = text.slice(1)
    if (text.endsWith('\r')) text = text.slice(0, -1)
    if (number === 1 && !closed && text.includes('\r')) {
      return refuse(
        "the lines end with CR alone; expected LF or CRLF: convert, as by tr '\\r' '\\n'",
      )
    }
    return { text, number, end }
  }

  for await (const chunk of chunks) {
    const lines: Line[] = []
    let start = 0
    for (;;) {
      const stop = chunk.indexOf(newline, start)
      if (stop < 0) break
      lines.push(finish(chunk.subarray(start, stop), true))
      start = stop + 1
    }
    if (lines.length > 0) yield lines
    if (start === chunk.length) continue
    begun.push(chunk.slice(start))
    begunSize += chunk.length - start
    if (begunSize > longestLine) {
      throw new EvaluationError(
        'data-malformed',
        `${name}:${number + 1}: goes on for more than ${longestLine >> 20} MB; expected lines of text`,
      )
    }
  }
  if (begun.length > 0) yield [finish(new Uint8Array(), false)]
}

/**
 * The lines of a file, plain or gzip, read chunk by chunk.
 *
 * @throws EvaluationError `data-malformed` where it is not UTF-8 text; the lines before are given first
 */
export async function* readLines(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Line> {
  for await (const batch of lineBatches(sourceChunks(source, signal), source.name)) {
    for (const line of batch) {
      if (line.fault) throw line.fault
      yield line
    }
  }
}

/** A line with its place for messages: `file:number`. */
export interface LineAt {
  readonly line: Line
  readonly at: string
}

/** The lines of an open file that are not blank. The file is closed at the end. */
export async function* linesIn(source: ByteSource, signal?: AbortSignal): AsyncGenerator<LineAt> {
  try {
    for await (const line of readLines(source, signal)) {
      if (line.text.trim() !== '') yield { line, at: `${source.name}:${line.number}` }
    }
  } finally {
    await source.close()
  }
}

/** The text of a whole file, plain or gzip. The file is closed at the end. */
export async function readText(source: ByteSource, signal?: AbortSignal): Promise<string> {
  const lines: string[] = []
  try {
    for await (const line of readLines(source, signal)) lines.push(line.text)
  } finally {
    await source.close()
  }
  return lines.join('\n')
}

/**
 * The bytes of a text file in order, unpacked where they are gzip, whatever its name.
 *
 * @throws EvaluationError `data-malformed` where gzip is damaged or cut off, what comes before being given first, and
 *   where the file begins like another kind of file; the signal's reason when it is aborted
 */
export function sourceChunks(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  return textOf(bytesOf(source, signal), source.name)
}

async function* textOf(
  bytes: AsyncGenerator<Uint8Array>,
  name: string,
): AsyncGenerator<Uint8Array> {
  const fault = (what: string) => new EvaluationError('data-malformed', `${name}: ${what}`)
  const [head, chunks] = await withHead(bytes)
  if (isGzip(head)) {
    const damaged = (what: string) => fault(`its gzip data is damaged or cut off (${what})`)
    yield* textOf(gunzip(chunks, damaged), name)
    return
  }
  const foreign = foreignContent(head)
  if (foreign) throw fault(foreign)
  yield* chunks
}

/**
 * The first bytes of a stream, enough to tell what it holds, and all of it. Nobody waits for more than the first line,
 * which is all that a slow writer may have given.
 */
async function withHead(
  bytes: AsyncGenerator<Uint8Array>,
): Promise<[head: Uint8Array, all: AsyncGenerator<Uint8Array>]> {
  let head = new Uint8Array()
  while (head.length < longestSignature && !head.includes(newline)) {
    const { done, value } = await bytes.next()
    if (done) break
    head = concat([head, value])
  }
  return [head, joined(head, bytes)]
}

async function* joined(head: Uint8Array, rest: AsyncGenerator<Uint8Array>) {
  try {
    if (head.length > 0) yield head
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}

async function* bytesOf(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream = source.stream?.[Symbol.asyncIterator]()
  for (let position = 0; ; ) {
    const bytes = await (stream
      ? beforeAbort(stream.next(), signal).then(({ done, value }) => (done ? undefined : value))
      : beforeAbort(source.read(position, position + chunkSize), signal))
    if (bytes === undefined || (bytes.length === 0 && !stream)) return
    position += bytes.length
    yield bytes
  }
}

/** What a promise gives, unless the signal fires before. */
async function beforeAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  signal.throwIfAborted()
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop)
  })
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop))
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
