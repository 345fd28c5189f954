import { rotaryTable } from '../tensor/rotary.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import { type RopeConfig, ropeFrequencies, scaledLength } from './rope-scaling.ts'

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

/** The turns of the tokens of a batch. */
interface Turns {
  /** f32 [rows, headDim]. */
  readonly table: Tensor
  /** Each token's row of the table. */
  readonly rows: Uint32Array<ArrayBuffer>
}

/** The RoPE table of a model, made as long as the sequences that it has met. */
export class RopeTable {
  #table = new Float32Array()

  constructor(
    readonly headDim: number,
    readonly config: RopeConfig,
  ) {}

  /**
   * The turns of a batch: a row for each position, and where frequencies depend on a sequence's length, rows of their own for
   * the sequences of each such length.
   */
  upload(tape: Tape, batch: Batch): Turns {
    const { headDim, config } = this
    const rows = positionsOf(batch)
    const blocks = new Map<number, { start: number; rows: number }>()
    const lengthOf = ({ position, length }: Batch['runs'][number]) =>
      scaledLength(config, position + length)
    for (const run of batch.runs) {
      const block = blocks.get(lengthOf(run)) ?? { start: 0, rows: 0 }
      block.rows = Math.max(block.rows, run.position + run.length)
      blocks.set(lengthOf(run), block)
    }
    let total = 0
    for (const block of blocks.values()) {
      block.start = total
      total += block.rows
    }
    for (const run of batch.runs) {
      const { start = 0 } = blocks.get(lengthOf(run)) ?? {}
      for (let i = 0; i < run.length; i++) rows[run.start + i] = (rows[run.start + i] ?? 0) + start
    }
    const tables = Array.from(blocks, ([length, { rows }]) => this.#rows(length, rows))
    const [first = new Float32Array()] = tables
    return {
      rows,
      table: tape.upload(tables.length > 1 ? concat(tables) : first, [total, headDim], 'f32'),
    }
  }

  /** So many rows of the table of sequences of a length; 0 stands for all whose frequencies do not depend on it. */
  #rows(length: number, rows: number): Float32Array<ArrayBuffer> {
    const { headDim } = this
    if (length > 0) return this.#make(length, rows)
    if (this.#table.length < rows * headDim) {
      this.#table = this.#make(0, 2 ** Math.ceil(Math.log2(rows)))
    }
    return this.#table.subarray(0, rows * headDim)
  }

  #make(length: number, rows: number): Float32Array<ArrayBuffer> {
    const { scaling } = this.config
    const scale = scaling?.type === 'yarn' ? scaling.attention : 1
    return rotaryTable(rows, ropeFrequencies(this.config, this.headDim, length), scale)
  }
}

function concat(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let start = 0
  for (const part of parts) {
    all.set(part, start)
    start += part.length
  }
  return all
}
