import type { ScoreBias } from './attention.ts'
import type { Tape } from './tape.ts'

/** The bias of ALiBi (Press et al. 2022), in both directions. */
export function alibiBias(tape: Tape, heads: number): ScoreBias {
  const slopes = tape.upload(new Float32Array(alibiSlopes(heads)), [heads], 'f32')
  return { library: 'score_bias_alibi', tensors: { slopes } }
}

/**
 * The slope of each head: 2^(-8/n), 2^(-16/n), ... for n heads, a power of two; for another number of heads those of the power
 * below, then every second one of twice that power.
 */
export function alibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads))
  const own = Array.from({ length: power }, (_, i) => 2 ** ((-8 * (i + 1)) / power))
  if (power === heads) return own
  const others = alibiSlopes(2 * power).filter((_, i) => i % 2 === 0)
  return [...own, ...others.slice(0, heads - power)]
}
