import { DawnrankError } from '../error.ts'
import { type Io, type RankedPassage, write } from './io.ts'
import type { Answer, AnswerFields, FailedRecord } from './records.ts'
import { table } from './table.ts'

export type Format = 'table' | 'json' | 'jsonl'

/** The format asked for, or the one that suits the output: a table on a terminal, else JSON lines. */
export const formatFor = (wanted: Format | undefined, { stdout }: Io): Format =>
  wanted ?? (stdout.isTTY ? 'table' : 'jsonl')

const widthOf = ({ stdout }: Io) => (stdout.isTTY ? (stdout.columns ?? 100) : undefined)

/** Fields in the order in which they are best read. */
const ordered = ({ index, score, layer, tokens, truncated, passage }: RankedPassage) => ({
  index,
  score,
  ...(layer !== undefined && { layer }),
  tokens,
  truncated,
  passage,
})

function rankedTable(ranked: readonly RankedPassage[], io: Io): string {
  if (ranked.length === 0) return 'no passages\n'
  const layerwise = ranked[0]?.layer !== undefined
  const rows = ranked.map(({ index, score, layer, passage, tokens, truncated }, i) => [
    String(i + 1),
    score.toFixed(4),
    ...(layerwise ? [String(layer)] : []),
    String(index),
    `${tokens}${truncated ? ' (cut)' : ''}`,
    passage,
  ])
  const head = ['rank', 'score', ...(layerwise ? ['layer'] : []), 'index', 'tokens', 'passage']
  return table(head, rows, widthOf(io))
}

/** Prints the passages of one query, best first. */
export async function printRanked(
  query: string,
  ranked: readonly RankedPassage[],
  format: Format,
  io: Io,
): Promise<void> {
  if (format === 'table') await write(io.stdout, rankedTable(ranked, io))
  else if (format === 'json') {
    await write(io.stdout, `${JSON.stringify({ query, results: ranked.map(ordered) }, null, 2)}\n`)
  } else {
    const lines = ranked.map((one, i) => `${JSON.stringify({ rank: i + 1, ...ordered(one) })}\n`)
    await write(io.stdout, lines.join(''))
  }
}

/** The fields of a record as they were written, and one of ours. */
const object = (members: readonly { readonly text: string }[], name: string, value: unknown) =>
  `{${[...members.map(({ text }) => text), `${JSON.stringify(name)}:${JSON.stringify(value)}`].join(',')}}`

/** A record that was not answered. A field of its own where the error goes would be mistaken for that: none is printed then. */
function failedObject({ line, members, fault }: FailedRecord): string {
  const others = members.some(({ key }) => key === 'error') ? [] : members
  const code = fault instanceof DawnrankError ? fault.code : undefined
  return object(others, 'error', { line, code, message: fault.message })
}

/** An answer as one JSON object. */
export function answerJson(answer: Answer, fields: AnswerFields): string {
  if ('failed' in answer) return failedObject(answer.failed)
  const { members } = answer.record
  return 'results' in answer
    ? object(members, fields.results, answer.results.map(ordered))
    : object(members, fields.score, answer.score)
}

/** Prints answers as they come. `json` is one array over the whole stream: call `end` after the last. */
export function answerPrinter(format: Format, fields: AnswerFields, io: Io) {
  let printed = 0
  const asTables = (answers: readonly Answer[]): string => {
    const parts: string[] = []
    const pairs = answers.flatMap((answer, i) =>
      'score' in answer
        ? [
            [
              String(printed + i + 1),
              answer.score.toFixed(4),
              answer.record.query,
              answer.record.passage,
            ],
          ]
        : [],
    )
    if (pairs.length > 0) {
      parts.push(table(['record', 'score', 'query', 'passage'], pairs, widthOf(io)))
    }
    for (const answer of answers) {
      if ('failed' in answer) parts.push(`error: ${answer.failed.fault.message}\n`)
      if (!('results' in answer)) continue
      parts.push(`query: ${answer.record.query.replace(/[\p{Cc}\s]+/gu, ' ')}\n`)
      parts.push(`${rankedTable(answer.results, io)}\n`)
    }
    return parts.join('')
  }

  return {
    async print(answers: readonly Answer[]): Promise<void> {
      if (format === 'table') await write(io.stdout, asTables(answers))
      else {
        const texts = answers.map((answer, i) => {
          const before = format === 'jsonl' ? '' : printed + i === 0 ? '[\n' : ',\n'
          return `${before}${answerJson(answer, fields)}${format === 'jsonl' ? '\n' : ''}`
        })
        await write(io.stdout, texts.join(''))
      }
      printed += answers.length
    },
    async end(): Promise<void> {
      if (format === 'json') await write(io.stdout, printed === 0 ? '[]\n' : '\n]\n')
    },
  }
}
