import { type AttentionTiles, attentionTiles } from '../tensor/attention.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { allSpans, type Batch, scoredRows, scoredSpans } from './batch.ts'

/** What attention reads of the tokens that a layer runs for. */
export interface AttentionTables<Positions = Tensor> {
  readonly tiles: AttentionTiles
  /** Positions by which queries and keys are rotated, u32 [tokens]; `undefined` where the model does not rotate. */
  readonly positions: Positions
}

/** The tables of a pass. */
interface PassTables<Positions> {
  /** The rows of the scored tokens, u32 [sequences]. */
  readonly rows: Tensor
  readonly every: AttentionTables<Positions>
  readonly scored: AttentionTables<Positions>
}

/**
 * The tables of a pass: for every token of a batch, and for the scored tokens alone.
 *
 * @param which the token of a sequence that is scored
 * @param positions of each token in its sequence, where the model rotates
 */
export function attentionTables<P extends Uint32Array<ArrayBuffer> | undefined>(
  tape: Tape,
  batch: Batch,
  headDim: number,
  which: 'first' | 'last',
  positions: P,
): PassTables<P extends undefined ? undefined : Tensor>
export function attentionTables(
  tape: Tape,
  batch: Batch,
  headDim: number,
  which: 'first' | 'last',
  positions: Uint32Array<ArrayBuffer> | undefined,
): PassTables<Tensor | undefined> {
  const upload = (rows: Uint32Array<ArrayBuffer>) => tape.upload(rows, [rows.length], 'u32')
  const scored = scoredRows(batch, which)
  return {
    rows: upload(scored),
    every: {
      tiles: attentionTiles(tape, allSpans(batch), headDim),
      positions: positions && upload(positions),
    },
    scored: {
      tiles: attentionTiles(tape, scoredSpans(batch, which), headDim),
      positions: positions && upload(scored.map((row) => positions[row] as number)),
    },
  }
}
