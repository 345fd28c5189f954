// @ts-check
// npm run bench [-- PART...]: speed, next to a peer or a limit measured in the same run.
import { mkdirSync } from 'node:fs'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { benchConcurrency } from './concurrency.mjs'
import { benchDecoder, decoders } from './decoders.mjs'
import { benchDevices } from './devices.mjs'
import { benchEncoder } from './encoder.mjs'
import { encoderShapes } from './encoder-shapes.mjs'
import { benchGpu } from './gpu.mjs'
import { benchKernels } from './kernels.mjs'
import { Recorder } from './record.mjs'
import { benchScaling } from './scaling.mjs'
import { benchServer } from './server.mjs'
import { benchStartup } from './startup.mjs'
import { benchTokenizers } from './tokenizers.mjs'
import { out } from './turns.mjs'
import { benchWeb } from './web.mjs'

/** @param {string} text */
function count(text) {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('Expected a whole number from 1 up.')
}

/** @type {Record<string, (recorder: Recorder, options: any) => Promise<void>>} */
const parts = {
  kernels: benchKernels,
  encoder: benchEncoder,
  scaling: benchScaling,
  concurrency: benchConcurrency,
  devices: benchDevices,
  server: benchServer,
  startup: benchStartup,
  ...Object.fromEntries(
    Object.entries(decoders).map(([name, shape]) => [
      name,
      (/** @type {Recorder} */ recorder, /** @type {any} */ options) =>
        benchDecoder(recorder, name, shape, options),
    ]),
  ),
  tokenizers: benchTokenizers,
  web: benchWeb,
  gpu: benchGpu,
}

/** What runs only when it is named: `gpu` makes 10 GB of weights, `web` needs a Chromium. */
const unusual = ['gpu', 'web']
const usual = Object.keys(parts).filter((name) => !unusual.includes(name))

const program = new Command('bench')
  .description('Measures dawnrank next to its peers and the limits of the adapter, in turns.')
  .addHelpText(
    'after',
    `
Parts:
  kernels     linear kernels alone, next to the adapter's arithmetic ceiling and memory bandwidth and to onnxruntime's MatMul
  encoder     texts to scores next to onnxruntime-node and PyTorch, cold and warm, and a profile by operation
  scaling     time per token against the number of pairs and their length
  concurrency many short calls at once, which share batches, next to the same one after another
  devices     two devices of one process next to one, the same scores
  server      dawnrank serve next to the library: 64 clients, aborts, overload; what shared batches gain
  startup     process start to first score next to onnxruntime-node and transformers.js, cold and warm shader cache
  gemma, minicpm, qwen3
              decoder shapes: what shared prefixes, a cascade and loading to a cutoff layer gain
  tokenizers  texts to ids next to sentencepiece-js and Hugging Face's tokenizers
  web         the browser page in Chromium from its opening to its first score, cold and warm, only when named
  gpu         for a GPU, only when named: differences by dtype, v2-m3, Gemma and MiniCPM at 100 passages of 128 to 512
              tokens, kernels, profile, PyTorch on CUDA beside; writes bench/out/gpu.md and gpu.json
Each part keeps its figures in bench/out/PART.json, those of an encoder in PART-MODEL.json; run.json has all of the run.`,
  )
  .addArgument(
    new Argument('[parts...]', 'what to measure; all but gpu if none is named')
      .choices(Object.keys(parts))
      .default(usual, 'all but gpu and web'),
  )
  .addOption(
    new Option('--shape <shape>', 'the encoder by shape, with random weights')
      .choices(Object.keys(encoderShapes))
      .default('6x384'),
  )
  .addOption(
    new Option('--model <model>', 'the encoder by name or folder in its place').conflicts('shape'),
  )
  .option('--pairs <n>', 'texts of the part encoder', count, 32)
  .option('--rounds <n>', 'runs of each contestant, taken in turn', count, 2)
  .option('--quick', 'fewer and smaller points in the parts scaling and gpu')
  .option('--against <file>', 'compare with the file that an earlier run kept')
  .option('--published', 'decoders in their published width and depth, 5 GB each: for a GPU')
  .option(
    '--peak <tflops>',
    'peak of the GPU in TFLOP/s for shares of it (default: measured)',
    Number,
  )
  .option('--python <python>', 'an interpreter that has the package tokenizers, to measure it too')
  .option('--gemma <file>', 'a tokenizer.json of Gemma, or "fetch", to measure its vocabulary too')
  .option('--texts <files...>', 'files to tokenize: .jsonl with "text", or a text a line')
  .option('--no-peers', 'dawnrank alone')
  .option('--no-install', 'do not install peers where they are missing')
  .parse()
mkdirSync(out, { recursive: true })
/** @type {any} */
const options = program.opts()
const named = /** @type {string[]} */ (program.processedArgs[0])
const why = (/** @type {unknown} */ error) => (error instanceof Error ? error.message : error)

function makeRecorder() {
  try {
    return new Recorder(named, options.against)
  } catch (error) {
    return program.error(`bench: ${why(error)}`)
  }
}

const recorder = makeRecorder()
let failures = 0
for (const part of named) {
  try {
    await parts[part]?.(recorder, options)
  } catch (error) {
    console.error(`bench: ${part}: ${why(error)}`)
    failures++
  }
}
// Contestants of a part that failed may still wait for their turn.
process.exit(failures > 0 ? 1 : 0)
