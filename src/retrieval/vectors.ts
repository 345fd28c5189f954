import { f16ToF32, f32ToF16 } from '../checkpoint/index.ts'
import { RetrievalError } from './errors.ts'

/** Numbers as they are stored: of f32, or the bit patterns of f16. */
export type StoredNumbers = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>

/** The vectors of a corpus, in the order of its passages. */
export interface Vectors {
  readonly count: number
  readonly dimensions: number
  readonly dtype: 'f32' | 'f16'
  /** An upper bound of the lengths of the vectors `first` to `end` (exclusive). */
  norm(first: number, end: number): number
  /** The numbers of the vectors `first` to `end` (exclusive), one vector after another. */
  read(first: number, end: number): Promise<StoredNumbers>
}

/** Stored numbers as f32. */
export const numbersOf = (stored: StoredNumbers): Float32Array =>
  stored instanceof Float32Array ? stored : f16ToF32(stored)

/** Numbers of f32 as a dtype stores them. */
export const asStored = (
  numbers: Float32Array<ArrayBuffer>,
  dtype: Vectors['dtype'],
): StoredNumbers => (dtype === 'f32' ? numbers : (f32ToF16(numbers) as Uint16Array<ArrayBuffer>))

/**
 * An upper bound of the lengths of vectors.
 *
 * @throws RetrievalError `vectors-invalid` where a number is not finite
 */
export function largestNorm(stored: StoredNumbers, dimensions: number): number {
  const numbers = numbersOf(stored)
  let largest = 0
  for (let start = 0; start < numbers.length; start += dimensions) {
    let sum = 0
    for (let i = start; i < start + dimensions; i++) sum += (numbers[i] as number) ** 2
    if (!Number.isFinite(sum)) {
      throw new RetrievalError(
        'vectors-invalid',
        `vector ${start / dimensions}: has a number that is not finite; f16 holds numbers up to 65504`,
      )
    }
    largest = Math.max(largest, sum)
  }
  return Math.sqrt(largest) * (1 + 1e-12)
}

/**
 * Vectors in memory.
 *
 * @param stored [count, dimensions]
 * @throws RetrievalError `vectors-invalid`
 */
export function memoryVectors(stored: StoredNumbers, dimensions: number): Vectors {
  const count = stored.length / dimensions
  if (!Number.isInteger(count)) {
    throw new RetrievalError(
      'vectors-invalid',
      `found ${stored.length} numbers; expected a multiple of ${dimensions}, the dimensions`,
    )
  }
  const norm = largestNorm(stored, dimensions)
  return {
    count,
    dimensions,
    dtype: stored instanceof Float32Array ? 'f32' : 'f16',
    norm: () => norm,
    read: async (first, end) => stored.subarray(first * dimensions, end * dimensions),
  }
}
