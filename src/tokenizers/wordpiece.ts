import { type Ids, unitsOf } from './buffers.ts'
import type { Field } from './field.ts'
import { hashUnits } from './hashing.ts'
import type { Model } from './pipeline.ts'
import { Trie } from './trie.ts'
import { noUnknown, parseVocab } from './vocabulary.ts'
import { WordCache } from './word-cache.ts'

/**
 * WordPiece as BERT has it (Devlin et al. 2019): from left to right, the longest piece that a word goes on with. After
 * the first piece only those with the prefix of continuing pieces (`##`) count. A word that cannot be cut so, or has more
 * than `maxCharacters` characters, is one unknown piece.
 */
export class WordPiece implements Model {
  readonly pieces: readonly (string | undefined)[]
  readonly size: number
  readonly unkId: number | undefined
  readonly #trie: Trie
  /** The node at which continuing pieces begin, or -1 where there are none. */
  readonly #inner: number
  readonly #maxCharacters: number
  readonly #cache = new WordCache()

  constructor(
    pieces: readonly (string | undefined)[],
    unkToken: string,
    prefix: string,
    maxCharacters: number,
  ) {
    this.pieces = pieces
    this.size = pieces.reduce((size, piece) => (piece === undefined ? size : size + 1), 0)
    this.#trie = new Trie(pieces.map((piece) => piece ?? ''))
    this.#maxCharacters = maxCharacters
    const unkId = this.idOf(unkToken)
    this.unkId = unkId < 0 ? undefined : unkId
    let inner = 0
    for (const unit of unitsOf(prefix)) inner = inner < 0 ? -1 : this.#trie.child(inner, unit) || -1
    this.#inner = inner
  }

  /** The id of a piece, or -1. */
  idOf(piece: string): number {
    const units = unitsOf(piece)
    return this.#trie.find(units, 0, units.length)
  }

  /** Appends the ids of one word, `data[start]` to `data[end - 1]`. */
  encode(data: Uint16Array, start: number, end: number, ids: Ids): void {
    const hash = hashUnits(data, start, end)
    if (this.#cache.append(data, start, end, hash, ids)) return
    const before = ids.length
    if (isLonger(data, start, end, this.#maxCharacters) || !this.#cut(data, start, end, ids)) {
      ids.length = before
      ids.push(this.unkId ?? noUnknown(data, start, end))
    }
    this.#cache.keep(data, start, end, hash, ids, before)
  }

  /** Appends the pieces of a word; `false` where it has none at some place. */
  #cut(data: Uint16Array, start: number, end: number, ids: Ids): boolean {
    const trie = this.#trie
    let root = 0
    for (let at = start; at < end; ) {
      if (root < 0) return false
      let longest = -1
      let next = at
      let node = root
      for (let i = at; i < end; ) {
        node = trie.child(node, data[i++]!)
        if (node === 0) break
        const id = trie.value(node)
        if (id < 0) continue
        longest = id
        next = i
      }
      if (longest < 0) return false
      ids.push(longest)
      at = next
      root = this.#inner
    }
    return true
  }
}

/** Whether a word has more than `most` characters, of one or two code units. */
function isLonger(data: Uint16Array, start: number, end: number, most: number): boolean {
  let characters = end - start
  if (characters <= most) return false
  for (let i = start; i < end; i++) if ((data[i]! & 0xfc00) === 0xdc00) characters--
  return characters > most
}

/** The `model` of a tokenizer.json, of type WordPiece. */
export function parseWordPiece(field: Field): WordPiece {
  const most = field.at('max_input_chars_per_word')
  return new WordPiece(
    parseVocab(field.at('vocab')),
    field.at('unk_token').string(),
    field.at('continuing_subword_prefix').string(),
    most.integer(0, Number.MAX_SAFE_INTEGER),
  )
}
