/** What offline jobs hold and give: slices of JSON lines, or queries of a first stage. */
import { formatTrec, type Line, placeScores, type ScoredDocument } from '../eval/index.ts'
import { CliError } from './errors.ts'
import { scorerOf } from './eval-rankers.ts'
import type { CliReranker } from './io.ts'
import type { LayerOptions } from './model.ts'
import { answerJson } from './print.ts'
import {
  type Answer,
  type AnswerFields,
  answerGroup,
  groupRecords,
  type ListRecord,
  type PairRecord,
} from './records.ts'

/** Neighbouring JSON lines of a file. */
export interface LinesJob {
  readonly name: string
  readonly lines: readonly Pick<Line, 'number' | 'text'>[]
}

/** A query of a first stage. */
export interface QueryJob {
  readonly query: string
  readonly text: string
  /** All of the first stage, best first. */
  readonly documents: readonly ScoredDocument[]
  /** The texts of the first of them, which are scored. */
  readonly passages: readonly string[]
}

export type JobData = LinesJob | QueryJob

/** What all jobs of a run are done with. */
export type CallSettings =
  | {
      readonly form: 'jsonl'
      readonly normalize: boolean
      readonly top?: number
      readonly resultsField: string
      readonly scoreField: string
    }
  | {
      readonly form: 'trec'
      readonly top: number
      readonly keepIdenticalIds: boolean
      readonly tag: string
    }

/** What a job gives: lines as they are printed, or a reranked query. */
type JobResult =
  | { readonly lines: string; readonly refused: number }
  | { readonly query: string; readonly documents: readonly ScoredDocument[] }

/** Does one job; the text that is kept. Records that the model refuses have an error in their place. */
export async function doJob(
  data: JobData,
  call: CallSettings,
  reranker: CliReranker,
  layers: LayerOptions,
): Promise<string> {
  const result = 'lines' in data ? await doLines() : await doQuery(data)
  return JSON.stringify(result)

  async function doLines(): Promise<JobResult> {
    const { normalize, top } = call as CallSettings & { form: 'jsonl' }
    const fields = fieldsOf(call)
    const answers: Answer[] = []
    for (const group of groupRecords(linesOf(data as LinesJob), (data as LinesJob).name, fields)) {
      answers.push(
        ...(await answerGroup(group, reranker, { normalize, topN: top, cascade: layers.cascade })),
      )
    }
    return {
      lines: answers.map((answer) => `${answerJson(answer, fields)}\n`).join(''),
      refused: answers.filter((answer) => 'failed' in answer).length,
    }
  }

  async function doQuery({ query, text, documents, passages }: QueryJob): Promise<JobResult> {
    const ids = { query, documents: documents.map(({ id }) => id) }
    const scores = await scorerOf(reranker, layers, {})(text, passages, ids)
    return { query, documents: placeScores(documents, scores) }
  }
}

const linesOf = ({ lines }: LinesJob): Line[] => lines.map((line) => ({ ...line, end: 0 }))

function fieldsOf(call: CallSettings): AnswerFields {
  const { resultsField, scoreField } = call as CallSettings & { form: 'jsonl' }
  return { results: resultsField, score: scoreField }
}

export type ResultFormat = 'jsonl' | 'trec'

/** The text of a kept result, and how many of its records the model refused. */
export function resultText(
  kept: string,
  call: CallSettings,
  format: ResultFormat,
): { text: string; refused: number } {
  const result: JobResult = JSON.parse(kept)
  if ('lines' in result) return { text: result.lines, refused: result.refused }
  const { query, documents } = result
  if (format === 'jsonl') {
    return { text: `${JSON.stringify({ query, results: documents })}\n`, refused: 0 }
  }
  const { tag } = call as CallSettings & { form: 'trec' }
  return { text: formatTrec(query, documents, tag), refused: 0 }
}

/** What is printed in place of the result of a job that failed for good; a TREC run leaves the query out. */
export function failedText(
  data: JobData,
  reason: string,
  call: CallSettings,
  format: ResultFormat,
): string {
  const error = { code: 'job-failed', message: reason }
  if ('query' in data) {
    return format === 'trec' ? '' : `${JSON.stringify({ query: data.query, error })}\n`
  }
  const fields = fieldsOf(call)
  return groupRecords(linesOf(data), data.name, fields)
    .flatMap((group): (ListRecord | PairRecord)[] => {
      if ('pairs' in group) return group.pairs
      return 'list' in group ? [group.list] : []
    })
    .map(({ at, line, members }) => {
      const failed = { at, line, members, fault: new CliError('job-failed', reason) }
      return `${answerJson({ failed }, fields)}\n`
    })
    .join('')
}
