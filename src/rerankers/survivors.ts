import { checkCount } from './check-options.ts'
import { RerankerError } from './errors.ts'
import { show } from './options.ts'

/** Which passages go on after a stage: the best so many, and with a margin those close below them. */
export interface Survival {
  readonly keep: number
  readonly margin?: number | undefined
}

/** A passage by its index, and its score at a stage. */
export interface StageScore {
  readonly index: number
  readonly score: number
}

/**
 * The passages that go on: the best `keep`, ties by index; with a `margin` also those whose score is at most so much below that
 * of rank `keep`. Best first.
 */
export function survivors(scored: readonly StageScore[], { keep, margin }: Survival): number[] {
  const ranked = [...scored].sort((a, b) => b.score - a.score || a.index - b.index)
  const last = ranked[keep - 1]
  const floor = last && margin !== undefined ? last.score - margin : Number.POSITIVE_INFINITY
  return ranked.filter(({ score }, rank) => rank < keep || score >= floor).map(({ index }) => index)
}

/** Checks that a stage is an object with no other keys than those that are read. */
export function checkStage(name: string, stage: unknown, keys: readonly string[]): void {
  const given = typeof stage === 'object' && stage !== null ? Object.keys(stage) : undefined
  const unknown = given?.find((key) => !keys.includes(key))
  if (given && unknown === undefined) return
  const found = unknown === undefined ? show(stage) : `the key ${show(unknown)}`
  throw new RerankerError(
    'option-invalid',
    `${name}: found ${found}; expected { ${keys.join(', ')} }`,
  )
}

/**
 * Checks what a stage says about those that go on.
 *
 * @param name what messages call the stage, such as `cascade[0]`
 * @param isLast whether nothing follows it
 */
export function checkSurvival(
  name: string,
  { keep, margin }: { readonly keep?: unknown; readonly margin?: unknown },
  isLast: boolean,
): void {
  if (isLast) {
    const [given] = Object.entries({ keep, margin }).filter(([, value]) => value !== undefined)
    if (!given) return
    throw new RerankerError(
      'option-invalid',
      `${name}.${given[0]}: found ${show(given[1])}; nothing follows the last stage. Leave it out; topN says how many rows are given`,
    )
  }
  checkCount(`${name}.keep`, keep)
  if (margin === undefined || (Number.isFinite(margin) && (margin as number) >= 0)) return
  throw new RerankerError(
    'option-invalid',
    `${name}.margin: found ${show(margin)}; expected a number from 0 up, the distance of logits to rank keep`,
  )
}
