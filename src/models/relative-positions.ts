import type { ScoreBias } from '../tensor/attention.ts'
import { embedRows, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { headProducts } from '../tensor/head-products.ts'
import { type LayerNorm, layerNorm } from '../tensor/layer-norm.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import { distanceRows, relativeBias } from '../tensor/relative.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import type { EncoderConfig, RelativeConfig } from './encoder-config.ts'
import type { QueryKeyValue } from './query-key-value.ts'
import type { Weights } from './weights.ts'

/** What a layer projects distances with. */
interface DistanceProjections {
  readonly key: Linear | undefined
  readonly query: Linear | undefined
}

/** Distances that are projected so, [rows of the table, hidden]. */
interface ProjectedDistances {
  readonly key: Tensor | undefined
  readonly query: Tensor | undefined
}

/** Makes the bias of a layer's scores: queries of every token or of the scored ones, keys of every token. */
export type LayerBias = (
  layer: number,
  q: Tensor,
  k: Tensor,
  which: 'every' | 'scored',
) => ScoreBias

/** Half the rows of the table: that of distance 0. */
const spanOf = ({ buckets, longest }: RelativeConfig): number => (buckets > 0 ? buckets : longest)

/**
 * The row of a distance, in the f32 steps of the reference (`make_log_bucket_position`): up to half the buckets its own, beyond
 * that by its logarithm.
 */
export function relativeRow(config: RelativeConfig, distance: number): number {
  const { buckets, longest } = config
  const { fround, log } = Math
  const span = spanOf(config)
  const middle = Math.floor(buckets / 2)
  const size = Math.abs(distance)
  let bucket = size
  if (buckets > 0 && size > middle) {
    const most = fround(log(fround((longest - 1) / middle)))
    const part = fround(fround(log(fround(size / middle))) / most)
    bucket = Math.ceil(fround(part * (middle - 1))) + middle
  }
  return Math.max(0, Math.min(span + Math.sign(distance) * bucket, 2 * span - 1))
}

/** The table of distances of a model, and what its layers make of it. */
export class RelativePositions {
  readonly #table: HostTable
  readonly #norm: LayerNorm | undefined
  readonly #layers: readonly DistanceProjections[]

  /** @param prefix what the checkpoint calls the encoder */
  constructor(
    readonly config: RelativeConfig,
    readonly encoder: EncoderConfig,
    weights: Weights,
    prefix: string,
    layers: readonly QueryKeyValue[],
  ) {
    const { hidden, eps } = encoder
    const { c2p, p2c, shared, normed } = config
    const rows = 2 * spanOf(config)
    this.#table = weights.hostTable(`${prefix}.encoder.rel_embeddings.weight`, rows, hidden)
    this.#norm = normed ? weights.layerNorm(`${prefix}.encoder.LayerNorm`, hidden, eps) : undefined
    this.#layers = layers.map(({ query, key }, i) => {
      const own = (name: string) =>
        weights.linear(`${prefix}.encoder.layer.${i}.attention.self.${name}`, hidden, hidden)
      return {
        key: c2p ? (shared ? key : own('pos_key_proj')) : undefined,
        query: p2c ? (shared ? query : own('pos_query_proj')) : undefined,
      }
    })
  }

  /** The biases of a pass. Its longest sequence says which rows of the table are multiplied with. */
  pass(tape: Tape, { ends }: Batch): LayerBias {
    const { hidden, heads } = this.encoder
    const headDim = hidden / heads
    const scale = scoreScale(headDim, this.config)
    const back = ends.reduce((most, { length }) => Math.max(most, length), 1) - 1
    const rowOf = (distance: number) => relativeRow(this.config, distance)
    const rows = {
      every: distanceRows(tape, rowOf, { back, ahead: back }),
      // The first token of a sequence is the scored one.
      scored: distanceRows(tape, rowOf, { back, ahead: 0 }),
    }
    const layers = this.#projected(tape)
    return (layer, q, k, which) => {
      const { key, query } = layers[layer] as ProjectedDistances
      const { first, count } = rows[which]
      const products = (x: Tensor, table: Tensor | undefined) =>
        table && headProducts(tape, x, table, { headDim, first, count, scale })
      return relativeBias(rows[which], { c2p: products(q, key), p2c: products(k, query) })
    }
  }

  /** The distances as each layer projects them. */
  #projected(tape: Tape): ProjectedDistances[] {
    const table = tape.constant(this, () => {
      const ids = Uint32Array.from({ length: this.#table.shape[0] }, (_, i) => i)
      const x = embedRows(tape, gatherTable(tape, this.#table, ids), this.#table, 1)
      return this.#norm ? layerNorm(tape, x, this.#norm) : x
    })
    const projected = (layer: Linear | undefined) =>
      layer && tape.constant(layer, () => linear(tape, table, layer))
    return this.#layers.map(({ key, query }) => ({ key: projected(key), query: projected(query) }))
  }
}

/** What scores are multiplied with: 1 / sqrt(headDim), less for each term that they gain. */
export const scoreScale = (
  headDim: number,
  { c2p, p2c }: Pick<RelativeConfig, 'c2p' | 'p2c'>,
): number => 1 / Math.sqrt(headDim * (1 + Number(c2p) + Number(p2c)))
