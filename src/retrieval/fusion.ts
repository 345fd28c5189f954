import { checkCount, type FirstStage, type Ranked } from './first-stage.ts'

/** The constant of {@link reciprocalRankFusion}. */
const usualConstant = 60

/**
 * Lists of one query as one: a passage gets the sum of 1 / (constant + rank) over the lists that have it, ranks counted from 1
 * (Cormack, Clarke and Büttcher 2009). Of equal sums, the passage that comes first in the lists, one after another, goes first.
 */
export function reciprocalRankFusion(
  lists: readonly (readonly Ranked[])[],
  constant: number = usualConstant,
): Ranked[] {
  const ranks = new Map<string, number[]>()
  for (const list of lists) {
    for (const [i, { id }] of list.entries()) {
      const known = ranks.get(id)
      if (known) known.push(i + 1)
      else ranks.set(id, [i + 1])
    }
  }
  return [...ranks]
    .map(([id, some]) => ({
      id,
      // In one order, so that the same ranks give the same sum.
      score: some.sort((a, b) => a - b).reduce((sum, rank) => sum + 1 / (constant + rank), 0),
    }))
    .sort((a, b) => b.score - a.score)
}

/** Options of {@link hybridStage}. */
export interface HybridOptions {
  /** Added to each rank. Default 60. */
  readonly constant?: number | undefined
  /** How many passages each stage is asked for, where that is more than `k`. Default 100. */
  readonly depth?: number | undefined
}

/** A first stage that fuses others by {@link reciprocalRankFusion}. */
export function hybridStage(
  stages: readonly FirstStage[],
  { constant, depth = 100 }: HybridOptions = {},
): FirstStage {
  checkCount('depth', depth)
  return async (query, k) => {
    checkCount('k', k)
    const lists = await Promise.all(stages.map((stage) => stage(query, Math.max(k, depth))))
    return reciprocalRankFusion(lists, constant).slice(0, k)
  }
}
