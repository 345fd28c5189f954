import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { openFile } from '#platform'
import { linesIn, type Passage, passageLines } from '../eval/index.ts'
import { findDataSets } from './data-sets.ts'
import { CliError } from './errors.ts'
import { type Io, write } from './io.ts'
import { revisionOption, wholeNumber, withDtypes } from './model.ts'
import { noProgressOption, progressOn } from './progress.ts'
import { loadSearchModel, type SearchModelOptions, writeVectors } from './vector-index.ts'

interface Options extends SearchModelOptions {
  prompt?: string
  progress: boolean
}

const help = `
The corpus is a folder in the layout of BEIR, MIRACL or C-MTEB, or a file of JSON
lines with "_id", "text" and perhaps "title"; each file may be gzip. If an id is
repeated, its last passage counts.

The index has the vectors of all passages in f16 (vectors.f16), their ids, the
settings of the model, and checksums. It may be interrupted at any time: the same
command goes on from there, and the files become the same. An index of another
model, other options or another corpus is refused.

Examples:
  dawnrank index datasets/scifact indexes/scifact
  dawnrank index corpus.jsonl.gz indexes/mine --model BAAI/bge-m3
`

/** Adds `dawnrank index` to the program. */
export function addIndex(program: Command, io: Io): void {
  const command = program
    .command('index')
    .summary('embed a corpus into an index of vectors on disk')
    .description('Embeds the passages of a corpus into an index for dense first stages.')
    .argument('<corpus>', 'folder of a data set, or file of JSON lines')
    .argument('<folder>', 'folder of the index, new or begun')
    .option(
      '-m, --model <model>',
      'folder of the embedder, or its name on the Hugging Face Hub (default: the embedded all-MiniLM-L6-v2)',
    )
    .option(...revisionOption)
  withDtypes(command)
    .option('--prompt <text>', 'text before each passage, in place of the stored prompt')
    .option('--max-length <n>', 'maximum tokens of a passage', wholeNumber)
    .option('--max-batch-tokens <n>', 'maximum tokens of a batch', wholeNumber)
    .option(...noProgressOption)
    .addHelpText('after', help)
    .action((corpus: string, folder: string, options: Options) =>
      indexCorpus(corpus, folder, options, io),
    )
}

async function indexCorpus(place: string, path: string, options: Options, io: Io): Promise<void> {
  const corpus = await corpusAt(place)
  const { prompt, progress: wanted, ...rest } = options
  const progress = progressOn(io, wanted)
  const { model, revision, dtype, activations, matrices, maxBatchTokens, maxLength } = rest
  const loading = { model, revision, dtype, activations, matrices, maxBatchTokens, maxLength }
  const embedder = await loadSearchModel(loading, progress, io)
  try {
    const start = performance.now()
    const { passages, resumed } = await writeVectors(embedder, corpus, path, prompt, progress, io)
    const seconds = (performance.now() - start) / 1000
    const rate =
      passages > resumed ? `, ${((passages - resumed) / seconds).toFixed(1)} a second` : ''
    const kept = resumed > 0 ? `; ${resumed} were there already` : ''
    await write(
      io.stdout,
      `${path}: ${passages} passages, ${embedder.info.dimensions} numbers each, ` +
        `in ${seconds.toFixed(1)} s${rate}${kept}\n`,
    )
  } finally {
    progress.stop()
    embedder.dispose()
  }
}

/** The passages of a corpus, from its start as often as they are asked for. */
async function corpusAt(place: string): Promise<(signal: AbortSignal) => AsyncIterable<Passage>> {
  const info = await stat(place).catch(() => undefined)
  if (info && !info.isDirectory()) {
    if (!info.isFile()) {
      throw new CliError(
        'usage',
        `${place}: is no plain file; the corpus is read twice: copy it to one`,
      )
    }
    return async function* (signal) {
      const source = await openFile(place)
      if (source) yield* passageLines(linesIn(source, signal))
    }
  }
  const [set, ...others] = await findDataSets([place], {})
  if (!set || others.length > 0) {
    throw new CliError('usage', `${place}: holds several data sets; expected one`)
  }
  return (signal) => set.data.passages(signal)
}
