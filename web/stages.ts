/** The stages of a cascade as sliders set them: always such as the engine takes. */
import type { CascadeStage } from '../src/rerankers/index.ts'

/** A stage whose layer is given by its place among the layers; what the last one keeps is not read. */
export interface Stage {
  readonly at: number
  readonly keep: number
}

/** Half way up with the best half, then the last layer. */
export const firstStages = (layers: number, passages: number): Stage[] =>
  layers < 2
    ? [{ at: 0, keep: 1 }]
    : [
        { at: Math.floor((layers - 1) / 2), keep: Math.max(1, Math.ceil(passages / 2)) },
        { at: layers - 1, keep: 1 },
      ]

/**
 * Stages with layers that rise and numbers of passages that do not, within what there is. A stage that was changed stays
 * as near to its value as the number of stages allows; the others give way.
 */
export function settleStages(
  stages: readonly Stage[],
  layers: number,
  passages: number,
  changed = stages.length - 1,
): Stage[] {
  const count = stages.length
  const clamp = (value: number, least: number, most: number) =>
    Math.max(least, Math.min(most, value))
  const ats = stages.map(({ at }, i) => clamp(at, i, layers - count + i))
  const keeps = stages.map(({ keep }) => clamp(keep, 1, Math.max(1, passages)))
  for (let i = changed + 1; i < count; i++) {
    ats[i] = Math.max(ats[i] as number, (ats[i - 1] as number) + 1)
    keeps[i] = Math.min(keeps[i] as number, keeps[i - 1] as number)
  }
  for (let i = changed - 1; i >= 0; i--) {
    ats[i] = Math.min(ats[i] as number, (ats[i + 1] as number) - 1)
    // What the last stage keeps means nothing.
    if (i + 1 < count - 1) keeps[i] = Math.max(keeps[i] as number, keeps[i + 1] as number)
  }
  return ats.map((at, i) => ({ at, keep: keeps[i] as number }))
}

/**
 * The stages for another number of passages. They stay while there are none; those that nobody set are the first ones
 * again, so that they keep the best half.
 */
export function stagesFor(
  stages: readonly Stage[],
  layers: number,
  passages: number,
  isSet: boolean,
): readonly Stage[] {
  if (passages === 0) return stages
  return isSet ? settleStages(stages, layers, passages) : firstStages(layers, passages)
}

/** The stages as the engine takes them. */
export const cascadeOf = (stages: readonly Stage[], layers: readonly number[]): CascadeStage[] =>
  stages.map(({ at, keep }, i) => ({
    layer: layers[at] as number,
    ...(i + 1 < stages.length && { keep }),
  }))
