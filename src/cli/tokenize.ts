import type { Command } from 'commander'
import { defaultModel } from './default-model.ts'
import { type Io, write } from './io.ts'
import { type ModelOptions, withModel, withModelOptions } from './model.ts'
import { table } from './table.ts'

const help = `
Example:
  dawnrank tokenize "what is panda?" "The giant panda is a bear."
`

/** Adds `dawnrank tokenize` to the program. */
export function addTokenize(program: Command, io: Io): void {
  const command = program
    .command('tokenize')
    .summary('print the token ids and pieces of the input for a pair')
    .description(
      'Prints the token ids and pieces of the input for a pair; with --window those of each window.',
    )
    .argument('<query>', 'the query')
    .argument('<passage>', 'the passage')
    .option('--json', 'print {"query", "passage", "ids", "pieces"}, a line for each window', false)
  withModelOptions(command)
    .addHelpText('after', help)
    .action((query: string, passage: string, options: ModelOptions & { json: boolean }) =>
      tokenize(query, passage, options, io),
    )
}

/** Runs `dawnrank tokenize`. */
async function tokenize(
  query: string,
  passage: string,
  options: ModelOptions & { json: boolean },
  io: Io,
): Promise<void> {
  const model = await defaultModel(options, io).choose(() => ({
    queries: [query],
    passages: [passage],
  }))
  const windows = await withModel({ ...options, model }, io, async (reranker) =>
    reranker
      .tokenizeWindows(query, passage)
      .map((ids) => ({ ids, pieces: reranker.tokenizer.pieces(ids) })),
  )
  const texts = windows.map(({ ids, pieces }) =>
    options.json
      ? `${JSON.stringify({ query, passage, ids, pieces })}\n`
      : table(
          ['position', 'id', 'piece'],
          ids.map((id, i) => [String(i), String(id), pieces[i]!]),
        ),
  )
  await write(io.stdout, texts.join(options.json ? '' : '\n'))
}
