import { Best } from './best.ts'
import { checkCount, type FirstStage, type Passage, type Ranked } from './first-stage.ts'
import { Grown, NumberLists } from './postings.ts'
import { termsOf } from './terms.ts'

/** The two constants of BM25. */
export interface Bm25Options {
  /** How soon repetitions of a term stop to count. Default 0.9. */
  readonly k1?: number | undefined
  /** How far the length of a passage counts, 0 to 1. Default 0.4. */
  readonly b?: number | undefined
}

/** A passage by its number, and its score. */
interface Found {
  readonly passage: number
  readonly score: number
}

/** Scores are compared by so many decimals: what differs only by rounding is a tie. */
const decimals = 6
const halfStep = 0.5 * 10 ** -decimals

/**
 * An inverted index with BM25's scores in the form of Lucene (Robertson and Zaragoza 2009; Kamphuis et al. 2020), without the
 * factor k1 + 1. For a term in `df` of `n` passages, `tf` times in a passage of `length` terms:
 *
 *     ln(1 + (n - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * length / mean length))
 *
 * summed over the terms of the query, repetitions included, in double precision. A passage without terms has length 1, as the
 * Python package bm25s has it. Scores are rounded to 6 decimals. Passages that share no term with the query are not found; ties are broken by id, in the order of code points.
 *
 * A posting takes about 3 bytes, a passage 20 and its id.
 */
export class Bm25 {
  readonly #k1: number
  readonly #b: number
  readonly #terms = new Map<string, number>()
  readonly #ids: string[] = []
  readonly #lengths = new Grown()
  /** For each term, the passages that have it: the distance from the one before, and how often it is there. */
  readonly #postings = new NumberLists()
  /** Passages of each term, and the last of them. */
  readonly #counts = new Grown()
  readonly #last = new Grown()
  #total = 0
  /** What a search needs besides; made anew where passages came since. */
  #search: { norms: Float64Array; sums: Float64Array; touched: Uint32Array } | undefined

  constructor({ k1 = 0.9, b = 0.4 }: Bm25Options = {}) {
    this.#k1 = k1
    this.#b = b
  }

  /** Passages of the index. */
  get size(): number {
    return this.#ids.length
  }

  /** Bytes of its numbers; ids and the texts of terms come on top. */
  get bytes(): number {
    const grown = [this.#lengths, this.#counts, this.#last, this.#postings]
    return grown.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Adds a passage; its id must be new. */
  add({ id, text }: Passage): void {
    const passage = this.#ids.length
    const terms = termsOf(text)
    const frequencies = new Map<number, number>()
    for (const term of terms) {
      const number = this.#terms.get(term) ?? this.#newTerm(term)
      frequencies.set(number, (frequencies.get(number) ?? 0) + 1)
    }
    for (const [term, frequency] of frequencies) {
      this.#postings.append(term, passage - this.#last.get(term))
      this.#postings.append(term, frequency)
      this.#last.set(term, passage)
      this.#counts.set(term, this.#counts.get(term) + 1)
    }
    const length = Math.max(1, terms.length)
    this.#ids.push(id)
    this.#lengths.push(length)
    this.#total += length
    this.#search = undefined
  }

  #newTerm(term: string): number {
    const number = this.#terms.size
    this.#terms.set(term, number)
    this.#counts.push(0)
    this.#last.push(0)
    return number
  }

  /** The best `k` passages for a query, best first. */
  search(query: string, k: number): Ranked[] {
    checkCount('k', k)
    const { norms, sums, touched } = this.#prepare()
    let count = 0
    for (const text of termsOf(query)) {
      const term = this.#terms.get(text)
      if (term === undefined) continue
      const df = this.#counts.get(term)
      const weight = Math.log(1 + (this.size - df + 0.5) / (df + 0.5))
      let passage = 0
      this.#postings.pairs(term, (distance, frequency) => {
        passage += distance
        if (sums[passage] === 0) touched[count++] = passage
        sums[passage]! += (weight * frequency) / (frequency + norms[passage]!)
      })
    }
    const best = new Best(k, this.#isBetter)
    for (const passage of touched.subarray(0, count)) {
      const sum = sums[passage] as number
      sums[passage] = 0
      // Rounding is slow, and most passages are far from the best.
      if (sum + halfStep < (best.worst?.score ?? halfStep)) continue
      const score = Number(sum.toFixed(decimals))
      if (score > 0) best.add({ passage, score })
    }
    return best.sorted().map(({ passage, score }) => ({ id: this.#ids[passage] as string, score }))
  }

  #prepare() {
    const { size } = this
    const mean = this.#total / Math.max(1, size)
    const norm = (_: unknown, passage: number) =>
      this.#k1 * (1 - this.#b + (this.#b * this.#lengths.get(passage)) / mean)
    this.#search ??= {
      norms: Float64Array.from({ length: size }, norm),
      sums: new Float64Array(size),
      touched: new Uint32Array(size),
    }
    return this.#search
  }

  readonly #isBetter = (a: Found, b: Found): boolean =>
    a.score === b.score
      ? compareCodePoints(this.#ids[a.passage] as string, this.#ids[b.passage] as string) < 0
      : a.score > b.score
}

/** Compares two texts by their code points, as Python does. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    // Surrogates stand for what comes after all other code units.
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1
  }
  return a.length - b.length
}

const isSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xe000

/**
 * A first stage by BM25.
 *
 * @param passages each id once
 */
export async function bm25Stage(
  passages: Iterable<Passage> | AsyncIterable<Passage>,
  options: Bm25Options = {},
): Promise<FirstStage> {
  const index = new Bm25(options)
  for await (const passage of passages) index.add(passage)
  return async ({ text }, k) => index.search(text, k)
}
