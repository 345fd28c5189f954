// @ts-check
// npm run bench [-- PART...]: speed, next to a peer or a limit measured in the same run.
import { mkdirSync } from 'node:fs'
import { Argument, Command, InvalidArgumentError } from 'commander'
import { benchDecoder, decoders } from './decoders.mjs'
import { benchEncoder } from './encoder.mjs'
import { out } from './turns.mjs'

/** @param {string} text */
function count(text) {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('Expected a whole number from 1 up.')
}

const parts = ['encoder', ...Object.keys(decoders)]

const program = new Command('bench')
  .description(
    'Measures dawnrank: an encoder against onnxruntime-node on the same texts; decoders of the shapes of Gemma and ' +
      'MiniCPM, with what shared prefixes, a cascade and loading to a cutoff layer gain.',
  )
  .addArgument(new Argument('[parts...]', 'what to measure').choices(parts).default(parts))
  .option('--model <model>', 'the encoder: name or folder', 'xlm-roberta-6x384')
  .option('--pairs <n>', "texts of the encoder's workload", count, 32)
  .option('--rounds <n>', 'runs of each contestant, taken in turn', count, 2)
  .option('--published', 'decoders in their published width and depth, 5 GB each: for a GPU')
  .option('--no-peers', 'dawnrank alone')
  .option('--no-install', 'do not install onnxruntime-node where it is missing')
  .parse()
mkdirSync(out, { recursive: true })
/** @type {any} */
const options = program.opts()
for (const part of /** @type {string[]} */ (program.processedArgs[0])) {
  const shape = decoders[part]
  const run = shape ? benchDecoder(part, shape, options) : benchEncoder(options)
  await run.catch((error) => program.error(`bench: ${part}: ${error.message}`))
}
