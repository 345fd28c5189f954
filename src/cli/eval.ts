import { basename } from 'node:path'
import type { Command } from 'commander'
import {
  cascadeScores,
  evaluateRerank,
  type Measure,
  type RerankEvaluation,
  type Scorer,
  type Values,
} from '../eval/index.ts'
import { modelFiles } from './fingerprint.ts'
import type { CliReranker } from './io.ts'
import { type Io, write } from './io.ts'
import {
  type LayerOptions,
  type ModelOptions,
  scoreSettings,
  wholeNumber,
  withDevices,
  withLayerOptions,
  withModel,
  withModelOptions,
} from './model.ts'
import { ofRecord, refusal } from './refusal.ts'
import { diskRunFile, type RunOptions, readEvaluationData, withRunOptions } from './run-file.ts'
import { table } from './table.ts'

interface EvalOptions extends ModelOptions, LayerOptions, RunOptions {
  data: string
  run: string
  out?: string
  json: boolean
}

const help = `
The data is a folder in BEIR's format: corpus.jsonl, queries.jsonl and
qrels/test.tsv, each plain or .gz. A line of judgements has query id, document
id and grade, separated by tabs, with or without a header, or TREC's four
columns. If an id or a judgement is repeated, the last one counts, as in BEIR.

The run is a first stage in TREC's format: query Q0 document rank score tag.
Each file may be a pipe; --run - reads stdin.

Documents with the id of their query (in ArguAna and Quora the text of the query
itself) are removed from the first stage before it is cut to --top, as in BEIR;
--keep-identical-ids keeps them. Documents below the first --top of a query keep
their order below the reranked ones.

With --out, each query is written when it is done. Run the same command again to
continue after an interruption.

With --cascade, dropped passages are ranked below the others, in the order of
the cascade. Their scores in the output are shifted for that; the scores of the
last stage are the model's.

Example:
  dawnrank eval --data squad-dev-hard --run squad-dev-hard/bm25.trec --top 20 \\
    --out reranked.trec
`

/** Adds `dawnrank eval` to the program. */
export function addEval(program: Command, io: Io): void {
  const command = program
    .command('eval')
    .summary('measure a model by reranking a first-stage run')
    .description('Reranks a first-stage run and measures both: nDCG, MRR, recall, hit rate.')
    .requiredOption('-d, --data <folder>', "data in BEIR's format")
    .requiredOption('-r, --run <file>', 'the first-stage run')
    .option('-n, --top <k>', 'how many documents of each query to rerank', wholeNumber, 100)
    .option('-o, --out <file>', 'write the reranked run to this file, or continue it')
    .option('--json', 'print the result as JSON', false)
  withDevices(withModelOptions(withLayerOptions(withRunOptions(command))))
    .addHelpText('after', help)
    .action((options: EvalOptions) => evaluateModel(options, io))
}

/** Runs `dawnrank eval`. */
async function evaluateModel(options: EvalOptions, io: Io): Promise<void> {
  const firstStage = await readEvaluationData(options.data, options.run, options, io)
  const { run } = firstStage
  io.signal.throwIfAborted()

  await withModel(options, io, async (reranker, progress) => {
    const output = options.out === undefined ? undefined : diskRunFile(options.out)
    const start = performance.now()
    let done = 0
    progress.start('reranking', run.size)
    try {
      const result = await evaluateRerank({
        ...firstStage,
        measures: measuresFor(options.top),
        score: scorerOf(reranker, options, io),
        tag: `dawnrank-${basename(reranker.info.model).replace(/\s/g, '_')}`,
        signal: io.signal,
        ...(output && { output, settings: await settingsOf(options, reranker) }),
        onProgress: ({ before, after, ...state }) => {
          done = state.done
          progress.update(done, `nDCG@10 ${shown(before['nDCG@10'])} -> ${shown(after['nDCG@10'])}`)
        },
      })
      progress.stop()
      const seconds = (performance.now() - start) / 1000
      await write(io.stdout, (options.json ? asJson : asText)(result, options, reranker, seconds))
    } catch (error) {
      progress.stop()
      if (io.signal.aborted && output) {
        const text = `${done} of ${run.size} queries are in ${output.name}; the same command goes on from there\n`
        await write(io.stderr, text)
      }
      throw error
    }
  })
}

/** The scores of a query: the model's, or scores in the order of a cascade. */
export function scorerOf(
  reranker: CliReranker,
  { cascade }: Pick<LayerOptions, 'cascade'>,
  { signal }: { readonly signal?: AbortSignal },
): Scorer {
  const scores = async (query: string, texts: readonly string[]) =>
    cascade
      ? cascadeScores(await reranker.rank(query, texts, { cascade, signal }))
      : await reranker.computeScore(
          texts.map((text) => [query, text]),
          { signal },
        )
  return (query, texts, ids) =>
    scores(query, texts).catch((error: unknown) => {
      if (!ofRecord(error)) throw error
      const document = (i: number) => `, document "${ids.documents[i]}"`
      throw refusal(error, (i) => `query "${ids.query}"${i === undefined ? '' : document(i)}`)
    })
}

/** The usual cutoffs, and recall@K, which is the upper bound for a reranker of the first K. */
function measuresFor(top: number): Measure[] {
  const measures: Measure[] = ['nDCG@10', 'MRR@10', 'hit@10', 'recall@10']
  return top === 10 ? measures : [...measures, `recall@${top}`]
}

/**
 * Everything that the scores depend on, so that an output run is never mixed. The batch size is not included: no score
 * depends on the rest of its batch.
 */
async function settingsOf(options: EvalOptions, reranker: CliReranker) {
  return {
    model: basename(reranker.info.model),
    modelFiles: await modelFiles(reranker.info),
    dtype: reranker.info.dtype,
    activations: reranker.info.activations,
    ...scoreSettings(options),
    ...(options.keepIdenticalIds && { keepIdenticalIds: true }),
  }
}

const shown = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(4))

function stagesText(options: EvalOptions): string {
  const { cutoffLayer, cascade } = scoreSettings(options)
  if (cascade !== undefined) return `, cascade ${cascade},`
  return cutoffLayer === undefined ? '' : `, layer ${cutoffLayer},`
}

function asText(
  { before, after, resumed, pairs, leftOut }: RerankEvaluation,
  options: EvalOptions,
  reranker: CliReranker,
  seconds: number,
): string {
  const names = Object.keys(before.mean)
  const row = (title: string, { mean }: { mean: Values }) => [
    title,
    ...names.map((name) => shown(mean[name])),
  ]
  const speed = pairs > 0 ? `, ${(pairs / seconds).toFixed(1)} pairs/s` : ''
  const kept = resumed > 0 ? `; ${resumed} queries were in ${options.out} already` : ''
  return (
    `${basename(options.data)}: ${before.queries} judged queries; ` +
    `${basename(reranker.info.model)}${stagesText(options)} on the first ${options.top} of ${basename(options.run)}\n\n` +
    table(['', ...names], [row('first stage', before), row('reranked', after)]) +
    `\n${pairs} pairs in ${seconds.toFixed(1)} s${speed}${kept}\n` +
    (leftOut > 0 ? `left out: ${leftOut} documents that have the id of their query\n` : '')
  )
}

function asJson(
  { before, after, resumed, pairs, leftOut }: RerankEvaluation,
  options: EvalOptions,
  reranker: CliReranker,
  seconds: number,
): string {
  const { data, run, top } = options
  const report = {
    data,
    run,
    model: reranker.info.model,
    dtype: reranker.info.dtype,
    activations: reranker.info.activations,
    ...scoreSettings(options),
    top,
    queries: before.queries,
    firstStage: before.mean,
    reranked: after.mean,
    pairs,
    resumed,
    identicalIdsLeftOut: leftOut,
    seconds,
  }
  return `${JSON.stringify(report, null, 2)}\n`
}
