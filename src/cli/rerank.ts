import { type Command, Option } from 'commander'
import { overlap } from '../eval/index.ts'
import type { Texts } from '../languages/models.ts'
import type { LayerwiseRankOptions } from '../rerankers/index.ts'
import { defaultModel } from './default-model.ts'
import { CliError } from './errors.ts'
import { type Input, openInput, readPassages } from './input.ts'
import type { CliReranker, Io } from './io.ts'
import {
  type LayerOptions,
  type ModelOptions,
  wholeNumber,
  withDevices,
  withLayerOptions,
  withModel,
  withModelOptions,
} from './model.ts'
import { answerPrinter, type Format, formatFor, printRanked } from './print.ts'
import type { Progress } from './progress.ts'
import {
  type Answer,
  type AnswerFields,
  answerGroup,
  type Group,
  groupRecords,
  type ListRecord,
  type PairRecord,
} from './records.ts'
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
Input, in one of three ways:
  query and passages as arguments
      dawnrank rerank "what is panda?" "hi" "The giant panda is a bear."
  the query as an argument, one passage per line (blank lines are skipped)
      dawnrank rerank -q "what is panda?" --file passages.txt --top 3
      grep -h panda *.txt | dawnrank rerank -q "what is panda?"
  JSON lines of any number and length; answers come in the same order,
  each as soon as it is ready
      {"query": "what is panda?", "passages": ["hi", "The panda is a bear."]}
      {"query": "what is panda?", "passage": "The panda is a bear.", "id": 7}
      dawnrank rerank --file records.jsonl > answers.jsonl

Other fields of a record, such as an id, are printed as they were written. A
record is rejected if it already has the field of the answer ("results" for a
list, "score" for a pair); --results-field and --score-field rename that field.

A record that is malformed, or that the model rejects, stops the command after
the answers before it. With --on-error skip the command continues and prints the
record with "error": {"line", "code", "message"} in place of the answer (without
its other fields if one of them is named "error"). The exit code is then 1.

Files are UTF-8 text, plain or gzip (also with several members), or pipes: <(…),
/dev/stdin, named pipes, - for stdin.

Scores are the model's logits; larger is better. --normalize maps them to 0..1.

A layerwise model has a score at several layers. Lower layers are faster and
less accurate. Each row then names its layer:
      dawnrank rerank --cutoff-layer 16 --model folder --file in.jsonl
      dawnrank rerank --cascade 12:40,20:15,28 --model folder --file in.jsonl
Passages that a cascade drops are ranked below those that stay; of the dropped,
the later come first. A record with a single passage gets the score of the last
stage. "dawnrank layers" compares the layers of a model.
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
    .option('-n, --top <n>', 'print only the n best passages of each query', wholeNumber)
    .option('--normalize', 'print the sigmoid of each score, between 0 and 1', false)
    .addOption(
      new Option(
        '--format <format>',
        'output format (default: table on a terminal, else jsonl)',
      ).choices(['table', 'json', 'jsonl']),
    )
    .addOption(
      new Option('--on-error <what>', 'what to do at a JSON line that cannot be answered')
        .choices(['stop', 'skip'])
        .default('stop'),
    )
    .option('--results-field <name>', "the answer's field in a JSON line with a list", 'results')
    .option('--score-field <name>', "the answer's field in a JSON line with a pair", 'score')
  withDevices(withModelOptions(withLayerOptions(command)))
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
  const byDefault = defaultModel(options, io)
  const model = await byDefault.choose(() => ({ queries: [query], passages }))
  await byDefault.warn([query])
  const ranked = await withModel({ ...options, model }, io, (reranker, progress) => {
    progress.start('reranking', passages.length)
    // A cascade counts a passage once for each of its stages.
    const onProgress = ({ done, total }: { done: number; total: number }) =>
      progress.update(Math.floor((done / total) * passages.length))
    return reranker.rank(query, passages, { ...callOptions(options, io), onProgress })
  })
  await printRanked(query, ranked, formatFor(options.format, io), io)
}

/** The texts of groups. */
const textsOf = (groups: readonly Group[]): Texts => {
  const records = groups.flatMap((group): readonly (ListRecord | PairRecord)[] => {
    if ('failed' in group) return []
    return 'list' in group ? [group.list] : group.pairs
  })
  return {
    queries: records.map(({ query }) => query),
    passages: records.flatMap((one) => ('passages' in one ? one.passages : [one.passage])),
  }
}

/** The first item, where there is one, and all of them. */
async function peek<T>(items: AsyncIterable<T>): Promise<[T | undefined, AsyncIterable<T>]> {
  const iterator = items[Symbol.asyncIterator]()
  const first = await iterator.next()
  async function* all() {
    try {
      if (first.done) return
      yield first.value
      yield* { [Symbol.asyncIterator]: () => iterator }
    } finally {
      await iterator.return?.()
    }
  }
  return [first.done ? undefined : first.value, all()]
}

async function rerankRecords(input: Input, options: RerankOptions, io: Io): Promise<void> {
  const fields: AnswerFields = { results: options.resultsField, score: options.scoreField }
  const byDefault = defaultModel(options, io)
  let batches = input.batches()
  const model = await byDefault.choose(async () => {
    const [first = [], all] = await peek(batches)
    batches = all
    return textsOf(groupRecords(first, input.name, fields))
  })
  return withModel({ ...options, model }, io, async (reranker: CliReranker, progress: Progress) => {
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
    // On a terminal the answers show the progress.
    if (!io.stdout.isTTY && input.size !== undefined) progress.start('reranking', input.size)
    for await (const lines of batches) {
      const all = groupRecords(lines, input.name, fields)
      await byDefault.warn(textsOf(all).queries)
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
      `${input.name}: ${skipped} of ${done} records have no answer; their "error" says why`,
    )
  })
}
