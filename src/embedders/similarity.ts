import { EmbedderError } from './errors.ts'
import type { SimilarityName } from './modules.ts'

/** The three kinds of embeddings of a text (bge-m3; Chen et al. 2024). */
export interface MultiEmbedding {
  readonly dense: Float32Array
  /** The weight of each token id that has one above 0. */
  readonly sparse: Readonly<Record<number, number>>
  /** A vector for each token but the first. */
  readonly colbert: readonly Float32Array[]
}

/** The scores of two texts by each kind of embedding, and their weighted mean. */
export interface MultiSimilarity {
  readonly dense: number
  readonly sparse: number
  readonly colbert: number
  readonly mixed: number
}

/** The weights of the three scores in their mean. Default: 1 each. */
export interface MultiWeights {
  readonly dense?: number | undefined
  readonly sparse?: number | undefined
  readonly colbert?: number | undefined
}

/** Sums over two vectors, in double precision. */
function sum(a: Float32Array, b: Float32Array, term: (x: number, y: number) => number): number {
  let total = 0
  for (let i = 0; i < a.length; i++) total += term(a[i] as number, b[i] as number)
  return total
}

const dot = (a: Float32Array, b: Float32Array) => sum(a, b, (x, y) => x * y)

/** The length of the vector below which sentence-transformers divides by this. */
const leastNorm = 1e-12

const norm = (a: Float32Array) => Math.max(Math.sqrt(dot(a, a)), leastNorm)

const functions: Readonly<Record<SimilarityName, (a: Float32Array, b: Float32Array) => number>> = {
  cosine: (a, b) => dot(a, b) / (norm(a) * norm(b)),
  dot,
  euclidean: (a, b) => -Math.sqrt(sum(a, b, (x, y) => (x - y) ** 2)),
  manhattan: (a, b) => -sum(a, b, (x, y) => Math.abs(x - y)),
}

/** The similarity of two vectors of the same length. */
export function vectorSimilarity(name: SimilarityName, a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) {
    throw new EmbedderError(
      'input-invalid',
      `similarity: found vectors of ${a.length} and ${b.length} numbers; expected as many in both`,
    )
  }
  return functions[name](a, b)
}

/**
 * The scores of a query and a passage (FlagEmbedding's `compute_score`): the dot product of the dense embeddings, the sum of
 * products of the ids that both have, and the mean over the query's vectors of the largest dot product with one of the passage.
 */
export function multiSimilarity(
  query: MultiEmbedding,
  passage: MultiEmbedding,
  weights: MultiWeights = {},
): MultiSimilarity {
  const scores = {
    dense: vectorSimilarity('dot', query.dense, passage.dense),
    sparse: sparseScore(query.sparse, passage.sparse),
    colbert: colbertScore(query.colbert, passage.colbert),
  }
  const { dense = 1, sparse = 1, colbert = 1 } = weights
  const total = dense + sparse + colbert
  if (!(total > 0)) {
    throw new EmbedderError(
      'option-invalid',
      `weights: found a sum of ${total}; expected weights of dense, sparse and colbert with a sum above 0`,
    )
  }
  const mixed = scores.dense * dense + scores.sparse * sparse + scores.colbert * colbert
  return { ...scores, mixed: mixed / total }
}

function sparseScore(a: MultiEmbedding['sparse'], b: MultiEmbedding['sparse']): number {
  let total = 0
  for (const [id, weight] of Object.entries(a)) total += weight * (b[Number(id)] ?? 0)
  return total
}

function colbertScore(query: readonly Float32Array[], passage: readonly Float32Array[]): number {
  if (query.length === 0 || passage.length === 0) return 0
  const best = query.map((vector) =>
    passage.reduce((most, other) => Math.max(most, dot(vector, other)), Number.NEGATIVE_INFINITY),
  )
  return best.reduce((total, value) => total + value, 0) / query.length
}

/** A vector of its own, divided by its length where asked for. */
export function finished(numbers: Float32Array, normalize: boolean): Float32Array {
  const vector = numbers.slice()
  if (!normalize) return vector
  const length = norm(vector)
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) / length
  return vector
}
