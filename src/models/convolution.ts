import { type LayerNorm, layerNorm } from '../tensor/layer-norm.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import { neighbors } from '../tensor/neighbors.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import type { ConvolutionConfig } from './encoder-config.ts'
import type { Weights } from './weights.ts'

/** A convolution over the tokens of a sequence, added to what a layer gives, and their norm (`ConvLayer` of DeBERTa-v2). */
export class Convolution {
  readonly #layer: Linear
  readonly #norm: LayerNorm

  /** @param name what the checkpoint calls it */
  constructor(
    readonly config: ConvolutionConfig,
    weights: Weights,
    name: string,
    { hidden, eps }: { readonly hidden: number; readonly eps: number },
  ) {
    this.#layer = weights.convolution(`${name}.conv`, hidden, hidden, 2 * config.reach + 1)
    this.#norm = weights.layerNorm(`${name}.LayerNorm`, hidden, eps)
  }

  /** For every token, or for the first of each sequence: its row, the first of its sequence and the one after its last. */
  spans(tape: Tape, { ends }: Batch, which: 'every' | 'scored'): Tensor {
    const spans = ends.flatMap(({ start, length }) =>
      Array.from({ length: which === 'every' ? length : 1 }, (_, i) => {
        return [start + i, start, start + length]
      }),
    )
    return tape.upload(Uint32Array.from(spans.flat()), [spans.length, 3], 'u32')
  }

  /** norm(y + activation(convolution of x)), for the rows that {@link spans} are of. */
  run(tape: Tape, x: Tensor, spans: Tensor, y: Tensor): Tensor {
    const { reach, activation } = this.config
    const around = neighbors(tape, x, spans, reach)
    return layerNorm(tape, linear(tape, around, this.#layer, { activation, add: y }), this.#norm)
  }
}
