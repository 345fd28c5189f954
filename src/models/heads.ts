import { linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Decoder } from './decoder.ts'
import type { Weights } from './weights.ts'

/** Turns the states of scored tokens, [sequences, hidden], into scores, f32 [sequences, 1]. */
export type Head = (tape: Tape, scored: Tensor) => Tensor

/** tanh of a dense layer, then a layer to one label: BERT's pooler and classifier, RoBERTa's classification head. */
export function classifierHead(
  weights: Weights,
  hidden: number,
  names: { readonly dense: string; readonly output: string },
): Head {
  const dense = weights.linear(names.dense, hidden, hidden)
  const output = weights.linear(names.output, 1, hidden)
  return (tape, scored) => {
    const pooled = linear(tape, scored, dense, { activation: 'tanh' })
    return linear(tape, pooled, output, { dtype: 'f32' })
  }
}

/** The logit of one word: of a language-model head only its row is loaded. */
export function wordHead(weights: Weights, decoder: Decoder, word: number): Head {
  const { config, table } = decoder
  const name = config.tied ? table : 'lm_head.weight'
  const row = weights.linearRow(name, config.vocab, config.hidden, word)
  return (tape, scored) => linear(tape, decoder.output(tape, scored), row, { dtype: 'f32' })
}
