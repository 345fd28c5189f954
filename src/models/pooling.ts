import { gatherRows } from '../tensor/gather-rows.ts'
import { meanRows } from '../tensor/mean-rows.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Backbone, LayerState } from './backbone.ts'
import { type Batch, scoredRows } from './batch.ts'

/** How the states of a sequence become one: that of the first token or of the last, or the mean of all. */
export type Pooling = 'cls' | 'mean' | 'lasttoken'

/** Whether a pooling reads the tokens that the backbone scores, of which alone the last layer is computed. */
export const readsScored = ({ causal }: Backbone, pooling: Pooling): boolean =>
  pooling === (causal ? 'lasttoken' : 'cls')

/** The states of the last layer. */
export function lastState(backbone: Backbone, tape: Tape, batch: Batch): LayerState {
  for (const state of backbone.states(tape, batch, { to: backbone.layers })) {
    if (state.layer === backbone.layers) return state
  }
  throw new Error('internal: the backbone gives no state of its last layer')
}

/**
 * One row for each sequence, [sequences, hidden]. Sequences may share prefixes where {@link readsScored}.
 *
 * @param every the states of all tokens, where a caller has them: after the final norm, [tokens, hidden]
 * @param skip how many tokens at the start of each sequence the mean leaves out; at least one must be left
 */
export function pool(
  backbone: Backbone,
  tape: Tape,
  batch: Batch,
  { pooling, skip = 0, state, every }: Pooled,
): Tensor {
  if (!every && readsScored(backbone, pooling)) return backbone.output(tape, state.scored())
  const all = every ?? backbone.output(tape, state.x)
  const upload = (rows: Uint32Array<ArrayBuffer>) => tape.upload(rows, [rows.length], 'u32')
  if (pooling !== 'mean') {
    return gatherRows(tape, all, upload(scoredRows(batch, pooling === 'cls' ? 'first' : 'last')))
  }
  const starts = Uint32Array.from(batch.ends, ({ start }) => start + skip)
  const lengths = Uint32Array.from(batch.ends, ({ length }) => length - skip)
  return meanRows(tape, all, upload(starts), upload(lengths))
}

interface Pooled {
  readonly pooling: Pooling
  readonly skip?: number
  readonly state: LayerState
  readonly every?: Tensor | undefined
}
