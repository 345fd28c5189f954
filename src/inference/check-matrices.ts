import { f16ToF32 } from '../checkpoint/index.ts'
import type { AdapterFacts, Gpu } from '../gpu/device.ts'
import {
  type AttentionKernel,
  attention,
  attentionKernels,
  attentionTiles,
} from '../tensor/attention.ts'
import { linearBytes, linearRowWords, linearUnit } from '../tensor/layout.ts'
import { choicesOf, type LinearKernel, linear, linearKernels } from '../tensor/linear.ts'
import { PlanTape, RecordTape, type Tape } from '../tensor/tape.ts'
import { elements, type LinearDtype, type Tensor } from '../tensor/tensor.ts'
import { isQuantized } from '../weight-dtypes.ts'

/** One operation on the same numbers by several kernels, the one that is trusted first. */
interface Comparison {
  readonly operation: string
  /** What `kernels` calls the kernel that is checked. */
  readonly kernel: string
  readonly runs: readonly { readonly name: string; record(tape: Tape): Tensor }[]
}

/**
 * What two kernels may differ by, of max(1, |x|). The numbers below are exact in f16, and sums are in f32; then both kernels round
 * to f16, which sets close sums at most a unit in the last place apart: 2^-10 of the number. Attention rounds its weights to
 * f16, too: this moves a mean of values below 0.5 by 2^-11 at most, and its unit in the last place is 2^-12.
 */
const tolerance = 2 ** -10

/** Rows and columns that no tile divides, and more than one step along the sums. */
const layer = { rows: 33, inner: 64, columns: 130 }
/** Sequences within and beyond the keys and rows of a step; two heads share keys and values. */
const lengths = [1, 33, 70]
const heads = { queries: 4, keys: 2 }
/** Spreads the scores of a row with a standard deviation of about 4: single values count, and sums are rescaled. */
const scoreScale = 44

/**
 * Compares kernels of subgroup matrices with those that would be used without them, by random numbers: constants would hide numbers
 * in the wrong place. Gives for each operation and kernel what was found, or an empty text where they agree. A kernel that the driver
 * does not compile is a finding, too.
 *
 * @param kernels as `info.kernels` has them: `['linear f16', 'linear_matrix 128x128']`
 */
export async function compareMatrices(
  gpu: Gpu,
  kernels: readonly (readonly [operation: string, kernel: string])[],
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const comparisons = kernels.flatMap(([operation, kernel]) => {
    const [kind, of = ''] = operation.split(' ')
    return kind === 'linear'
      ? [compareLinear(gpu.facts, of as LinearDtype, kernel)]
      : [false, true].map((causal) => compareAttention(gpu.facts, Number(of), kernel, causal))
  })
  signal?.throwIfAborted()
  const refusals = await Promise.all(comparisons.map((comparison) => refusalOf(gpu, comparison)))
  signal?.throwIfAborted()
  const compiled = comparisons.filter((_, i) => refusals[i] === undefined)
  const results = await readAll(
    gpu,
    compiled.flatMap(({ runs }) => runs),
  )
  signal?.throwIfAborted()

  const found: Record<string, string> = {}
  for (const [i, comparison] of comparisons.entries()) {
    const { operation, kernel, runs } = comparison
    const fault = refusals[i] ?? faultOf(comparison, results.splice(0, runs.length))
    found[`${operation} ${kernel}`] ||= fault && warningOf(gpu.facts, fault)
  }
  return found
}

/** Compiles the kernels of a comparison; tells what the driver does not take of those that are checked. */
async function refusalOf(
  gpu: Gpu,
  { operation, runs: [trusted, ...checked] }: Comparison,
): Promise<string | undefined> {
  const kernelsOf = (runs: Comparison['runs']) => {
    const plan = new PlanTape(gpu, 'f16')
    for (const run of runs) run.record(plan)
    return plan.kernels
  }
  const [refusal] = await Promise.all([
    gpu.refusal(kernelsOf(checked)),
    gpu.compile(kernelsOf(trusted ? [trusted] : [])),
  ])
  return refusal && `for ${operation}, ${refusal.message}`
}

const warningOf = ({ description, vendor }: AdapterFacts, fault: string): string =>
  `subgroup matrices of ${description || vendor || 'this adapter'} are wrong: ${fault}. Slower kernels are used instead. Update the graphics driver, and report this with the output of "dawnrank doctor --json"; matrices: false leaves them out without this warning`

/** What is wrong with the first kernel whose numbers differ from those of the trusted one; empty where none do. */
function faultOf(
  { operation, runs }: Comparison,
  [expected = new Float32Array(), ...others]: Float32Array[],
): string {
  const [trusted, ...checked] = runs.map(({ name }) => name)
  for (const [i, numbers] of others.entries()) {
    const at = firstOff(numbers, expected)
    if (at >= 0)
      return `${checked[i]} for ${operation} gives ${numbers[at]} where ${trusted} gives ${expected[at]}`
  }
  return ''
}

async function readAll(gpu: Gpu, runs: Comparison['runs']): Promise<Float32Array[]> {
  if (runs.length === 0) return []
  const tape = new RecordTape(gpu, 'f16', 'check of subgroup matrices')
  let reading: Promise<ArrayBuffer[]>
  try {
    reading = tape.read(runs.map((run) => run.record(tape)))
  } catch (error) {
    tape.discard()
    throw error
  }
  return (await reading).map((bytes) => f16ToF32(new Uint16Array(bytes)))
}

/** The first number that is further off than rounding explains, or not finite; -1 where there is none. */
const firstOff = (found: Float32Array, expected: Float32Array): number =>
  found.findIndex((x, i) => {
    const wanted = expected[i] as number
    return !(Math.abs(x - wanted) <= tolerance * Math.max(1, Math.abs(wanted)))
  })

const withoutMatrices = (facts: AdapterFacts): AdapterFacts => ({ ...facts, subgroupMatrices: [] })

const named = <K extends { readonly name: string }>(kernels: readonly K[], name: string): K =>
  kernels.find((kernel) => kernel.name === name) as K

/** Tiles of every size that the number of rows may choose. */
function compareLinear(facts: AdapterFacts, dtype: LinearDtype, kernel: string): Comparison {
  const [trusted] = linearKernels(withoutMatrices(facts), dtype, 'f16')
  const { rows, inner, columns } = layer
  const words = randomWeights(dtype)
  const x = randomHalves(1, rows * inner)
  const runOf = (by: LinearKernel) => ({
    name: by.name,
    record(tape: Tape) {
      const shape = [columns, inner] as const
      const packed = new Uint32Array(linearBytes(by, dtype, shape) / 4)
      packed.set(by.pack(words, linearUnit(dtype), linearRowWords(dtype, inner), columns))
      const { block } = tape.upload(packed, [packed.length], 'u32')
      const weight = { name: 'check', shape, dtype, block, kernel: { ...by, smaller: [] }, tile: 0 }
      return linear(tape, tape.upload(x, [rows, inner], 'f16'), { weight })
    },
  })
  const checked = choicesOf(named(linearKernels(facts, dtype, 'f16'), kernel))
  return { operation: `linear ${dtype}`, kernel, runs: [trusted, ...checked].map(runOf) }
}

function compareAttention(
  facts: AdapterFacts,
  headDim: number,
  kernel: string,
  causal: boolean,
): Comparison {
  const [trusted] = attentionKernels(withoutMatrices(facts), headDim, 'f16')
  const rows = lengths.reduce((sum, length) => sum + length)
  const spans = lengths.map((length, i) => {
    const row = lengths.slice(0, i).reduce((sum, before) => sum + before, 0)
    return { row, rows: length, position: 0, key: row, keys: length }
  })
  const shapes = [heads.queries, heads.keys, heads.keys].map((count) => [rows, count * headDim])
  const numbers = shapes.map((shape, i) => randomHalves(2 + i, elements(shape)))
  const runOf = (by: AttentionKernel) => ({
    name: by.name,
    record(tape: Tape) {
      const [q, k, v] = shapes.map((shape, i) =>
        tape.upload(numbers[i] as Uint16Array<ArrayBuffer>, shape, 'f16'),
      ) as [Tensor, Tensor, Tensor]
      const scale = scoreScale / Math.sqrt(headDim)
      return attention(tape, q, k, v, attentionTiles(tape, spans, headDim, by), headDim, {
        causal,
        scale,
      })
    },
  })
  const checked = named(attentionKernels(facts, headDim, 'f16'), kernel)
  return { operation: `attention ${headDim}`, kernel, runs: [trusted, checked].map(runOf) }
}

/** Numbers of f16 from 0.125 to 0.5 in size, of both signs. */
const randomHalves = (seed: number, count: number): Uint16Array<ArrayBuffer> =>
  Uint16Array.from(randomWords(seed, count), (word) => (word & 0x87ff) | 0x3000)

/** Rows of a weight, such that each number, that of a group with its scale and offset, too, is one of f16. */
function randomWeights(dtype: LinearDtype): Uint32Array<ArrayBuffer> {
  const rowWords = linearRowWords(dtype, layer.inner)
  const words = randomWords(5, layer.columns * rowWords)
  if (dtype === 'f16') return words.map((word) => (word & 0x87ff87ff) | 0x30003000)
  if (!isQuantized(dtype)) return words.map((word) => (word & 0x80ff80ff) | 0x3e003e00)
  const groups = layer.inner / 32
  // Offsets of 0.125 to 0.5 with 3 bits above scales of a power of two, in bf16.
  const scale = dtype === 'int8' ? 0x3b00 : 0x3d00
  return words.map((word, i) =>
    i % (rowWords / groups) === 0 ? (word & 0x80e00080) | 0x3e000000 | scale : word,
  )
}

/** Words that are the same each time: mulberry32. */
function randomWords(seed: number, count: number): Uint32Array<ArrayBuffer> {
  let state = seed
  return Uint32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return t ^ (t >>> 14)
  })
}
