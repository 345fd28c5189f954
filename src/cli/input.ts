import { fstatSync } from 'node:fs'
import { openFile } from '#platform'
import { isGzip, type Line, lineBatches, sourceChunks } from '../eval/index.ts'
import { type ByteSource, streamSource } from '../platform/files.ts'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'

/** Text that a command reads, plain or gzip, from a file, a pipe or stdin. */
export interface Input {
  readonly name: string
  /** Bytes of its lines, where they are known before: for a plain file. */
  readonly size: number | undefined
  /** Lines as they come: one list for each chunk that completes any. */
  batches(): AsyncIterable<Line[]>
  close(): Promise<void>
}

/** Names of stdin. Some systems do not let it be opened by the latter ones. */
const stdinNames = ['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']

/**
 * Opens `--file`, or stdin where it is left out or `-`.
 *
 * @param wanted what may come as arguments instead, for the message when a terminal is stdin
 * @throws CliError `input-missing`, `usage`; PlatformError `file-unreadable`
 */
export async function openInput(
  file: string | undefined,
  wanted: string | undefined,
  io: Io,
): Promise<Input> {
  if (io.stdin.isTTY && file === undefined) {
    const ways = wanted
      ? `${wanted} as arguments, by --file, or on stdin`
      : 'pairs by --file or on stdin'
    throw new CliError('usage', `no input: give ${ways}`)
  }
  const source = await openSource(file ?? '-', io)
  if (!source) throw new CliError('input-missing', `${file}: there is no such file`)
  const { name } = source
  const isPlain = !source.stream && !isGzip(await source.read(0, 2))
  return {
    name,
    size: isPlain ? source.size : undefined,
    batches: () => lineBatches(sourceChunks(source, io.signal), name),
    close: () => source.close(),
  }
}

/** Opens a file, or stdin by one of its names; `undefined` where there is no such file. */
export async function openSource(file: string, { stdin }: Io): Promise<ByteSource | undefined> {
  if (!stdinNames.includes(file)) return openFile(file)
  // Node takes a folder for an empty stream.
  if (stdin === process.stdin && fstatSync(0).isDirectory()) {
    throw new CliError('input-unreadable', 'stdin: is a folder; expected a file')
  }
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      yield* stdin
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      throw new CliError('input-unreadable', `stdin: cannot be read (${code})`, { cause })
    }
  }
  return streamSource('stdin', bytes(), async () => {})
}

/** All lines of an input that are not blank. */
export async function readPassages(input: Input): Promise<Line[]> {
  const passages: Line[] = []
  for await (const batch of input.batches()) {
    for (const line of batch) {
      if (line.fault) throw line.fault
      if (line.text.trim() !== '') passages.push(line)
    }
  }
  return passages
}
