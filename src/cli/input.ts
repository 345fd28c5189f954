import { addAbortSignal } from 'node:stream'
import { openFile } from '#platform'
import { type Line, lineBatches, sourceChunks } from '../eval/index.ts'
import { CliError } from './errors.ts'
import type { Surroundings } from './surroundings.ts'

/** Text that a command reads, from a file (plain or gzip) or from stdin. */
export interface Input {
  readonly name: string
  /** Bytes of the file; unknown for stdin and gzip. */
  readonly size: number | undefined
  /** Lines as they come: one list for each chunk that completes any. */
  batches(): AsyncIterable<Line[]>
  close(): Promise<void>
}

/**
 * Opens `--file`, or stdin where it is left out or `-`.
 *
 * @param wanted what may come as arguments instead, for the message when a terminal is stdin
 * @throws CliError `input-missing`, `usage`
 */
export async function openInput(
  file: string | undefined,
  wanted: string | undefined,
  { stdin, signal }: Surroundings,
): Promise<Input> {
  if (file !== undefined && file !== '-') {
    const source = await openFile(file)
    if (!source) throw new CliError('input-missing', `${file}: there is no such file`)
    return {
      name: file,
      size: file.endsWith('.gz') ? undefined : source.size,
      batches: () => lineBatches(sourceChunks(source), file),
      close: () => source.close(),
    }
  }
  if (stdin.isTTY && file === undefined) {
    const ways = wanted
      ? `${wanted} as arguments, by --file, or on stdin`
      : 'pairs by --file or on stdin'
    throw new CliError('usage', `no input: give ${ways}`)
  }
  addAbortSignal(signal, stdin)
  return {
    name: 'stdin',
    size: undefined,
    batches: () => lineBatches(stdin, 'stdin'),
    close: async () => {},
  }
}

/** All lines of an input that are not blank. */
export async function readPassages(input: Input): Promise<string[]> {
  const passages: string[] = []
  for await (const batch of input.batches()) {
    for (const { text } of batch) if (text.trim() !== '') passages.push(text)
  }
  return passages
}
