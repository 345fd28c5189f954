import { type Command, Option } from 'commander'
import { overlap } from '../eval/index.ts'
import type { LayerwiseRankOptions } from '../rerankers/index.ts'
import { CliError } from './errors.ts'
import { type Input, openInput, readPassages } from './input.ts'
import type { CliReranker, Io } from './io.ts'
import {
  type LayerOptions,
  type ModelOptions,
  wholeNumber,
  withLayerOptions,
  withModel,
  withModelOptions,
} from './model.ts'
import { answerPrinter, type Format, formatFor, printRanked } from './print.ts'
import type { Progress } from './progress.ts'
import { type Answer, type AnswerFields, answerGroup, type Group, groupRecords } from './records.ts'
import { ofRecord, refusal } from './refusal.ts'

interface RerankOptions extends ModelOptions, LayerOptions {
  query?: string
  file?: string
  top?: number
  normalize: boolean
  format?: Format
  resultsField: string
  scoreField: string
  onError: 'stop' | 'skip'
}

const help = `
Three ways to give the input:
  query and passages as arguments
      dawnrank rerank "what is panda?" "hi" "The giant panda is a bear." "Paris is in France."
  the query as an argument, one passage a line (blank lines are skipped)
      dawnrank rerank -q "what is panda?" --file passages.txt --top 3
      grep -h panda *.txt | dawnrank rerank -q "what is panda?"
  JSON lines, of any number and length; answers come in the same order, as soon as they are there
      {"query": "what is panda?", "passages": ["hi", "The giant panda is a bear."]}
      {"query": "what is panda?", "passage": "The giant panda is a bear.", "id": 7}
      dawnrank rerank --file records.jsonl > answers.jsonl
      Other fields of a record, such as an id, are handed through as they are written. A record that has a field of
      the answer's name, "results" of a list or "score" of a pair, is refused: --results-field and --score-field
      give the answer's another name.
      A record that is malformed, or that the model refuses, ends the command after the answers before it. With
      --on-error skip it goes on: in place of the answer stands the record with "error": {"line", "code", "message"}
      (without its fields where one is called "error"), and the exit code at the end is 1.

Files are UTF-8 text, plain or gzip (also of several members), or pipes: <(…), /dev/stdin, named ones, - for stdin.

Scores are the model's logits, larger being better; --normalize puts them between 0 and 1.

A layerwise model has a score at many layers, the earlier ones cheaper and coarser; rows then tell their layer:
      dawnrank rerank --cutoff-layer 16 --model folder --file records.jsonl
      dawnrank rerank --cascade 12:40,20:15,28 --model folder --file records.jsonl
Of a cascade, the passages that left follow those that stayed, later leavers first. A record with a single passage
has the last stage's score. "dawnrank layers" shows what each layer of a model is worth.
`

/** Adds `dawnrank rerank` to the program. */
export function addRerank(program: Command, io: Io): void {
  const command = program
    .command('rerank')
    .summary('rank passages by their relevance to a query')
    .description('Ranks passages by their relevance to a query, best first.')
    .argument('[query]', 'the query')
    .argument('[passages...]', 'the passages')
    .option('-q, --query <text>', 'the query; all arguments are then passages')
    .option('-f, --file <file>', 'read from this file or pipe (plain or gzip) instead of stdin')
    .option('-n, --top <n>', 'give only the n best passages of each query', wholeNumber)
    .option('--normalize', 'scores between 0 and 1, by the sigmoid', false)
    .addOption(
      new Option(
        '--format <format>',
        'form of the output (default: table on a terminal, else jsonl)',
      ).choices(['table', 'json', 'jsonl']),
    )
    .addOption(
      new Option('--on-error <what>', 'what happens at a JSON line that cannot be answered')
        .choices(['stop', 'skip'])
        .default('stop'),
    )
    .option('--results-field <name>', "the answer's field in a JSON line with a list", 'results')
    .option('--score-field <name>', "the answer's field in a JSON line with a pair", 'score')
  withModelOptions(withLayerOptions(command))
    .addHelpText('after', help)
    .action((first: string | undefined, others: string[], options: RerankOptions) => {
      const given = first === undefined ? [] : [first, ...others]
      return rerank(options.query ?? given.shift(), given, options, io)
    })
}

/** Runs `dawnrank rerank`. */
async function rerank(
  query: string | undefined,
  passages: readonly string[],
  options: RerankOptions,
  io: Io,
): Promise<void> {
  if (passages.length > 0) {
    if (options.file !== undefined) {
      throw new CliError('usage', 'passages come either as arguments or by --file, not both')
    }
    return rerankList(query!, passages, options, io)
  }
  const wanted = query === undefined ? 'a query and passages' : 'passages'
  const input = await openInput(options.file, wanted, io)
  try {
    if (query === undefined) return await rerankRecords(input, options, io)
    const lines = await readPassages(input)
    const texts = lines.map(({ text }) => text)
    await rerankList(query, texts, options, io).catch((error: unknown) => {
      if (!ofRecord(error)) throw error
      throw refusal(error, (i) =>
        i === undefined ? input.name : `${input.name}:${lines[i]?.number}`,
      )
    })
  } finally {
    await input.close()
  }
}

const callOptions = (
  { top, normalize, cascade }: RerankOptions,
  { signal }: Io,
): LayerwiseRankOptions<string> => ({
  topN: top,
  normalize,
  cascade,
  signal,
})

async function rerankList(
  query: string,
  passages: readonly string[],
  options: RerankOptions,
  io: Io,
): Promise<void> {
  const ranked = await withModel(options, io, (reranker, progress) => {
    progress.start('reranking', passages.length)
    // A cascade counts a passage once for each of its stages.
    const onProgress = ({ done, total }: { done: number; total: number }) =>
      progress.update(Math.floor((done / total) * passages.length))
    return reranker.rank(query, passages, { ...callOptions(options, io), onProgress })
  })
  await printRanked(query, ranked, formatFor(options.format, io), io)
}

function rerankRecords(input: Input, options: RerankOptions, io: Io): Promise<void> {
  const fields: AnswerFields = { results: options.resultsField, score: options.scoreField }
  return withModel(options, io, async (reranker: CliReranker, progress: Progress) => {
    const printer = answerPrinter(formatFor(options.format, io), fields, io)
    let done = 0
    let skipped = 0
    /** Prints answers; without --on-error skip up to the first fault, which it throws. */
    const print = async (answers: readonly Answer[]) => {
      const isFailed = (answer: Answer) => 'failed' in answer
      const stop = options.onError === 'stop' ? answers.find(isFailed) : undefined
      await printer.print(stop ? answers.slice(0, answers.indexOf(stop)) : answers)
      done += answers.length
      skipped += answers.filter(isFailed).length
      if (!stop || !('failed' in stop)) return
      await printer.end()
      throw stop.failed.fault
    }
    // On a terminal the answers themselves show how far the work is.
    if (!io.stdout.isTTY && input.size !== undefined) progress.start('reranking', input.size)
    for await (const lines of input.batches()) {
      const all = groupRecords(lines, input.name, fields)
      const failed = options.onError === 'stop' ? all.findIndex((group) => 'failed' in group) : -1
      const groups = failed < 0 ? all : all.slice(0, failed + 1)
      const answer = (group: Group) => answerGroup(group, reranker, callOptions(options, io))
      for await (const answers of overlap(groups, answer)) await print(answers)
      progress.update(lines.at(-1)!.end)
    }
    await printer.end()
    if (skipped === 0) return
    throw new CliError(
      'records-failed',
      `${input.name}: ${skipped} of ${done} records were not answered; "error" in their places tells why`,
    )
  })
}
