import { checkJudged, evaluate, firstStageOrder, type Measure } from '../eval/index.ts'
import { findDataSets } from './data-sets.ts'
import { CliError } from './errors.ts'
import {
  type EvalReport,
  finishReport,
  type ReportOptions,
  type ReportOutcome,
  type ReportSet,
} from './eval-report.ts'
import { firstStages, type SetOptions } from './eval-sets.ts'
import type { Io } from './io.ts'

/** Measures runs as they are: each run, by its name or path, on each data set. */
export async function measureRuns(
  options: SetOptions & ReportOptions,
  measures: readonly Measure[],
  io: Io,
): Promise<EvalReport> {
  const found = await findDataSets(options.data, options)
  const run = [...new Set(options.run ?? [])]
  const runs = firstStages({ ...options, run }, found.length)
  if (runs.length === 0) {
    throw new CliError('usage', '--runs-only: give the runs by --run, or --first-stage bm25')
  }
  if (runs.some(({ text }) => text === '-') && found.length > 1) {
    throw new CliError('usage', '--run -: stdin holds one run, there are several data sets')
  }
  const names = runs.map(({ name }) => name)
  const sets: ReportSet[] = []
  const outcomes: ReportOutcome[] = []
  for (const set of found) {
    const qrels = await set.data.qrels(io.signal)
    const { name, group, path, data } = set
    let leftOut = 0
    for (const [i, { source }] of runs.entries()) {
      const run = await source(set, io)
      const counted = firstStageOrder({ run, keepIdenticalIds: options.keepIdenticalIds })
      checkJudged(qrels, counted)
      for (const [query, list] of run) leftOut += list.length - counted.get(query)!.length
      const evaluation = evaluate(qrels, counted, measures)
      outcomes.push({ set: name, system: names[i]!, evaluation })
    }
    const queries = [...qrels.keys()]
    const { layout } = data
    sets.push({
      name,
      group,
      data: path,
      layout,
      run: undefined,
      queries,
      identicalIdsLeftOut: leftOut,
    })
  }
  const { resamples, seed } = options
  const systems = names.map((name) => ({ name, kind: 'run' as const }))
  return finishReport({ measures, resamples, seed, sets, systems, outcomes })
}
