import {
  copyFile,
  cp,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import {
  Checkpoint,
  type QuantizedCheckpoint,
  type QuantizedDtype,
  quantizeCheckpoint,
} from '../checkpoint/index.ts'
import { openModel } from '../rerankers/open-model.ts'
import { CliError } from './errors.ts'
import { type Io, write } from './io.ts'
import { revisionOption } from './model.ts'
import { writable } from './output.ts'
import {
  bytesProgress,
  downloadProgress,
  megabytes,
  noProgressOption,
  type Progress,
  progressOn,
} from './progress.ts'

interface QuantizeOptions {
  dtype: QuantizedDtype
  embeddings: QuantizedDtype
  revision?: string
  progress: boolean
}

const help = `
The matrices of the layers become integers with a scale and an offset for each
group of 32; word embeddings and the head of a language model become int8 in the
same way, or int4. Positions, norms, biases and classifiers stay in 16 bits (f32 vectors
in 32). The new folder loads like any other and gives the same scores as the old
one with the same --dtype, unless embeddings are int4. No GPU is needed.

Example:
  dawnrank quantize bge-reranker-v2-m3 bge-reranker-v2-m3-int8 --dtype int8
`

/** Adds `dawnrank quantize` to the program. */
export function addQuantize(program: Command, io: Io): void {
  program
    .command('quantize')
    .summary('write a model with its layers in int8 or int4 to a new folder')
    .description('Writes a model with its layers in int8 or int4 to a new folder.')
    .argument('<model>', 'folder of the model, or its name on the Hugging Face Hub')
    .argument('<out>', 'folder to write; it must be new or empty')
    .addOption(
      new Option('--dtype <type>', 'dtype of the layers')
        .choices(['int8', 'int4'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--embeddings <type>', 'dtype of the word embeddings')
        .choices(['int8', 'int4'])
        .default('int8'),
    )
    .option(...revisionOption)
    .option(...noProgressOption)
    .addHelpText('after', help)
    .action((model: string, out: string, options: QuantizeOptions) =>
      quantize(model, resolve(out), options, io),
    )
}

/** Runs `dawnrank quantize`. The folder is named `<out>.part` until it is complete. */
async function quantize(
  model: string,
  out: string,
  { dtype, embeddings, revision, progress }: QuantizeOptions,
  io: Io,
): Promise<void> {
  const exists = await isEmptyFolder(out)
  const bar = progressOn(io, progress)
  const folder = await openModel(model, {
    revision,
    signal: io.signal,
    onProgress: downloadProgress(bar),
  }).finally(() => bar.stop())
  const checkpoint = await Checkpoint.open(folder)
  try {
    const plan = quantizeCheckpoint(checkpoint, dtype, embeddings)
    const part = `${out}.part`
    await writable(part, mkdir(dirname(part), { recursive: true }))
    await newFolder(part)
    try {
      await copyOthers(folder.path ?? folder.name, part)
      await writable(part, writeFile(join(part, 'config.json'), plan.config))
      await writeWeights(join(part, 'model.safetensors'), plan, bar, io.signal)
      // Not every system renames to a folder that is there.
      if (exists) await writable(out, rmdir(out))
      await writable(out, rename(part, out))
    } catch (error) {
      await rm(part, { recursive: true })
      throw error
    }
    bar.stop()
    const before = Array.from(checkpoint.tensors.values()).reduce(
      (sum, { bytes }) => sum + bytes,
      0,
    )
    const sizes = `${megabytes(before)} MB of weights are now ${megabytes(plan.bytes)} MB`
    await write(io.stdout, `${out}: ${plan.matrices} matrices in ${dtype}; ${sizes}\n`)
  } finally {
    bar.stop()
    await checkpoint.close()
  }
}

/** Creates the temporary folder. It may already exist because of another run. */
async function newFolder(path: string): Promise<void> {
  await mkdir(path).catch((cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === 'EEXIST'
        ? 'is there already, from a run that goes on or was cut off; remove it unless one goes on'
        : `cannot be written (${cause.code})`
    throw new CliError('output-unwritable', `${path}: ${why}`, { cause })
  })
}

/** Whether there is a folder, which must then be empty. */
async function isEmptyFolder(path: string): Promise<boolean> {
  const entries = await readdir(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined
    throw new CliError('output-unwritable', `${path}: is no folder (${cause.code})`, { cause })
  })
  if (!entries) return false
  if (entries.length === 0) return true
  throw new CliError(
    'output-unwritable',
    `${path}: has ${entries.length} files already, such as ${entries[0]}; expected a new or an empty folder`,
  )
}

/** Weights in any format, and their indexes. */
const weightFiles = /\.(safetensors|bin|pt|pth|h5|msgpack|onnx|gguf)$|\.index\.json$/

/** The heads of bge-m3, which stay as they are. */
const headFiles = /^(sparse|colbert)_linear\.(safetensors|pt)$/

/** The folders of sentence-transformers' modules. */
const moduleFolders = /^\d+_[A-Z]\w*$/

/** Copies the files of a folder that are neither weights nor config.json: tokenizer, pooling, self-test, licence. */
async function copyOthers(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from)) {
    const source = join(from, entry)
    const isWeights = weightFiles.test(entry) && !headFiles.test(entry)
    if (entry === 'config.json' || isWeights) continue
    const target = join(to, entry)
    const found = await stat(source)
    if (found.isFile()) await writable(target, copyFile(source, target))
    else if (found.isDirectory() && moduleFolders.test(entry)) {
      await writable(target, cp(source, target, { recursive: true }))
    }
  }
}

async function writeWeights(
  path: string,
  plan: QuantizedCheckpoint,
  bar: Progress,
  signal: AbortSignal,
): Promise<void> {
  const file = await writable(path, open(path, 'wx'))
  try {
    const show = bytesProgress(bar, 'quantizing')
    let done = 0
    for await (const bytes of plan.pieces()) {
      signal.throwIfAborted()
      await writable(path, file.appendFile(bytes))
      done += bytes.length
      show({ done, total: plan.bytes })
    }
  } finally {
    await file.close()
  }
}
