import { stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { checkQueries, type EvaluationData, type FirstStage, type Run } from '../eval/index.ts'
import { type DataSet, findDataSets } from './data-sets.ts'
import { CliError } from './errors.ts'
import { type FirstStageOptions, type RunSource, runOfStage } from './first-stages.ts'
import type { Io } from './io.ts'
import { isStream } from './output.ts'
import { type RunOptions, readRunFile, readStage } from './run-file.ts'
import { shortNames } from './short-names.ts'

/** A data set with the first stage that is reranked. */
export interface EvaluationSet extends DataSet {
  /** `undefined` where the data itself says what is to be reranked: there is no order to measure then. */
  readonly firstStage: string | undefined
  /** The folder of its runs in that of `--out`. */
  readonly outFolder: string
  readonly read: () => Promise<FirstStage>
  /** Reads all but the corpus, to find what is wrong before the work; gives the number of queries. */
  readonly check: () => Promise<number>
}

/** The options that choose data and first stages. */
export interface SetOptions extends RunOptions, FirstStageOptions {
  data: readonly string[]
  run?: readonly string[]
}

/**
 * The data sets and their first stages: one run for all sets, as many as sets, or several for one set.
 *
 * @throws CliError `usage`, `input-missing`, and what reading throws
 */
export async function evaluationSets(options: SetOptions, io: Io): Promise<EvaluationSet[]> {
  const sets = await findDataSets(options.data, options)
  const ofRuns = sets.filter(({ data }) => !data.candidates)
  const given = options.run ?? []
  const runs = ofRuns.length === 1 ? [...new Set(given)] : given
  const all = firstStages({ ...options, run: runs }, sets.length)
  if (ofRuns.length === 0 && all.length > 0) {
    const message = `${sets[0]!.name}: says itself which passages are reranked; leave out --run and --first-stage`
    throw new CliError('usage', message)
  }
  checkCounts(ofRuns, runs, all.length)
  return sets.flatMap((set) => {
    const { candidates } = set.data
    const ofSet = runsOf(ofRuns.indexOf(set), ofRuns.length, runs)
    const chosen = candidates
      ? [undefined]
      : all.filter((_, i) => i >= runs.length || ofSet.includes(i))
    const nameWith = (stage: string) => (chosen.length > 1 ? `${set.name} (${stage})` : set.name)
    return chosen.map((stage): EvaluationSet => {
      const source = stage?.source ?? (() => candidates!(io.signal))
      // Candidates have no order by which the first could be taken.
      const stageOptions = candidates ? { ...options, top: Number.MAX_SAFE_INTEGER } : options
      return {
        ...set,
        name: nameWith(stage?.name ?? ''),
        firstStage: stage?.text,
        outFolder: nameWith(stage?.name.replaceAll('/', '_') ?? ''),
        read: () => readStage(set.data, () => source(set, io), stageOptions, io.signal),
        check: () => checkSet(set.data, () => source(set, io), io.signal),
      }
    })
  })
}

/** The runs of `--run`, then the first stages of `--first-stage`, each with a short name and what gives its run. */
export function firstStages(
  options: Pick<SetOptions, 'run'> & FirstStageOptions,
  sets: number,
): { text: string; name: string; source: RunSource }[] {
  const runs = options.run ?? []
  const names = shortNames(runs)
  const readRun = (file: string) => runOfFile(file, sets)
  return [
    ...runs.map((text, i) => ({ text, name: names[i]!, source: readRun(text) })),
    ...[...new Set(options.firstStage ?? [])].map((text) => ({
      text,
      name: text,
      source: runOfStage(text, options, readRun),
    })),
  ]
}

function checkCounts(sets: readonly DataSet[], runs: readonly string[], stages: number): void {
  if (sets.length === 0) return
  if (stages === 0) {
    const message = `${sets[0]!.name}: has no first stage; give its run by --run, or --first-stage bm25`
    throw new CliError('usage', message)
  }
  if (runs.length > 1 && sets.length > 1 && runs.length !== sets.length) {
    throw new CliError(
      'usage',
      `${runs.length} runs for ${sets.length} data sets; expected one run for all (a name such as bm25.trec in each ` +
        'folder, or a path with {data}), one for each, or several for one data set',
    )
  }
  if (runs.includes('-') && sets.length > 1) {
    throw new CliError('usage', '--run -: stdin holds one run, there are several data sets')
  }
}

/** Which of the runs belong to the data set with an index. */
function runsOf(set: number, sets: number, runs: readonly string[]): number[] {
  if (sets === 1) return [...runs.keys()]
  return runs.length === 0 ? [] : [runs.length === 1 ? 0 : set]
}

/**
 * A run in a file: at its path, with the name of the data set in place of `{data}`, or in the folder of the data set, which
 * goes first where there are several sets. What can be read only once, a pipe or stdin, is kept.
 */
export function runOfFile(run: string, sets: number): RunSource {
  const kept = new Map<string, Promise<Run>>()
  return async ({ name, folder }, io) => {
    const path = await runPath(run, name, folder, sets)
    if (path !== '-' && !(await isStream(path))) return readRunFile(path, io)
    const read = kept.get(path) ?? readRunFile(path, io)
    kept.set(path, read)
    return read
  }
}

async function runPath(run: string, set: string, folder: string, sets: number): Promise<string> {
  const given = run.replaceAll('{data}', set)
  if (run === '-' || isAbsolute(run)) return given
  const inside = join(folder, given)
  const places = sets > 1 ? [inside, given] : [given, inside]
  for (const place of places) {
    if ((await isFile(place)) || (await isFile(`${place}.gz`))) return place
  }
  return places[0]!
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => !info.isDirectory(),
    () => false,
  )

async function checkSet(
  data: EvaluationData,
  readRun: () => Promise<Run>,
  signal: AbortSignal,
): Promise<number> {
  const qrels = await data.qrels(signal)
  const queries = await data.queries(signal)
  const run = await readRun()
  checkQueries({ queries, qrels }, run)
  return run.size
}
