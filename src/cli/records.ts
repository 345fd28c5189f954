import type { Line } from '../eval/index.ts'
import { CliError } from './errors.ts'
import type { RankedPassage, RankOptions, Reranker } from './reranker.ts'

/** The fields of a record besides `passages`, in the order of its line. */
type Rest = Record<string, unknown> & { query: string }

/** A line `{"query", "passages"}`, to be ranked. */
export interface ListRecord {
  readonly rest: Rest
  readonly passages: readonly string[]
}

/** A line `{"query", "passage"}`, to be scored. */
export interface PairRecord {
  readonly rest: Rest & { passage: string }
}

/** What is sent to the model in one call: one list, or consecutive pairs. */
export type Group = { readonly list: ListRecord } | { readonly pairs: PairRecord[] }

/** A record with its result, as it is printed. */
export type Answer =
  | { readonly record: Rest; readonly results: RankedPassage[] }
  | { readonly record: PairRecord['rest']; readonly score: number }

/** Reads one JSON line; `name` is its file's. */
export function parseRecord(line: Line, name: string): ListRecord | PairRecord {
  const refuse = (found: string, cause?: unknown) =>
    new CliError(
      'input-malformed',
      `${name}:${line.number}: ${found}; expected {"query": "…", "passages": ["…", …]} or {"query": "…", "passage": "…"}`,
      { cause },
    )
  let value: unknown
  try {
    value = JSON.parse(line.text)
  } catch (cause) {
    throw refuse(`not JSON (${cause instanceof Error ? cause.message : cause})`, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refuse('not an object')
  }
  const { passages, ...rest } = value as Record<string, unknown>
  const { query, passage } = rest
  if (typeof query !== 'string') throw refuse('"query" is not a string')
  if (passages === undefined) {
    if (typeof passage !== 'string') throw refuse('neither "passages" nor a string "passage"')
    return { rest: { ...rest, query, passage } }
  }
  if (passage !== undefined) throw refuse('both "passages" and "passage"')
  if (!Array.isArray(passages) || passages.some((one) => typeof one !== 'string')) {
    throw refuse('"passages" is not a list of strings')
  }
  return { rest: { ...rest, query }, passages }
}

/**
 * Groups the records of some lines for the model. A malformed line ends the list: `fault` is then its
 * error, to be thrown when the records before it are served.
 */
export function groupRecords(
  lines: readonly Line[],
  name: string,
): { groups: Group[]; fault?: unknown } {
  const groups: Group[] = []
  for (const line of lines) {
    if (line.text.trim() === '') continue
    let record: ListRecord | PairRecord
    try {
      record = parseRecord(line, name)
    } catch (fault) {
      return { groups, fault }
    }
    const last = groups.at(-1)
    if ('passages' in record) groups.push({ list: record })
    else if (last && 'pairs' in last) last.pairs.push(record)
    else groups.push({ pairs: [record] })
  }
  return { groups }
}

/** Scores one group; the answers are in the order of its records. */
export async function answerGroup(
  group: Group,
  reranker: Reranker,
  options: RankOptions,
): Promise<Answer[]> {
  if ('list' in group) {
    const { rest, passages } = group.list
    return [{ record: rest, results: await reranker.rank(rest.query, passages, options) }]
  }
  const { normalize, signal } = options
  const texts = group.pairs.map(({ rest }) => [rest.query, rest.passage])
  const scores = await reranker.computeScore(texts, { normalize, signal })
  return group.pairs.map(({ rest }, i) => ({ record: rest, score: scores[i]! }))
}
