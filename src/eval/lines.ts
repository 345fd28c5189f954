import type { ByteSource } from '../platform/files.ts'
import { EvaluationError } from './errors.ts'

/** One line of a text file. */
export interface Line {
  /** The text without its line break (`\n` or `\r\n`). */
  readonly text: string
  /** Counted from 1. */
  readonly number: number
  /** Bytes from the start of the file to the end of this line, its break included. */
  readonly end: number
}

const chunkSize = 1 << 18
const newline = 0x0a
const byteOrderMark = '\ufeff'

/**
 * Cuts a stream of bytes into lines, giving those that each chunk completes as one list, as soon as
 * the chunk is there. Lines may be of any length and may break inside a UTF-8 sequence.
 *
 * @throws EvaluationError `data-malformed` where a line is not UTF-8
 */
export async function* lineBatches(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Line[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let number = 0
  let end = 0
  let begun: Uint8Array[] = []

  const finish = (rest: Uint8Array, closed: boolean): Line => {
    const bytes = begun.length === 0 ? rest : concat([...begun, rest])
    begun = []
    number++
    end += bytes.length + (closed ? 1 : 0)
    let text: string
    try {
      text = decoder.decode(bytes)
    } catch (cause) {
      throw new EvaluationError('data-malformed', `${name}:${number}: not valid UTF-8`, { cause })
    }
    if (number === 1 && text.startsWith(byteOrderMark)) text = text.slice(1)
    if (text.endsWith('\r')) text = text.slice(0, -1)
    return { text, number, end }
  }

  for await (const chunk of chunks) {
    const lines: Line[] = []
    let start = 0
    try {
      for (;;) {
        const stop = chunk.indexOf(newline, start)
        if (stop < 0) break
        lines.push(finish(chunk.subarray(start, stop), true))
        start = stop + 1
      }
    } catch (error) {
      // What comes before a bad line is served first, wherever the chunks happen to break.
      if (lines.length > 0) yield lines
      throw error
    }
    if (start < chunk.length) begun.push(chunk.slice(start))
    if (lines.length > 0) yield lines
  }
  if (begun.length > 0) yield [finish(new Uint8Array(), false)]
}

/** The lines of a file, plain or gzip (told by its first two bytes), read chunk by chunk. */
export async function* readLines(source: ByteSource): AsyncGenerator<Line> {
  for await (const batch of lineBatches(sourceChunks(source), source.name)) yield* batch
}

/** The bytes of a file in order, unpacked where it is gzip. */
export async function* sourceChunks(source: ByteSource): AsyncGenerator<Uint8Array> {
  const head = await source.read(0, 2)
  const stream = new ReadableStream(bytesOf(source), { highWaterMark: 0 })
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* iterate(stream)
    return
  }
  try {
    yield* iterate(stream.pipeThrough(new DecompressionStream('gzip')))
  } catch (cause) {
    throw new EvaluationError(
      'data-malformed',
      `${source.name}: its gzip data is damaged or cut off`,
      {
        cause,
      },
    )
  }
}

function bytesOf(source: ByteSource): UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> {
  let position = 0
  return {
    async pull(controller) {
      if (position >= source.size) return controller.close()
      const bytes = await source.read(position, position + chunkSize)
      if (bytes.length === 0) return controller.close()
      position += bytes.length
      controller.enqueue(bytes)
    },
  }
}

// Safari's ReadableStream is not iterable by itself.
async function* iterate(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // After an error there is nothing left to cancel, and cancel() would give the same error again.
    await reader.cancel().catch(() => {})
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
