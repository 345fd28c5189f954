import { type Command, Option } from 'commander'
import { describeModel, type ModelDescription } from '../rerankers/describe.ts'
import { openModel } from '../rerankers/open-model.ts'
import { type RecipeName, recipeNames } from '../rerankers/options.ts'
import { type Io, write } from './io.ts'
import { revisionOption } from './model.ts'
import { downloadProgress, noProgressOption, progressOn } from './progress.ts'
import { inMegabytes, table } from './table.ts'

const help = `
Examples:
  dawnrank info models/bge-reranker-v2-m3
  dawnrank info Qwen/Qwen3-Reranker-0.6B --json
`

interface InfoOptions {
  revision?: string
  recipe?: RecipeName
  json: boolean
  progress: boolean
}

/** Adds `dawnrank info` to the program. */
export function addInfo(program: Command, io: Io): void {
  program
    .command('info')
    .summary('describe a model by its files, without loading it')
    .description(
      'Describes a model by its files: architecture, recipe, lengths, sizes, memory by dtype, licence. No weights are loaded.',
    )
    .argument('[model]', 'folder or name of the model (default: an embedded one)')
    .option(...revisionOption)
    .addOption(
      new Option('--recipe <name>', 'the recipe (default: as the publisher of the model)').choices(
        recipeNames,
      ),
    )
    .option('--json', 'print one JSON object', false)
    .option(...noProgressOption)
    .addHelpText('after', help)
    .action((model: string | undefined, options: InfoOptions) => info(model, options, io))
}

async function info(model: string | undefined, options: InfoOptions, io: Io): Promise<void> {
  const { revision, recipe } = options
  const bar = progressOn(io, options.progress)
  let description: ModelDescription
  try {
    const folder = await openModel(model, {
      revision,
      recipe,
      signal: io.signal,
      onProgress: downloadProgress(bar),
    })
    description = await describeModel(folder, recipe)
  } finally {
    bar.stop()
  }
  await write(io.stdout, options.json ? `${JSON.stringify(description)}\n` : inWords(description))
}

function inWords({ memory, sizes, warnings, ...rest }: ModelDescription): string {
  const facts = Object.entries(rest).map(([name, value]) => {
    const text =
      value === undefined ? 'not stated' : Array.isArray(value) ? value.join(', ') : value
    return [name, String(text)]
  })
  const numbers = Object.entries(sizes).map(([name, value]) => [`sizes.${name}`, String(value)])
  const noted = warnings.map((warning) => ['warning', warning])
  const weights = Object.entries(memory).map(([dtype, { device, host }]) => [
    dtype,
    inMegabytes(device),
    inMegabytes(host),
  ])
  const lines = table(['field', 'value'], [...facts, ...numbers, ...noted])
  if (weights.length === 0) return lines
  return `${lines}\n${table(['dtype', 'weights on the device, MB', 'word embedding on the host, MB'], weights)}`
}
