import type { Bpe } from './bpe.ts'
import { type Ids, type PreTokenizer, Units } from './buffers.ts'
import { bytePreTokenizer, writeBytes } from './byte-level.ts'
import { hashUnits } from './hashing.ts'
import type { Model } from './pipeline.ts'
import { WordCache } from './word-cache.ts'

/**
 * Byte-level BPE (Radford et al. 2019): a word's bytes in UTF-8 become characters, which BPE merges. The bytes are
 * only written for words that are not cached.
 */
class ByteLevelBpe implements Model {
  readonly pieces: readonly (string | undefined)[]
  readonly size: number
  readonly unkId: number | undefined
  readonly #bpe: Bpe
  readonly #cache = new WordCache()
  readonly #bytes = new Units()

  constructor(bpe: Bpe) {
    this.pieces = bpe.pieces
    this.size = bpe.size
    this.unkId = bpe.unkId
    this.#bpe = bpe
  }

  idOf(piece: string): number {
    return this.#bpe.idOf(piece)
  }

  encode(data: Uint16Array, start: number, end: number, ids: Ids): void {
    const hash = hashUnits(data, start, end)
    if (this.#cache.append(data, start, end, hash, ids)) return
    const from = ids.length
    const bytes = this.#bytes
    bytes.reserve(3 * (end - start))
    this.#bpe.encodeAnew(bytes.data, 0, writeBytes(data, start, end, bytes.data, 0), ids)
    this.#cache.keep(data, start, end, hash, ids, from)
  }
}

/** The same model and pre-tokenizers; where these end in writing bytes, the model does it instead, which is faster. */
export function joinByteLevel(model: Bpe, preTokenizers: readonly PreTokenizer[]) {
  if (preTokenizers.at(-1) !== bytePreTokenizer) return { model, preTokenizers }
  return { model: new ByteLevelBpe(model), preTokenizers: preTokenizers.slice(0, -1) }
}
