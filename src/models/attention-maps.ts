import { f32ToF16 } from '../checkpoint/index.ts'
import type { KeptTensor, Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Backbone, LayerAttention } from './backbone.ts'
import type { Batch } from './batch.ts'

/** The attention of a layer of one sequence on the device, until it is released. */
export interface KeptMap {
  readonly layer: number
  readonly headDim: number
  /** Probabilities of `headDim` keys each, [tokens, heads * headDim]; the last of them is filled up with zeros. */
  readonly parts: readonly KeptTensor[]
}

/**
 * Records the softmax probabilities of attention of some layers. Attention is run again with rows of the identity as values: what a
 * token then gathers in column j of a head is its probability for key j, with the masks, biases and rotations of the model and by
 * the kernel that it uses. As many runs as there are times `headDim` keys.
 *
 * @param batch one sequence
 * @param kept takes what stays on the device; the caller releases it, also where recording fails
 */
export function recordAttentionMaps(
  tape: Tape,
  backbone: Backbone,
  batch: Batch,
  layers: readonly number[],
  kept: KeptMap[],
): void {
  const tokens = batch.ids.length
  const identities = new Map<number, Tensor>()
  const watch = ({ layer, headDim, values, attend }: LayerAttention) => {
    if (!layers.includes(layer)) return
    const parts: KeptTensor[] = []
    kept.push({ layer, headDim, parts })
    for (let first = 0; first < tokens; first += headDim) {
      const identity =
        identities.get(first) ?? uploadIdentity(tape, values.shape, { first, headDim })
      identities.set(first, identity)
      parts.push(tape.keep(attend(identity)))
    }
  }
  const to = Math.max(...layers)
  for (const state of backbone.states(tape, batch, { to, watch })) {
    // The last layer runs when its states are asked for.
    if (state.layer === to) void state.x
  }
}

/** Values that are 1 in column `key - first` of each head, for `headDim` keys from `first` on, else 0. */
function uploadIdentity(
  tape: Tape,
  shape: readonly number[],
  { first, headDim }: { readonly first: number; readonly headDim: number },
): Tensor {
  const [tokens = 0, width = 0] = shape
  const numbers = new Float32Array(tokens * width)
  const end = Math.min(tokens, first + headDim)
  for (let key = first; key < end; key++) {
    for (let column = key - first; column < width; column += headDim) {
      numbers[key * width + column] = 1
    }
  }
  const stored = tape.activations === 'f16' ? f32ToF16(numbers) : numbers
  return tape.upload(stored as typeof numbers, shape, tape.activations)
}

/**
 * The probabilities of a layer, f32 [heads, tokens, tokens], rows for queries.
 *
 * @param parts the numbers of its parts
 */
export function joinAttentionMap(
  parts: readonly Float32Array[],
  headDim: number,
  tokens: number,
): Float32Array<ArrayBuffer> {
  const heads = (parts[0]?.length ?? 0) / tokens / headDim
  const map = new Float32Array(heads * tokens * tokens)
  for (const [at, part] of parts.entries()) {
    const first = at * headDim
    const count = Math.min(headDim, tokens - first)
    for (let head = 0; head < heads; head++) {
      for (let row = 0; row < tokens; row++) {
        const from = (row * heads + head) * headDim
        map.set(part.subarray(from, from + count), (head * tokens + row) * tokens + first)
      }
    }
  }
  return map
}
