/** A passage with the score of the last layer it reached. */
interface CascadeRow {
  readonly index: number
  readonly score: number
  readonly layer?: number | undefined
}

/**
 * Scores by index that reproduce the order of a cascade. Passages of the last stage keep their scores. The scores of
 * passages dropped at one layer are shifted together, so that the best of them is 1 below the lowest score above them.
 *
 * @param rows ranked: later layers first, best first
 */
export function cascadeScores(rows: readonly CascadeRow[]): number[] {
  const scores = new Array<number>(rows.length)
  let layer = rows[0]?.layer
  let moved = 0
  let lowest = 0
  for (const row of rows) {
    if (row.layer !== layer) {
      layer = row.layer
      moved = lowest - 1 - row.score
    }
    lowest = row.score + moved
    scores[row.index] = lowest
  }
  return scores
}
