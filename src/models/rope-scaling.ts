/** Frequencies of rotary positions that are scaled for longer texts (`ROPE_INIT_FUNCTIONS` of transformers 5). */

/** How the frequencies of rotary positions are scaled. `positions` is the longest text of the first training. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | { readonly type: 'dynamic'; readonly factor: number; readonly positions: number }
  | {
      readonly type: 'llama3'
      readonly factor: number
      readonly positions: number
      /** Frequencies that turn less than `low` times in `positions` are divided; more than `high` times: they stay. */
      readonly low: number
      readonly high: number
    }
  | {
      readonly type: 'yarn'
      readonly factor: number
      readonly positions: number
      /** Frequencies that turn more than `fast` times in `positions` stay; less than `slow` times: they are divided. */
      readonly fast: number
      readonly slow: number
      /** Whether the dimensions of `fast` and `slow` are rounded outwards. */
      readonly truncate: boolean
      /** What rotated queries and keys are multiplied by. */
      readonly attention: number
    }

/** Rotary positions: the base of the frequencies, and their scaling. */
export interface RopeConfig {
  readonly theta: number
  readonly scaling?: RopeScaling | undefined
}

/**
 * Turns in radians of neighbouring positions, f32 [headDim / 2], in the arithmetic of the reference: every step rounded to f32.
 *
 * @param length tokens of the sequence, which only the scaling `dynamic` depends on
 */
export function ropeFrequencies(
  { theta, scaling }: RopeConfig,
  headDim: number,
  length = 0,
): Float32Array {
  switch (scaling?.type) {
    case undefined:
      return unscaled(theta, headDim)
    case 'linear':
      return unscaled(theta, headDim).map((frequency) => frequency / scaling.factor)
    case 'dynamic':
      return unscaled(dynamicTheta(theta, scaling, headDim, length), headDim)
    case 'llama3':
      return unscaled(theta, headDim).map((frequency) => llama3(frequency, scaling))
    case 'yarn':
      return yarn(theta, scaling, headDim)
  }
}

/** The length that frequencies are made for: that of the sequence where they depend on it, else 0. */
export const scaledLength = ({ scaling }: RopeConfig, length: number): number =>
  scaling?.type === 'dynamic' && length > scaling.positions ? length : 0

const { fround } = Math
const fullTurn = fround(2 * Math.PI)

/** How many positions it takes to turn by 1, [headDim / 2]. */
const periods = (theta: number, headDim: number) =>
  Float32Array.from({ length: headDim / 2 }, (_, i) => fround(theta) ** fround((2 * i) / headDim))

const unscaled = (theta: number, headDim: number) => periods(theta, headDim).map((one) => 1 / one)

type Scaling<T extends RopeScaling['type']> = Extract<RopeScaling, { readonly type: T }>

/** The base that grows with the sequence (NTK-aware scaling). */
function dynamicTheta(
  theta: number,
  { factor, positions }: Scaling<'dynamic'>,
  headDim: number,
  length: number,
): number {
  if (length <= positions) return theta
  const stretch = fround(fround(fround(factor * length) / positions) - (factor - 1))
  return fround(theta * fround(stretch ** (headDim / (headDim - 2))))
}

function llama3(frequency: number, { factor, positions, low, high }: Scaling<'llama3'>): number {
  const period = fround(fround(1 / frequency) * fullTurn)
  if (period > positions / low) return frequency / factor
  if (period < positions / high) return frequency
  const turns = fround(fround(1 / period) * positions)
  const kept = fround(fround(turns - low) / (high - low))
  return fround(fround(fround(1 - kept) * frequency) / factor) + fround(kept * frequency)
}

/** YaRN (Peng et al. 2023): low frequencies divided, high ones kept, a ramp between them. */
function yarn(theta: number, scaling: Scaling<'yarn'>, headDim: number): Float32Array {
  const { factor, positions, fast, slow, truncate } = scaling
  const dimensionOf = (turns: number) =>
    (headDim * Math.log(positions / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const [from, to] = [dimensionOf(fast), dimensionOf(slow)]
  const low = Math.max(truncate ? Math.floor(from) : from, 0)
  const high = Math.min(truncate ? Math.ceil(to) : to, headDim - 1)
  const width = low === high ? 0.001 : high - low
  return periods(theta, headDim).map((period, i) => {
    const ramp = Math.min(1, Math.max(0, fround(fround(i - low) / fround(width))))
    const kept = fround(1 - ramp)
    const divided = fround(1 / fround(factor * period))
    return fround(divided * fround(1 - kept)) + fround(fround(1 / period) * kept)
  })
}
