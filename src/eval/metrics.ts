import { EvaluationError } from './errors.ts'

/** Judgements: query id -> document id -> grade. A document is relevant from grade 1 on. */
export type Qrels = ReadonlyMap<string, ReadonlyMap<string, number>>

/** A retrieved document and the score its system gave it. */
export interface ScoredDocument {
  readonly id: string
  readonly score: number
}

/** A run: query id -> its documents, in the order the system gave them. */
export type Run = ReadonlyMap<string, readonly ScoredDocument[]>

type Name = 'nDCG' | 'MAP' | 'MRR' | 'recall' | 'precision' | 'hit'

/** A measure, over the whole list or over its first k documents: `nDCG@10`, `MRR`, `recall@100`. */
export type Measure = Name | `${Name}@${number}`

/** Values of the measures asked for, by their names. */
export type Values = Readonly<Record<string, number>>

/** What {@link evaluate} gives. */
export interface Evaluation {
  /** For each query that is both judged and in the run. */
  readonly perQuery: ReadonlyMap<string, Values>
  /** Mean over every judged query; one that the run lacks counts 0 (`trec_eval -c`). */
  readonly mean: Values
  /** How many judged queries there are. */
  readonly queries: number
}

/** Grades of the documents in ranked order, and those of all judged documents, descending. */
interface Ranking {
  readonly grades: readonly number[]
  readonly ideal: readonly number[]
}

const relevant = (grade: number) => grade >= 1

function countRelevant(grades: readonly number[], cut: number): number {
  const end = Math.min(cut, grades.length)
  let found = 0
  for (let i = 0; i < end; i++) if (relevant(grades[i]!)) found++
  return found
}

/** Discounted cumulative gain: grade / log2(rank + 1), negative grades giving none. */
function dcg(grades: readonly number[], cut: number): number {
  const end = Math.min(cut, grades.length)
  let sum = 0
  for (let i = 0; i < end; i++) if (grades[i]! > 0) sum += grades[i]! / Math.log2(i + 2)
  return sum
}

const ratio = (part: number, whole: number) => (whole === 0 ? 0 : part / whole)

/** Each measure as trec_eval defines it; a query without relevant documents gives 0. */
const definitions: Record<Name, (ranking: Ranking, cut: number) => number> = {
  nDCG: ({ grades, ideal }, cut) => ratio(dcg(grades, cut), dcg(ideal, cut)),
  MAP({ grades, ideal }, cut) {
    const end = Math.min(cut, grades.length)
    let found = 0
    let sum = 0
    for (let i = 0; i < end; i++) if (relevant(grades[i]!)) sum += ++found / (i + 1)
    return ratio(sum, countRelevant(ideal, Infinity))
  },
  MRR({ grades }, cut) {
    const first = grades.findIndex(relevant)
    return first < 0 || first >= cut ? 0 : 1 / (first + 1)
  },
  recall: ({ grades, ideal }, cut) =>
    ratio(countRelevant(grades, cut), countRelevant(ideal, Infinity)),
  precision: ({ grades }, cut) =>
    ratio(countRelevant(grades, cut), cut === Infinity ? grades.length : cut),
  hit: ({ grades }, cut) => (countRelevant(grades, cut) > 0 ? 1 : 0),
}

/** Names that other tools give the measures, in lower case. */
const otherNames: Readonly<Record<string, Name>> = {
  ndcg: 'nDCG',
  ndcg_cut: 'nDCG',
  map: 'MAP',
  map_cut: 'MAP',
  mrr: 'MRR',
  recip_rank: 'MRR',
  recall: 'recall',
  r: 'recall',
  precision: 'precision',
  p: 'precision',
  hit: 'hit',
  hit_rate: 'hit',
  success: 'hit',
}

/**
 * A measure by its name here, in any case, or in trec_eval, pytrec_eval or ir-measures: `ndcg@10`, `ndcg_cut_10`, `P_5`.
 *
 * @throws EvaluationError `measure-unknown`
 */
export function parseMeasure(text: string): Measure {
  const [, name = '', cut] = /^(.*?)(?:[@._](\d+))?$/s.exec(text) ?? []
  const known = Object.hasOwn(otherNames, name.toLowerCase())
    ? otherNames[name.toLowerCase()]!
    : undefined
  const measure = (cut === undefined ? (known ?? text) : `${known}@${Number(cut)}`) as Measure
  if (known === undefined) parse(text as Measure)
  parse(measure)
  return measure
}

function parse(measure: Measure): (ranking: Ranking) => number {
  const [name, cut, ...rest] = measure.split('@')
  const k = cut === undefined ? Infinity : Number(cut)
  const sound = cut === undefined || (/^\d+$/.test(cut) && k >= 1)
  if (!Object.hasOwn(definitions, name!) || !sound || rest.length > 0) {
    throw new EvaluationError(
      'measure-unknown',
      `measure "${measure}" is unknown; expected one of ${Object.keys(definitions).join(', ')}, ` +
        'alone or with a cut of at least 1, such as nDCG@10',
    )
  }
  return (ranking) => definitions[name as Name](ranking, k)
}

/** Compares two ids as the bytes of their UTF-8 form, which is the order of their code points. */
function compareIds(a: string, b: string): number {
  const end = Math.min(a.length, b.length)
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return codePointOrder(x) - codePointOrder(y)
  }
  return a.length - b.length
}

/** UTF-16 units put surrogates (which stand for U+10000 and up) below U+E000..U+FFFF: turn that round. */
const codePointOrder = (unit: number) =>
  unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit

/**
 * The documents in the order in which trec_eval ranks them: by score as a 32-bit float, descending,
 * ties by document id, descending.
 *
 * @throws EvaluationError `score-invalid` where a score is NaN, which has no place in an order
 */
export function trecOrder(documents: readonly ScoredDocument[]): ScoredDocument[] {
  const bad = documents.find(({ score }) => Number.isNaN(score))
  if (bad) throw new EvaluationError('score-invalid', `document "${bad.id}": its score is NaN`)
  return [...documents].sort(
    (a, b) => Math.fround(b.score) - Math.fround(a.score) || compareIds(b.id, a.id),
  )
}

/**
 * Measures a run against judgements. The values are those of trec_eval (and pytrec_eval): it ranks
 * by their order in trec_eval, nDCG has the grade as its gain and log2(rank + 1) as its discount.
 *
 * @throws EvaluationError `measure-unknown`, `score-invalid`
 */
export function evaluate(qrels: Qrels, run: Run, measures: readonly Measure[]): Evaluation {
  const wanted = measures.map((measure) => ({ measure, value: parse(measure) }))
  const perQuery = new Map<string, Values>()
  const sums = new Map<string, number>(measures.map((measure) => [measure, 0]))
  for (const [query, judged] of qrels) {
    const documents = run.get(query)
    if (!documents) continue
    const ranking: Ranking = {
      grades: trecOrder(documents).map(({ id }) => judged.get(id) ?? 0),
      ideal: [...judged.values()].sort((a, b) => b - a),
    }
    const values: Record<string, number> = {}
    for (const { measure, value } of wanted) {
      values[measure] = value(ranking)
      sums.set(measure, sums.get(measure)! + values[measure])
    }
    perQuery.set(query, values)
  }
  const mean = Object.fromEntries(
    [...sums].map(([measure, sum]) => [measure, ratio(sum, qrels.size)]),
  )
  return { perQuery, mean, queries: qrels.size }
}
