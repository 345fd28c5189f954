import { rotaryTable } from '../tensor/rotary.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import type { RopeConfig } from './rope-config.ts'

/** The longest sequence of models without a table of positions. */
export const mostTokens = 2 ** 16

/** Where each token of a batch stands in its sequence. */
export function positionsOf({ ids, runs }: Batch): Uint32Array<ArrayBuffer> {
  const positions = new Uint32Array(ids.length)
  for (const { start, length, position } of runs) {
    for (let i = 0; i < length; i++) positions[start + i] = position + i
  }
  return positions
}

/** The RoPE table of a model, made as long as the sequences that it has met. */
export class RopeTable {
  #table = new Float32Array()

  constructor(
    readonly headDim: number,
    readonly config: RopeConfig,
  ) {}

  /** The table up to the last of these positions, f32 [positions, headDim]. */
  upload(tape: Tape, positions: Uint32Array): Tensor {
    const { headDim } = this
    const { theta, ropeFactor } = this.config
    const needed = positions.reduce((most, position) => Math.max(most, position), 0) + 1
    if (this.#table.length < needed * headDim) {
      const rows = 2 ** Math.ceil(Math.log2(needed))
      this.#table = rotaryTable(rows, headDim, theta, ropeFactor)
    }
    return tape.upload(this.#table.subarray(0, needed * headDim), [needed, headDim], 'f32')
  }
}
