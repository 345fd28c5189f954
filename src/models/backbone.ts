import { gatherRows } from '../tensor/gather-rows.ts'
import type { Tape } from '../tensor/tape.ts'
import type { LinearDtype, Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import type { Compression } from './compression.ts'

/** Sizes that every backbone has. */
export interface BackboneConfig {
  readonly vocab: number
  readonly hidden: number
  readonly layers: number
}

/** The states of a batch after a layer (0: the embeddings), before any final norm. They are valid until the next. */
export interface LayerState {
  readonly layer: number
  /** What the rows are of: the batch of the pass, or what merging made of it. */
  readonly batch: Batch
  /** [tokens, hidden]. Of the pass's last layer it is computed when asked for. */
  readonly x: Tensor
  /** The states of the scored tokens, [sequences, hidden]: of the last layer only these are computed. */
  scored(): Tensor
}

/** The attention of a layer, for research. */
export interface LayerAttention {
  /** The layer, counted from 1: its states are those that `LayerState` has under this number. */
  readonly layer: number
  readonly headDim: number
  /** The values, [tokens, kvHeads * headDim]. */
  readonly values: Tensor
  /** Runs the attention with other values in place of these, [tokens, heads * headDim]. */
  attend(values: Tensor): Tensor
}

/** Called with the attention of each layer that runs for every token, before its result is used. */
export type WatchAttention = (attention: LayerAttention) => void

/** Where a pass begins and ends. */
export interface LayerRange {
  /** The states of another pass; left out, the embeddings. */
  readonly from?: { readonly layer: number; readonly x: Tensor } | undefined
  /** The last layer. */
  readonly to: number
  /** For models of which the recipe says so. */
  readonly compression?: Compression | undefined
  readonly watch?: WatchAttention | undefined
}

/** A stack of layers that turns a batch into states. */
export interface Backbone {
  readonly config: BackboneConfig
  /** Dtype of its weights on the device; the matrices of the layers may be quantized besides. */
  readonly dtype: LinearDtype
  /** Layers that are loaded. */
  readonly layers: number
  /** Tokens of the longest sequence that it takes. */
  readonly maxTokens: number
  /**
   * Whether what a token computes depends on those before it alone, not even on how many follow, so that sequences that begin
   * alike may share states.
   */
  readonly causal: boolean
  states(tape: Tape, batch: Batch, range: LayerRange): Generator<LayerState, void>
  /** What a head reads of the states of scored tokens, [sequences, hidden]: after the final norm, where there is one. */
  output(tape: Tape, scored: Tensor): Tensor
}

/** One layer for the rows of `x`, which attend to all of `all`: of every token, or of the scored ones. */
type RunLayer = (index: number, x: Tensor, all: Tensor, which: 'every' | 'scored') => Tensor

/** States, and what their rows are of. */
export interface Rows {
  readonly batch: Batch
  readonly x: Tensor
  /** The rows of the scored tokens, u32 [sequences]. */
  readonly scored: Tensor
}

/**
 * Runs layers one after another from the states of `from`.
 *
 * @param merge makes other rows of those that a layer is about to take, and frees theirs; it may leave them as they are
 */
export function* layerStates(
  tape: Tape,
  from: Rows & { readonly layer: number },
  to: number,
  run: RunLayer,
  merge: (index: number, rows: Rows) => Rows = (_, rows) => rows,
): Generator<LayerState, void> {
  let rows: Rows = from
  const stateOf = (layer: number, { batch, x, scored }: Rows): LayerState => ({
    layer,
    batch,
    x,
    scored: () => gatherRows(tape, x, scored),
  })
  if (from.layer === 0) yield stateOf(0, rows)
  for (let i = from.layer; i < to; i++) {
    rows = merge(i, rows)
    const { batch, x: input, scored } = rows
    if (i + 1 < to) {
      rows = { ...rows, x: tape.scope([input], () => run(i, input, input, 'every')) }
      yield stateOf(i + 1, rows)
      continue
    }
    yield {
      layer: to,
      batch,
      get x() {
        return tape.scope([], () => run(i, input, input, 'every'))
      },
      scored: () => tape.scope([], () => run(i, gatherRows(tape, input, scored), input, 'scored')),
    }
  }
}
