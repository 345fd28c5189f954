import type { Gpu } from '../gpu/device.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import { PlanTape, RecordTape, type Tape } from '../tensor/tape.ts'
import { topK } from '../tensor/top-k.ts'
import { Best } from './best.ts'
import { RetrievalError } from './errors.ts'
import { checkCount } from './first-stage.ts'
import { type Slice, type SliceOptions, Slices } from './slices.ts'
import { numbersOf, type Vectors } from './vectors.ts'

/** A vector by its number, and its dot product with the query. */
export interface FoundVector {
  readonly row: number
  readonly score: number
}

/** Options of a search. */
export interface ExactSearchOptions extends SliceOptions {
  readonly signal?: AbortSignal | undefined
}

/** Queries that are searched for at once: their products with a slice are kept on the device. */
const mostQueries = 128
/** Candidates that the device names beyond `k`, for it sums in f32. */
const spare = 64
/** Past this share of its vectors, a slice is read as a whole, not vector by vector. */
const readWhole = 1 / 64
/** The bound of the relative error of one operation in f32. */
const unit = 2 ** -24

/** Columns and values that the device named for a query, the largest first. */
interface Candidates {
  readonly rows: readonly number[]
  readonly values: readonly number[]
}

/** A query with the best vectors so far. */
interface Search {
  readonly query: Float32Array
  readonly norm: number
  readonly best: Best<FoundVector>
}

const isBetter = (a: FoundVector, b: FoundVector) =>
  a.score === b.score ? a.row < b.row : a.score > b.score

/**
 * Exact search by dot product. The device names candidates of each slice of the corpus: products in f32, and the largest of
 * them. The host computes the candidates' products in double precision and decides, vectors of lower number first where
 * they are equal. Where a vector that is not among the candidates could have been one, by the bound of the error of the
 * products in f32, the host goes through the slice itself. So the result is that of a plain search in double precision over
 * the stored numbers, whatever the adapter, the kernels and the slices.
 */
export class ExactSearch {
  readonly #slices: Slices
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    readonly gpu: Gpu,
    readonly vectors: Vectors,
    readonly options: ExactSearchOptions = {},
  ) {
    this.#slices = new Slices(gpu, vectors, options)
  }

  /**
   * The `k` vectors with the largest dot products with each query, the largest first; all where there are fewer.
   *
   * @throws RetrievalError `vectors-invalid` for a query of other dimensions, or with a number that is not finite
   */
  search(queries: readonly Float32Array[], k: number): Promise<FoundVector[][]> {
    checkCount('k', k)
    for (const query of queries) checkQuery(query, this.vectors)
    // One after another: a slice that does not stay on the device takes the place of another.
    const found = this.#last.then(() => this.#searchAll(queries, k))
    this.#last = found.catch(() => {})
    return found
  }

  async #searchAll(queries: readonly Float32Array[], k: number): Promise<FoundVector[][]> {
    const found: FoundVector[][] = []
    for (let first = 0; first < queries.length; first += mostQueries) {
      const searches = queries.slice(first, first + mostQueries).map((query) => ({
        query,
        norm: Math.sqrt(dot(query, 0, query)),
        best: new Best(k, isBetter),
      }))
      await this.#searchSlices(searches, k)
      for (const { best } of searches) found.push(best.sorted())
    }
    return found
  }

  async #searchSlices(searches: readonly Search[], k: number): Promise<void> {
    const { all } = this.#slices
    let next = all[0] && this.#slices.read(all[0])
    for (const [i, slice] of all.entries()) {
      this.options.signal?.throwIfAborted()
      const layer = this.#slices.place(slice, await next)
      const named = this.#candidates(searches, layer, Math.min(k + spare, slice.end - slice.first))
      // The next slice is read while the device works. A fault of it must wait until it is its turn.
      next = all[i + 1] && this.#slices.read(all[i + 1] as Slice)
      next?.catch(() => {})
      await this.#decide(searches, slice, await named)
    }
  }

  /** What the device names of a slice, for each query. */
  async #candidates(
    searches: readonly Search[],
    layer: Linear,
    count: number,
  ): Promise<Candidates[]> {
    const { gpu, vectors } = this
    const shape = [searches.length, vectors.dimensions]
    const numbers = new Float32Array(shape[0]! * shape[1]!)
    for (const [i, { query }] of searches.entries()) numbers.set(query, i * query.length)
    const record = (tape: Tape) =>
      topK(tape, linear(tape, tape.upload(numbers, shape, 'f32'), layer), count)
    const plan = new PlanTape(gpu, 'f32')
    record(plan)
    await gpu.compile(plan.kernels)
    const tape = new RecordTape(gpu, 'f32', 'exact search')
    const [bytes] = (await tape.read([record(tape)])) as [ArrayBuffer]
    const [columns, values] = [new Uint32Array(bytes), new Float32Array(bytes)]
    return searches.map((_, query) => {
      const places = Array.from({ length: count }, (_, i) => 2 * (query * count + i))
      places.sort((a, b) => values[b + 1]! - values[a + 1]!)
      return {
        rows: places.map((at) => columns[at]!),
        values: places.map((at) => values[at + 1]!),
      }
    })
  }

  /** Takes what is best of a slice. */
  async #decide(
    searches: readonly Search[],
    slice: Slice,
    named: readonly Candidates[],
  ): Promise<void> {
    const { vectors } = this
    const rows = slice.end - slice.first
    const norm = vectors.norm(slice.first, slice.end)
    const open = searches.map((search, i) => {
      const { rows, values } = named[i] as Candidates
      const error = errorBound(vectors.dimensions, search.norm * norm)
      const least = (search.best.worst?.score ?? Number.NEGATIVE_INFINITY) - error
      const some = values.findIndex((value) => !(value >= least))
      return { search, rows: some < 0 ? rows : rows.slice(0, some), last: values.at(-1)! + error }
    })
    const wanted = open.reduce((sum, { rows }) => sum + rows.length, 0)
    let whole: Float32Array | undefined
    const readSlice = async () => {
      whole ??= numbersOf(await vectors.read(slice.first, slice.end))
      return whole
    }
    if (wanted > rows * readWhole) await readSlice()
    for (const { search, rows: candidates, last } of open) {
      for (const row of candidates) {
        const at = slice.first + row
        const numbers = whole ?? numbersOf(await vectors.read(at, at + 1))
        addTo(search, at, numbers, whole ? row : 0)
      }
      const worst = search.best.worst
      if (candidates.length === rows || (worst && last < worst.score)) continue
      const done = new Set(candidates)
      const numbers = await readSlice()
      for (let row = 0; row < rows; row++) {
        if (!done.has(row)) addTo(search, slice.first + row, numbers, row)
      }
    }
  }
}

/** The bound of the error of a dot product in f32 of vectors of so many numbers, by the product of their lengths. */
function errorBound(dimensions: number, norms: number): number {
  // Past this, sums may be past the range of f32.
  if (!(norms < 1e30)) return Number.POSITIVE_INFINITY
  // Products and sums may each be rounded; numbers near the least of f32 may be taken for 0.
  return 2 * (dimensions + 2) * unit * norms + 1e-30
}

function addTo({ query, best }: Search, row: number, numbers: Float32Array, at: number): void {
  best.add({ row, score: dot(query, at * query.length, numbers) })
}

/** The dot product of a query and the numbers from `start` on, in double precision, in order. */
function dot(query: Float32Array, start: number, numbers: Float32Array): number {
  let sum = 0
  for (let i = 0; i < query.length; i++) sum += query[i]! * numbers[start + i]!
  return sum
}

function checkQuery(query: Float32Array, { dimensions }: Vectors): void {
  if (query.length === dimensions && query.every(Number.isFinite)) return
  const found = query.length === dimensions ? 'a number that is not finite' : `${query.length}`
  throw new RetrievalError(
    'vectors-invalid',
    `a query's vector: found ${found}; expected ${dimensions} finite numbers, as the vectors of the corpus have`,
  )
}
