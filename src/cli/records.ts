import type { Line } from '../eval/index.ts'
import { parseJson } from '../json.ts'
import type { LayerwiseRankOptions } from '../rerankers/index.ts'
import { show } from '../rerankers/options.ts'
import { CliError } from './errors.ts'
import type { CliReranker, RankedPassage } from './io.ts'
import { type Member, membersOf } from './members.ts'
import { ofRecord, refusal } from './refusal.ts'

/** What is known of every record. */
interface Known {
  /** Its file and line. */
  readonly at: string
  readonly line: number
  /** The fields that go into the answer, as they were written: all but `passages`. */
  readonly members: readonly Member[]
}

/** A line `{"query", "passages"}`, to be ranked. */
export interface ListRecord extends Known {
  readonly query: string
  readonly passages: readonly string[]
}

/** A line `{"query", "passage"}`, to be scored. */
export interface PairRecord extends Known {
  readonly query: string
  readonly passage: string
}

/** A line that has no answer. */
export interface FailedRecord extends Known {
  readonly fault: Error
}

/** What is sent to the model in one call: one list, or consecutive pairs; or a line that cannot be sent. */
export type Group =
  | { readonly list: ListRecord }
  | { readonly pairs: PairRecord[] }
  | { readonly failed: FailedRecord }

/** A record with its result, as it is printed. */
export type Answer =
  | { readonly record: ListRecord; readonly results: RankedPassage[] }
  | { readonly record: PairRecord; readonly score: number }
  | { readonly failed: FailedRecord }

/** The names under which answers are printed. */
export interface AnswerFields {
  readonly results: string
  readonly score: string
}

const forms = '{"query": "…", "passages": ["…", …]} or {"query": "…", "passage": "…"}'

/**
 * Reads one JSON line; `name` is its file's.
 *
 * @param fields where answers are printed: the names of their fields, which a record must not have
 */
export function readRecord(
  line: Line,
  name: string,
  fields?: AnswerFields,
): ListRecord | PairRecord | FailedRecord {
  const at = `${name}:${line.number}`
  let members: Member[] = []
  const failed = (fault: Error): FailedRecord => ({ at, line: line.number, members, fault })
  const refuse = (found: string, cause?: unknown) =>
    failed(new CliError('input-malformed', `${at}: ${found}`, { cause }))
  if (line.fault) return failed(line.fault)

  let value: unknown
  try {
    value = parseJson(line.text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    return refuse(`not JSON (${why})${formHint(line.text)}; expected ${forms} on one line`, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const hint = Array.isArray(value) ? formHint(line.text) : ''
    return refuse(`found ${kindOf(value)}, not an object${hint}; expected ${forms}`)
  }
  const all = membersOf(line.text)
  members = all.filter(({ key }) => key !== 'passages')
  const keys = all.map(({ key }) => key)
  const twice = ['query', 'passages', 'passage'].find(
    (key) => keys.indexOf(key) !== keys.lastIndexOf(key),
  )
  if (twice) return refuse(`"${twice}" is there twice; expected ${forms}`)

  const { query, passages, passage } = value as Record<string, unknown>
  if (typeof query !== 'string') return refuse(`query: found ${shown(query)}; expected a string`)
  if (passages === undefined && passage === undefined) {
    return refuse(`neither "passages" nor "passage"; expected ${forms}`)
  }
  if (passages !== undefined && passage !== undefined) {
    return refuse(`both "passages" and "passage"; expected ${forms}`)
  }
  const own = passages === undefined ? fields?.score : fields?.results
  if (own !== undefined && keys.includes(own)) {
    const option = passages === undefined ? '--score-field' : '--results-field'
    return refuse(
      `the record has a field "${own}", where its answer would go; give that another name by ${option}`,
    )
  }
  const known = { at, line: line.number, members, query }
  if (passages === undefined) {
    if (typeof passage === 'string') return { ...known, passage }
    return refuse(`passage: found ${shown(passage)}; expected a string`)
  }
  if (!Array.isArray(passages)) {
    return refuse(`passages: found ${shown(passages)}; expected a list of strings`)
  }
  const wrong = passages.findIndex((one) => typeof one !== 'string')
  if (wrong < 0) return { ...known, passages }
  return refuse(`passages[${wrong}]: found ${shown(passages[wrong])}; expected a string`)
}

const shown = (value: unknown) => (value === undefined ? 'nothing' : show(value))
const kindOf = (value: unknown) => (Array.isArray(value) ? 'a list' : shown(value))

/** What a file probably is that is no JSON lines. */
function formHint(text: string): string {
  const [first, last] = [text.trim()[0], text.trim().at(-1)]
  if (first === '[' && last === ']') return `, as of a JSON array: make lines of it by jq -c '.[]'`
  if ((first === '{' && last !== '}') || (first === '[' && last !== ']')) {
    return `, as of JSON over several lines: make it one record a line by jq -c ${first === '[' ? "'.[]'" : '.'}`
  }
  return ''
}

/** Groups the records of some lines for the model. */
export function groupRecords(lines: readonly Line[], name: string, fields?: AnswerFields): Group[] {
  const groups: Group[] = []
  for (const line of lines) {
    if (line.text.trim() === '' && !line.fault) continue
    const record = readRecord(line, name, fields)
    const last = groups.at(-1)
    if ('fault' in record) groups.push({ failed: record })
    else if ('passages' in record) groups.push({ list: record })
    else if (last && 'pairs' in last) last.pairs.push(record)
    else groups.push({ pairs: [record] })
  }
  return groups
}

/** Scores one group; the answers are in the order of its records. */
export async function answerGroup(
  group: Group,
  reranker: CliReranker,
  options: LayerwiseRankOptions<string>,
): Promise<Answer[]> {
  if ('failed' in group) return [group]
  if ('pairs' in group) return answerPairs(group.pairs, reranker, options)
  const record = group.list
  try {
    return [{ record, results: await reranker.rank(record.query, record.passages, options) }]
  } catch (error) {
    const placeOf = (index?: number) =>
      index === undefined ? record.at : `${record.at}: passages[${index}]`
    return [failure(record, error, placeOf)]
  }
}

/** Where the model refuses a pair, its half of the pairs is scored in halves, and so on, until it is found. */
async function answerPairs(
  pairs: readonly PairRecord[],
  reranker: CliReranker,
  options: LayerwiseRankOptions<string>,
): Promise<Answer[]> {
  const { normalize, signal } = options
  const texts = pairs.map(({ query, passage }) => [query, passage])
  try {
    const scores = await reranker.computeScore(texts, { normalize, signal })
    return pairs.map((record, i) => ({ record, score: scores[i]! }))
  } catch (error) {
    const [pair] = pairs
    if (pair && pairs.length === 1) return [failure(pair, error, () => pair.at)]
    if (!ofRecord(error)) throw error
    const middle = pairs.length >> 1
    const first = await answerPairs(pairs.slice(0, middle), reranker, options)
    return [...first, ...(await answerPairs(pairs.slice(middle), reranker, options))]
  }
}

/** The answer for a record that the model refuses; throws what is not the record's fault. */
function failure(
  { at, line, members }: ListRecord | PairRecord,
  error: unknown,
  placeOf: (index?: number) => string,
): Answer {
  if (!ofRecord(error)) throw error
  return { failed: { at, line, members, fault: refusal(error, placeOf) } }
}
