import type { ScoreBias } from './attention.ts'
import { productStride } from './head-products.ts'
import type { Tape } from './tape.ts'
import type { Tensor } from './tensor.ts'

/** Which row of a table stands for a distance. */
export type RowOf = (distance: number) => number

/** The rows of a table that a range of distances has, in ascending order, and which of them each distance has. */
export interface DistanceRows {
  readonly first: number
  readonly count: number
  /** What shaders/score_bias_relative.wgsl reads: u32. */
  readonly distances: Tensor
}

/** The rows of all distances from `-back` to `ahead`. */
export function distanceRows(
  tape: Tape,
  rowOf: RowOf,
  { back, ahead }: { readonly back: number; readonly ahead: number },
): DistanceRows {
  const first = rowOf(-back)
  const count = rowOf(ahead) - first + 1
  const rows = Array.from({ length: back + ahead + 1 }, (_, i) => rowOf(i - back) - first)
  const data = Uint32Array.from([productStride(count), back, ...rows])
  return { first, count, distances: tape.upload(data, [data.length], 'u32') }
}

/**
 * The bias of disentangled attention (He et al. 2021) of products with what is learned for distances: of queries, of keys, or
 * of both. c2p, p2c: from {@link headProducts}, with these rows, the one of q and the other of k.
 */
export function relativeBias(
  { distances }: DistanceRows,
  { c2p, p2c }: { readonly c2p?: Tensor | undefined; readonly p2c?: Tensor | undefined },
): ScoreBias {
  return {
    library: 'score_bias_relative',
    sizes: { C2P: c2p ? 1 : 0, P2C: p2c ? 1 : 0 },
    // A binding must be bound, read or not: the distances stand in.
    tensors: { c2p: c2p ?? distances, p2c: p2c ?? distances, distances },
  }
}
