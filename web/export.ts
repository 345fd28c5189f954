/** A ranking as a file. */
import type { RerankerInfo } from '../src/rerankers/index.ts'
import type { Plan } from './messages.ts'
import { isComplete, type Ranking, scoreOf } from './ranking.ts'

/** What a ranking was made with. */
export interface Made {
  readonly query: string
  readonly info: RerankerInfo
  readonly plan: Plan
  readonly maxLength: number
}

/** The ranking as flat records; `score_layer_N` where there are scores of several layers. */
export function recordsOf({ rows, passages, layer }: Ranking): Record<string, unknown>[] {
  return rows.map((row, i) => {
    const { text, document, place } = passages[row.index] as Ranking['passages'][number]
    return {
      rank: i + 1,
      score: scoreOf(row, layer),
      document,
      place: place ?? '',
      index: row.index,
      tokens: row.tokens,
      truncated: row.truncated,
      ...((layer ?? row.layer) !== undefined && { layer: layer ?? row.layer }),
      ...Object.fromEntries(
        Object.entries(row.layerScores ?? {}).map(([name, score]) => [
          `score_layer_${name}`,
          score,
        ]),
      ),
      text,
    }
  })
}

/** A first character by which spreadsheets take a text for a formula, whatever follows: Papa Parse's own pattern knows one line. */
const formula = /^[=+\-@\t\r\n]/

/** CSV with a byte order mark, by which spreadsheets know UTF-8. Texts that would be formulas get an apostrophe. */
export async function toCsv(ranking: Ranking): Promise<string> {
  const { default: Papa } = await import('papaparse')
  const records = recordsOf(ranking)
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))]
  return `\uFEFF${Papa.unparse(records, { columns, escapeFormulae: formula, newline: '\r\n' })}\r\n`
}

export function toJson(ranking: Ranking, { query, info, plan, maxLength }: Made): string {
  const { model, commit, recipe, dtype, adapter } = info
  const made = {
    query,
    model: { name: model, ...(commit && { commit }), recipe, dtype },
    adapter: adapter.description || [adapter.vendor, adapter.architecture].join(' ').trim(),
    scores: ranking.normalized ? 'sigmoid' : 'logit',
    layers: plan,
    maxLength,
    passages: ranking.passages.length,
    // Not after a stop: the results are then the passages that have a score.
    complete: isComplete(ranking),
    results: recordsOf(ranking),
  }
  return `${JSON.stringify(made, null, 2)}\n`
}

/** Offers a text as a file to save. */
export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
