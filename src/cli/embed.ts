import { open, writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { safetensorsLayout } from '../checkpoint/index.ts'
import { Embedder, type EmbedderLoadOptions, type EmbedOptions } from '../embedders/index.ts'
import type { Line } from '../eval/index.ts'
import { parseJson } from '../json.ts'
import { CliError } from './errors.ts'
import { openInput } from './input.ts'
import { type Io, printWarnings, write } from './io.ts'
import { type Member, membersOf } from './members.ts'
import { revisionOption, wholeNumber, withDtypes } from './model.ts'
import { checkOutput, writable } from './output.ts'
import { loadProgress, noProgressOption, progressOn } from './progress.ts'
import { ofRecord, refusal } from './refusal.ts'

type Format = 'jsonl' | 'npy' | 'safetensors'

interface Options
  extends Pick<
      EmbedderLoadOptions,
      'revision' | 'dtype' | 'activations' | 'matrices' | 'maxBatchTokens'
    >,
    Pick<EmbedOptions, 'kind' | 'prompt' | 'dimensions' | 'maxLength'> {
  model?: string
  file?: string
  output?: string
  format?: Format
  multi: boolean
  progress: boolean
}

/** A text, the fields that go into its answer as they were written, and its place for messages. */
interface TextRecord {
  readonly text: string
  readonly members: readonly Member[]
  readonly at: string
}

const help = `
Input: texts as arguments, or JSON lines that are strings, or objects with the
field "text"; other fields, such as an id, are printed as they were written.
      dawnrank embed "The giant panda is a bear." --kind passage
      dawnrank embed --file texts.jsonl > embeddings.jsonl
      dawnrank embed --file texts.jsonl --output embeddings.npy

Output: JSON lines with the field "embedding"; or, by the ending of --output, one
matrix of float32, a row for each text: .npy, or .safetensors with the tensor
"embeddings". --multi prints "dense", "sparse" (token ids and their weights) and
"colbert" (a vector for each token) of a model of bge-m3's kind.

--kind puts the prompt before a text that the model stores for queries or for
passages; --prompt puts another one.
`

/** Adds `dawnrank embed` to the program. */
export function addEmbed(program: Command, io: Io): void {
  const command = program
    .command('embed')
    .summary('embed texts as vectors')
    .description('Embeds texts as vectors.')
    .argument('[texts...]', 'the texts')
    .option('-f, --file <file>', 'read from this file or pipe (plain or gzip) instead of stdin')
    .option('-o, --output <file>', 'write to this file instead of stdout')
    .addOption(
      new Option('--format <format>', 'output format (default: by the ending of --output)').choices(
        ['jsonl', 'npy', 'safetensors'] satisfies Format[],
      ),
    )
    .option(
      '-m, --model <model>',
      'folder of the model, or its name on the Hugging Face Hub (default: the embedded all-MiniLM-L6-v2)',
    )
    .option(...revisionOption)
  withDtypes(command)
    .addOption(new Option('--kind <kind>', 'what the texts are').choices(['query', 'passage']))
    .option('--prompt <text>', 'text before each text, in place of the stored prompt')
    .option('--dimensions <n>', 'numbers that are kept of each embedding', wholeNumber)
    .option('--max-length <n>', 'maximum tokens of a text', wholeNumber)
    .option('--max-batch-tokens <n>', 'maximum tokens of a batch', wholeNumber)
    .option('--multi', 'dense, sparse and multi-vector embeddings', false)
    .option(...noProgressOption)
    .addHelpText('after', help)
    .action((texts: string[], options: Options) => embed(texts, options, io))
}

/** Runs `dawnrank embed`. */
async function embed(texts: readonly string[], options: Options, io: Io): Promise<void> {
  const { output, file } = options
  const format = formatOf(options)
  if (texts.length > 0 && file !== undefined) {
    throw new CliError('usage', 'texts come either as arguments or by --file, not both')
  }
  if (output !== undefined) await checkOutput(output)
  const input = texts.length > 0 ? undefined : await openInput(file, 'texts', io)
  const progress = progressOn(io, options.progress)
  let embedder: Embedder | undefined
  const printer = await printerOf(format, output, io)
  try {
    const { model, revision, dtype, activations, matrices, maxLength, maxBatchTokens } = options
    embedder = await Embedder.load(model, {
      ...{ revision, dtype, activations, matrices, maxLength, maxBatchTokens },
      signal: io.signal,
      onProgress: loadProgress(progress),
    })
    progress.stop()
    await printWarnings(embedder.info.warnings, io)
    if (!input) await printer.print(await answer(embedder, texts.map(argument), options, io))
    else {
      if (input.size !== undefined) progress.start('embedding', input.size)
      for await (const lines of input.batches()) {
        const records = lines.flatMap((line) => recordOf(line, input.name))
        await printer.print(await answer(embedder, records, options, io))
        progress.update(lines.at(-1)?.end ?? 0)
      }
    }
    await printer.end()
  } finally {
    progress.stop()
    embedder?.dispose()
    await printer.close()
    await input?.close()
  }
}

function formatOf({ format, output, multi, dimensions }: Options): Format {
  const ending = /\.(npy|safetensors)$/.exec(output ?? '')?.[1] as Format | undefined
  const chosen = format ?? ending ?? 'jsonl'
  if (chosen !== 'jsonl' && output === undefined) {
    throw new CliError('usage', `--format ${chosen} needs --output, for it is no text`)
  }
  if (multi && chosen !== 'jsonl') {
    throw new CliError('usage', `--multi and ${chosen}: only JSON lines hold them; leave one out`)
  }
  if (multi && dimensions !== undefined) {
    throw new CliError('usage', '--multi takes no --dimensions; leave one out')
  }
  return chosen
}

const argument = (text: string, index: number): TextRecord => ({
  text,
  members: [{ key: 'text', text: `"text":${JSON.stringify(text)}` }],
  at: `text ${index + 1}`,
})

const expected = 'a string or an object with a string "text", in JSON on one line'

/** The record of a line; none of a blank one. */
function recordOf(line: Line, name: string): TextRecord[] {
  if (line.fault) throw line.fault
  if (line.text.trim() === '') return []
  const at = `${name}:${line.number}`
  const malformed = (found: string, cause?: unknown) =>
    new CliError('input-malformed', `${at}: ${found}; expected ${expected}`, { cause })
  let value: unknown
  try {
    value = parseJson(line.text)
  } catch (cause) {
    throw malformed('not JSON', cause)
  }
  if (typeof value === 'string') {
    return [{ text: value, members: [{ key: 'text', text: `"text":${line.text.trim()}` }], at }]
  }
  const { text } = Object(value)
  if (typeof text !== 'string') throw malformed('no "text" that is a string')
  return [{ text, members: membersOf(line.text), at }]
}

/** A record with its results by the names that they are printed under. */
interface Answer {
  readonly record: TextRecord
  readonly results: Readonly<Record<string, unknown>>
}

async function answer(
  embedder: Embedder,
  records: readonly TextRecord[],
  { kind, prompt, dimensions, multi }: Options,
  { signal }: Io,
): Promise<Answer[]> {
  const texts = records.map(({ text }) => text)
  const settings = { kind, prompt, signal }
  const found = multi
    ? embedder.embedMulti(texts, settings)
    : embedder
        .embed(texts, { ...settings, dimensions })
        .then((rows) => rows.map((embedding) => ({ embedding })))
  const rows: readonly object[] = await found.catch((error: unknown) => {
    if (!ofRecord(error)) throw error
    throw refusal(error, (i) => records[i ?? 0]?.at ?? 'texts')
  })
  return rows.map((results, i) => ({ record: records[i] as TextRecord, results: { ...results } }))
}

/** Where answers go. */
interface Printer {
  print(answers: readonly Answer[]): Promise<void>
  /** After the last of them. */
  end(): Promise<void>
  /** In any case. */
  close(): Promise<void>
}

async function printerOf(format: Format, output: string | undefined, io: Io): Promise<Printer> {
  if (format !== 'jsonl') return matrixPrinter(format, output as string)
  const file = output === undefined ? undefined : await writable(output, open(output, 'w'))
  return {
    print: async (answers) => {
      const text = answers.map(lineOf).join('')
      if (!file) return write(io.stdout, text)
      await writable(output as string, file.write(text))
    },
    end: async () => {},
    close: async () => file?.close(),
  }
}

/** Keeps all rows until the end, for the matrix begins with their number. */
function matrixPrinter(format: 'npy' | 'safetensors', output: string): Printer {
  const rows: Float32Array[] = []
  return {
    print: async (answers) => {
      for (const { results } of answers) rows.push(results.embedding as Float32Array)
    },
    end: () => {
      const shape = [rows.length, rows[0]?.length ?? 0]
      const header =
        format === 'npy'
          ? npyHeader(shape)
          : safetensorsLayout([{ name: 'embeddings', dtype: 'f32', shape }]).header
      const parts = rows.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength))
      return writable(output, writeFile(output, Buffer.concat([header, ...parts])))
    },
    close: async () => {},
  }
}

/** The header of a .npy file, version 1.0, of float32 by rows. */
function npyHeader(shape: readonly number[]): Buffer {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, length & 0xff, length >> 8])
  return Buffer.concat([start, Buffer.from(`${text.padEnd(length - 1)}\n`, 'latin1')])
}

/** An answer as a JSON line. A field of the record that has the name of a result is left out. */
function lineOf({ record, results }: Answer): string {
  const kept = record.members.filter(({ key }) => !Object.hasOwn(results, key))
  const own = Object.entries(results).map(([key, value]) => `"${key}":${jsonOf(value)}`)
  return `{${[...kept.map(({ text }) => text), ...own].join(',')}}\n`
}

function jsonOf(value: unknown): string {
  if (typeof value === 'number') return String(shortest(value))
  if (value instanceof Float32Array || Array.isArray(value)) {
    return `[${Array.from(value as ArrayLike<unknown>, jsonOf).join(',')}]`
  }
  const entries = Object.entries(Object(value)).map(([key, one]) => `"${key}":${jsonOf(one)}`)
  return `{${entries.join(',')}}`
}

/** The number of fewest digits that is the same as float32. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits))
    if (Math.fround(rounded) === value) return rounded
  }
  return Number(value.toPrecision(9))
}
