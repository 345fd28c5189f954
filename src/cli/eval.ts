import { join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  evaluateRerank,
  type FirstStage,
  type Measure,
  parseMeasure,
  type RerankProgress,
} from '../eval/index.ts'
import { findDataSets } from './data-sets.ts'
import { CliError } from './errors.ts'
import { printReport, writeReports } from './eval-output.ts'
import type { Ranker, RankerOptions } from './eval-ranker.ts'
import { checkServices, rankerSpecs, withRanker } from './eval-rankers.ts'
import {
  type EvalReport,
  oneAsJson,
  oneAsText,
  rerankReport,
  type SetResult,
  shown,
} from './eval-report.ts'
import { measureRuns } from './eval-runs.ts'
import { withServiceOptions } from './eval-services.ts'
import { type EvaluationSet, evaluationSets, type SetOptions } from './eval-sets.ts'
import { publishedText } from './eval-text.ts'
import { exclusively } from './exclusive.ts'
import { withFirstStages } from './first-stages.ts'
import { type Io, write } from './io.ts'
import {
  revisionOption,
  wholeNumber,
  withDevices,
  withLayerOptions,
  withLoadingOptions,
} from './model.ts'
import { checkDistinct, checkOutput } from './output.ts'
import { noProgressOption } from './progress.ts'
import { type FamilyName, publishedFamilies } from './published-sets.ts'
import { publishedTables } from './published-tables.ts'
import { openRunOutput, withRunOptions } from './run-file.ts'

/** The options of `dawnrank eval`. */
export interface EvalOptions extends RankerOptions, SetOptions {
  model?: readonly string[]
  measures?: readonly Measure[]
  out?: string
  json: boolean
  report: readonly string[]
  table?: FamilyName
  runsOnly: boolean
  resamples: number
  seed: number
}

/** The same before the data sets of a published table are looked for. */
type GivenOptions = Omit<EvalOptions, 'data'> & Partial<Pick<EvalOptions, 'data'>>

const help = `
Data sets are folders in the layout of BEIR (corpus.jsonl, queries.jsonl and
qrels/test.tsv), MIRACL (topics, qrels and docs-0.jsonl, …) or C-MTEB (qrels.jsonl),
or files: C-MTEB's sets for rerankers (.jsonl with query, positive and negative)
and llama-index's (.json). Each file may be gzip. A folder of data sets stands for
each of them. With --root, names such as beir/scifact/test are looked up there.

A line of judgements has query id, document id and grade, separated by tabs, with
or without a header, or TREC's four columns. If an id or a judgement is repeated,
the last one counts, as in BEIR.

The run is a first stage in TREC's format: query Q0 document rank score tag. Each
file may be a pipe; --run - reads stdin. For several data sets give one name that
each folder has, a path with {data} for the name of the data set, or one run for
each. Several runs may be given for one data set.

A first stage may also be made here: --first-stage bm25, dense (vectors of the
embedded all-MiniLM-L6-v2, or dense:MODEL), index:FOLDER (vectors of dawnrank
index), hybrid (bm25 and dense, by reciprocal rank fusion; or hybrid:A+B with
others), multi:MODEL (bge-m3's three scores of what its vectors find). It gives
the best 100, or --top, of each judged query. Keep the vectors with --indexes: an
interrupted command then goes on with them.

Several models are compared on the same first stage. MODEL@28 is a layerwise
model at layer 28, MODEL@12:40,28 a cascade. A model may be a service:
cohere:MODEL, jina:MODEL, voyage:MODEL, openai:EMBEDDER, or a URL that ends in
/rerank or /embeddings, with #MODEL after it. Keys come from CO_API_KEY,
JINA_API_KEY, VOYAGE_API_KEY, OPENAI_API_KEY and, for a URL, DAWNRANK_API_KEY.
The cost is estimated before the work; each answer is kept and billed once.

Documents with the id of their query (in ArguAna and Quora the text of the query
itself) are removed from the first stage before it is cut to --top, as in BEIR;
--keep-identical-ids keeps them. Documents below the first --top of a query keep
their order below the reranked ones.

With --out, each query is written when it is done. Run the same command again to
continue after an interruption. For several sets or models it is a folder, with
a run for each set and model.

Intervals are 95% bootstrap intervals (BCa) over queries. Systems are compared by
paired randomization tests, their p-values adjusted by Holm's method.

With --cascade, dropped passages are ranked below the others, in the order of
the cascade. Their scores in the output are shifted for that; the scores of the
last stage are the model's.

Examples:
  dawnrank eval --data squad-dev-hard --run squad-dev-hard/bm25.trec --top 20 \\
    --out reranked.trec
  dawnrank eval --root datasets --data beir/scifact/test beir/nfcorpus/test \\
    --run bm25.trec --model BAAI/bge-reranker-base BAAI/bge-reranker-v2-m3 \\
    --out runs --report report.html report.json
  dawnrank eval --data scifact --run bm25.trec --top 50 --max-cost 2 \\
    --model BAAI/bge-reranker-v2-m3 cohere:rerank-v3.5
  dawnrank eval --data qrels.txt --run a.trec b.trec --runs-only
`

/** Adds `dawnrank eval` to the program. */
export function addEval(program: Command, io: Io): void {
  const command = program
    .command('eval')
    .summary('measure models by reranking first-stage runs')
    .description(
      'Reranks first-stage runs and measures both: nDCG, MRR, MAP, recall, precision, hit rate.',
    )
    .option('-d, --data <places...>', 'data sets: folders, files, or names under --root')
    .option('-r, --run <files...>', 'the first-stage runs')
    .option('-n, --top <k>', 'how many documents of each query to rerank', wholeNumber, 100)
    .option(
      '-m, --model <models...>',
      'folders of models, or their names on the Hugging Face Hub (default: an embedded one)',
      modelNames,
    )
    .option(...revisionOption)
    .option(
      '--measures <names...>',
      'such as nDCG@10 MAP recall@100 (default: nDCG@10, MRR@10, hit@10, recall@10 and recall@K of --top)',
      measureNames,
    )
    .option('-o, --out <path>', 'write the reranked run to this file, or continue it')
    .option('--json', 'print the result as JSON', false)
    .option(
      '--report <files...>',
      'write reports: .json, .md or .html with charts',
      reportNames,
      [],
    )
    .addOption(
      new Option(
        '--table <name>',
        'put the figures into a published table; without --data, its data sets under --root are measured',
      ).choices(Object.keys(publishedFamilies)),
    )
    .option('--runs-only', 'measure the runs as they are, without a model', false)
    .option('--resamples <n>', 'resamples of the bootstrap', wholeNumber, 2000)
    .option('--seed <n>', 'seed of bootstrap and tests', wholeNumber, 1)
  withServiceOptions(withFirstStages(command))
  withDevices(withLoadingOptions(withLayerOptions(withRunOptions(command))))
    .option(...noProgressOption)
    .addHelpText('after', help)
    .action((options: GivenOptions) => evaluate(options, io))
}

/** Reads the names of several values of an option: each is checked as it comes. */
const collect =
  <T>(check: (text: string) => T) =>
  (text: string, before: readonly T[] | undefined): T[] => {
    try {
      return [...(before ?? []), check(text)]
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
    }
  }

const modelNames = collect((text) => {
  rankerSpecs([text])
  return text
})
const measureNames = collect(parseMeasure)
const reportNames = collect((text) => {
  if (/\.(json|md|html)$/.test(text)) return text
  throw new Error('Expected a name that ends in .json, .md or .html.')
})

/** Runs `dawnrank eval`. */
async function evaluate(given: GivenOptions, io: Io): Promise<void> {
  const inputs = [given.data, given.run, given.qrels].flat()
  await checkDistinct([given.out, ...given.report], inputs)
  for (const file of given.report) await checkOutput(file)
  const { table } = given
  const data = given.data ?? (table && (await setsThere(table, given.root)))
  if (!data) {
    throw new CliError('usage', 'give data sets by --data, or a published table by --table')
  }
  if (table && data.length === 0) {
    await write(io.stdout, publishedText(publishedTables(table, undefined)))
    return
  }
  const options = { ...given, data, root: given.root ?? (given.data ? undefined : '.') }
  const measures = options.measures ?? usualMeasures(options)
  const print = (report: EvalReport) =>
    printReport(table ? { ...report, tables: publishedTables(table, report) } : report, options, io)
  if (options.runsOnly) return print(await measureRuns(options, measures, io))
  const sets = await evaluationSets(options, io)
  const results = await rerankAll(sets, measures, options, io)
  const report = rerankReport(sets, results, measures, options)
  if (results.length > 1 || table) return print(report)
  await write(io.stdout, (options.json ? oneAsJson : oneAsText)(results[0]!, options))
  await writeReports(report, options.report)
}

/** Reranks each set by each model. A model is loaded once; of several sets, one at a time is in memory. */
async function rerankAll(
  sets: readonly EvaluationSet[],
  measures: readonly Measure[],
  options: EvalOptions,
  io: Io,
): Promise<SetResult[]> {
  const specs = rankerSpecs(options.model)
  checkServices(specs)
  // One set is read once, and before the model.
  const kept = sets.length === 1 ? await sets[0]!.read() : undefined
  const total = kept?.run.size ?? (await countQueries(sets))
  io.signal.throwIfAborted()
  const isOne = sets.length === 1 && specs.length === 1
  const results: SetResult[] = []
  for (const [i, spec] of specs.entries()) {
    await withRanker(spec, options, io, async (ranker, progress) => {
      await ranker.announce?.(kept ? only(kept) : stagesOf(sets))
      progress.start(isOne ? 'reranking' : `${ranker.name}, ${i + 1} of ${specs.length}`, total)
      let before = 0
      for (const set of sets) {
        const stage = kept ?? (await set.read())
        const out = isOne ? options.out : runOf(options.out, set, ranker)
        const update = (done: number, note: string) =>
          progress.update(before + done, isOne ? note : `${set.name} ${note}`)
        const job = { set, stage, ranker, measures, out, update }
        results.push(await rerankSet(job, () => progress.stop(), io))
        before += stage.run.size
      }
      progress.stop()
    })
  }
  return results
}

/** The names of a table's data sets that are under the root. */
async function setsThere(table: FamilyName, root = '.'): Promise<string[]> {
  const there: string[] = []
  for (const { place } of publishedFamilies[table].sets) {
    const found = await findDataSets([place], { root }).catch((fault: unknown) => {
      if (fault instanceof CliError && fault.code === 'input-missing') return []
      throw fault
    })
    if (found.length > 0) there.push(place)
  }
  return there
}

/** The usual cutoffs, and recall@K, which is the upper bound for a reranker of the first K. */
function usualMeasures({ top, table }: Pick<EvalOptions, 'top' | 'table'>): Measure[] {
  if (table === 'llama-index') return ['MRR@10', 'hit@10']
  if (table) return ['nDCG@10']
  const measures: Measure[] = ['nDCG@10', 'MRR@10', 'hit@10', 'recall@10']
  return top === 10 ? measures : [...measures, `recall@${top}`]
}

/** Reads all but the corpora, so that faults are found before the work. */
async function countQueries(sets: readonly EvaluationSet[]): Promise<number> {
  let count = 0
  for (const set of sets) count += await set.check()
  return count
}

async function* stagesOf(sets: readonly EvaluationSet[]): AsyncGenerator<FirstStage> {
  for (const set of sets) yield await set.read()
}

async function* only(stage: FirstStage): AsyncGenerator<FirstStage> {
  yield stage
}

/** The file of one of several runs in the folder of `--out`. */
const runOf = (out: string | undefined, set: EvaluationSet, ranker: Ranker) =>
  out === undefined
    ? undefined
    : join(out, set.outFolder, `${ranker.name.replaceAll('/', '_')}.trec`)

/** One set to be reranked by one ranker. */
interface Job {
  readonly set: EvaluationSet
  readonly stage: FirstStage
  readonly ranker: Ranker
  readonly measures: readonly Measure[]
  readonly out: string | undefined
  readonly update: (done: number, note: string) => void
}

async function rerankSet(
  { set, stage, ranker, measures, out, update }: Job,
  onStop: () => void,
  io: Io,
): Promise<SetResult> {
  const { signal, stderr } = io
  const main = measures[0]!
  const output = out === undefined ? undefined : await openRunOutput(out)
  let start = 0
  let done = 0
  try {
    const given = {
      ...stage,
      measures,
      score: ranker.score,
      tag: `dawnrank-${ranker.tag}`,
      signal,
      ...(output && { output, settings: await ranker.settings() }),
      onProgress: ({ before, after, ...state }: RerankProgress) => {
        done = state.done
        update(done, `${main} ${shown(before[main])} -> ${shown(after[main])}`)
      },
    }
    const rerank = () => {
      start = performance.now()
      return evaluateRerank(given)
    }
    const { run: _, ...result } = output?.isResumable
      ? await exclusively(output.name, io, rerank)
      : await rerank()
    const seconds = (performance.now() - start) / 1000
    return { ...result, set, ranker, out, seconds, queries: [...stage.qrels.keys()] }
  } catch (error) {
    onStop()
    if (signal.aborted && output?.isResumable) {
      const text = `${done} of ${stage.run.size} queries are in ${output.name}; the same command goes on from there\n`
      await write(stderr, text)
    }
    throw error
  } finally {
    await output?.close()
  }
}
