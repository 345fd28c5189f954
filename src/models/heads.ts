import { type Activation, linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { LayerState } from './backbone.ts'
import type { Batch } from './batch.ts'
import type { Decoder } from './decoder.ts'
import type { Weights } from './weights.ts'

/** The layers from `first` to `last`, every `step`-th. */
export const layersFrom = (first: number, last: number, step = 1): number[] =>
  Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step)

/** Turns the states of a batch into scores, f32 [sequences, 1]. */
export type Head = (tape: Tape, state: LayerState, batch: Batch) => Tensor

/** A dense layer with an activation, then a layer to one label: BERT's pooler and classifier, RoBERTa's classification head. */
export function classifierHead(
  weights: Weights,
  hidden: number,
  names: { readonly dense: string; readonly output: string },
  activation: Activation = 'tanh',
): Head {
  const dense = weights.linear(names.dense, hidden, hidden)
  const output = weights.linear(names.output, 1, hidden)
  return (tape, state) => {
    const pooled = linear(tape, state.scored(), dense, { activation })
    return linear(tape, pooled, output, { dtype: 'f32' })
  }
}

/** The token ids of the words whose logits are the score: that of `word`, less that of `minus`. */
export interface Words {
  readonly word: number
  readonly minus?: number | undefined
}

/** The logit of one word, or the difference of two: of a language-model head only their rows are loaded. */
export function wordHead(weights: Weights, decoder: Decoder, { word, minus }: Words): Head {
  const { config, table } = decoder
  const { vocab, hidden } = config
  const name = config.tied ? table : 'lm_head.weight'
  const row =
    minus === undefined
      ? weights.linearRow(name, vocab, hidden, word)
      : weights.linearRowDifference(name, vocab, hidden, word, minus)
  return (tape, state) => linear(tape, decoder.output(tape, state.scored()), row, { dtype: 'f32' })
}

/** A layer to one label, without bias. */
export function lastTokenHead(weights: Weights, decoder: Decoder, name: string): Head {
  const layer = weights.linear(name, 1, decoder.config.hidden, { bias: false })
  return (tape, state) =>
    linear(tape, decoder.output(tape, state.scored()), layer, { dtype: 'f32' })
}
