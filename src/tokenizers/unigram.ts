import { type Ids, Units, unitsOf, width } from './buffers.ts'
import { byteName } from './bytes.ts'
import { TokenizerError } from './errors.ts'
import { Field } from './field.ts'
import { Trie } from './trie.ts'

// SentencePiece's and Hugging Face's: an unknown character costs this much more than the least likely piece.
const unknownPenalty = 10

/**
 * A unigram language model (Kudo 2018): a word is cut into the pieces whose scores (log probabilities) have
 * the greatest sum, found by Viterbi's algorithm. Ties, unknown characters and byte fallback as in Hugging Face's
 * tokenizers: neighbouring unknown characters are one unknown piece, or all their bytes where the model has pieces
 * for these.
 */
export class Unigram {
  readonly pieces: readonly string[]
  readonly size: number
  readonly unkId: number | undefined
  readonly #scores: Float64Array
  readonly #unknownScore: number
  readonly #trie: Trie
  readonly #bytes: Int32Array | undefined
  // By offset in the word: the best sum of a path that ends there, and its last piece (start and id).
  #best = new Float64Array(64)
  #start = new Int32Array(64)
  #id = new Int32Array(64)
  #path = new Int32Array(64)

  constructor(
    pieces: readonly string[],
    scores: Float64Array,
    unkId: number | undefined,
    byteFallback: boolean,
  ) {
    this.pieces = pieces
    this.size = pieces.length
    this.unkId = unkId
    this.#scores = scores
    this.#trie = new Trie(pieces)
    this.#unknownScore = scores.reduce((a, b) => Math.min(a, b), Infinity) - unknownPenalty
    if (byteFallback)
      this.#bytes = Int32Array.from({ length: 256 }, (_, b) => this.idOf(byteName(b)))
  }

  /** The id of a piece, or -1. */
  idOf(piece: string): number {
    const units = unitsOf(piece)
    return this.#trie.find(units, 0, units.length)
  }

  /** Appends the ids of one word, `data[start]` to `data[end - 1]`. */
  encode(data: Uint16Array, start: number, end: number, ids: Ids): void {
    const length = end - start
    if (length >= this.#best.length) this.#grow(length + 1)
    const best = this.#best
    const starts = this.#start
    const chosen = this.#id
    const trie = this.#trie
    const scores = this.#scores
    const unknown = this.unkId ?? -1
    best[0] = 0
    for (let i = 1; i <= length; i++) starts[i] = -1
    for (let at = 0; at < length; ) {
      const sum = best[at]!
      const next = at + width(data, start + at)
      let single = false
      let node = 0
      for (let i = at; i < length; ) {
        node = trie.child(node, data[start + i++]!)
        if (node === 0) break
        const id = trie.value(node)
        if (id < 0) continue
        if (i === next) single = true
        const score = sum + scores[id]!
        if (starts[i]! >= 0 && !(score > best[i]!)) continue
        best[i] = score
        starts[i] = at
        chosen[i] = id
      }
      if (!single) {
        const score = sum + this.#unknownScore
        if (starts[next]! < 0 || score > best[next]!) {
          best[next] = score
          starts[next] = at
          chosen[next] = unknown
        }
      }
      at = next
    }
    this.#collect(data, start, length, ids)
  }

  /** Walks back from the end and appends the path from the front, unknown neighbours as one. */
  #collect(data: Uint16Array, start: number, length: number, ids: Ids): void {
    const path = this.#path
    let count = 0
    for (let at = length; at > 0; at = this.#start[at]!) path[count++] = at
    const unknown = this.unkId ?? -1
    let from = 0
    let unknownFrom = -1
    while (count > 0) {
      const to = path[--count]!
      const id = this.#id[to]!
      if (id === unknown) {
        if (unknownFrom < 0) unknownFrom = from
      } else {
        if (unknownFrom >= 0) this.#appendUnknown(data, start + unknownFrom, start + from, ids)
        unknownFrom = -1
        ids.push(id)
      }
      from = to
    }
    if (unknownFrom >= 0) this.#appendUnknown(data, start + unknownFrom, start + from, ids)
  }

  #appendUnknown(data: Uint16Array, start: number, end: number, ids: Ids): void {
    const known = this.#trie.find(data, start, end)
    if (known >= 0) {
      ids.push(known)
      return
    }
    if (this.#bytes && appendBytes(data, start, end, this.#bytes, ids)) return
    if (this.unkId === undefined) {
      const text = String.fromCharCode(...data.subarray(start, start + width(data, start)))
      throw new TokenizerError(
        'tokenizer-no-unk',
        `the text holds ${JSON.stringify(text)}, for which there is no piece, and the model names no unknown piece (model.unk_id)`,
      )
    }
    ids.push(this.unkId)
  }

  #grow(size: number): void {
    const room = 2 ** Math.ceil(Math.log2(size))
    this.#best = new Float64Array(room)
    this.#start = new Int32Array(room)
    this.#id = new Int32Array(room)
    this.#path = new Int32Array(room)
  }
}

/** Appends the pieces of the bytes of a text, or nothing where one of them has no piece. */
function appendBytes(
  data: Uint16Array,
  start: number,
  end: number,
  pieces: Int32Array,
  ids: Ids,
): boolean {
  const before = ids.length
  const text = new Units()
  text.append(data, start, end)
  for (const byte of new TextEncoder().encode(text.toString())) {
    const id = pieces[byte]!
    if (id < 0) {
      ids.length = before
      return false
    }
    ids.push(id)
  }
  return true
}

/** The `model` of a tokenizer.json, of type Unigram. */
export function parseUnigram(field: Field): Unigram {
  const vocab = field.at('vocab')
  const entries = vocab.array()
  const pieces: string[] = new Array(entries.length)
  const scores = new Float64Array(entries.length)
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]
    if (!isScored(entry))
      new Field(entry, `${vocab.where}[${i}]`).fail('a piece and its finite score')
    else [pieces[i], scores[i]] = entry
  }
  if (entries.length === 0) vocab.fail('at least one piece')
  const unk = field.at('unk_id')
  const fallback = field.at('byte_fallback')
  return new Unigram(
    pieces,
    scores,
    unk.absent ? undefined : unk.integer(0, entries.length - 1),
    !fallback.absent && fallback.boolean(),
  )
}

function isScored(entry: unknown): entry is [string, number] {
  return (
    Array.isArray(entry) &&
    entry.length === 2 &&
    typeof entry[0] === 'string' &&
    Number.isFinite(entry[1])
  )
}
