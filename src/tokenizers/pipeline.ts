import { type AddedToken, AddedTokenFinder } from './added-tokens.ts'
import { type Ids, type Normalizer, type PreTokenizer, Units, Words } from './buffers.ts'
import type { Templates } from './post-processors.ts'

/** What turns words into ids: the `model` of a tokenizer.json. */
export interface Model {
  /** The pieces by their ids; `undefined` where an id is left out. */
  readonly pieces: readonly (string | undefined)[]
  /** How many pieces there are. */
  readonly size: number
  readonly unkId: number | undefined
  /** The id of a piece, or -1. */
  idOf(piece: string): number
  /** Appends the ids of one word, `data[start]` to `data[end - 1]`. */
  encode(data: Uint16Array, start: number, end: number, ids: Ids): void
}

/** The parts of a tokenizer, read and checked. */
export interface Parts {
  readonly addedTokens: readonly AddedToken[]
  /** Special tokens in a text are text. */
  readonly splitSpecial: boolean
  readonly normalizers: readonly Normalizer[]
  readonly preTokenizers: readonly PreTokenizer[]
  readonly model: Model
  readonly templates: Templates
}

/** What a SentencePiece model is converted to; the added tokens come from the settings too. */
export type Converted = Pick<Parts, 'normalizers' | 'preTokenizers' | 'model' | 'templates'>

/** Text to ids without special tokens. Its buffers are used by every call, which is why calls may not nest. */
export class Pipeline {
  readonly #parts: Parts
  readonly #rawTokens: AddedTokenFinder
  readonly #normalizedTokens: AddedTokenFinder
  readonly #raw = new Units()
  #text = new Units()
  #spareText = new Units()
  readonly #words = new Words()
  readonly #spareWords = new Words()

  constructor(parts: Parts) {
    this.#parts = parts
    const raw = parts.addedTokens.filter((token) => !token.normalized)
    this.#rawTokens = new AddedTokenFinder(
      raw,
      raw.map((token) => token.content),
      parts.splitSpecial,
    )
    const normalized = parts.addedTokens.filter((token) => token.normalized)
    this.#normalizedTokens = new AddedTokenFinder(
      normalized,
      normalized.map((token) => {
        this.#text.assign(token.content)
        this.#normalize()
        return this.#text.toString()
      }),
      parts.splitSpecial,
    )
  }

  /** Appends the ids of `text`: added tokens first, then normalization, words and the model between them. */
  encode(text: string, ids: Ids): void {
    const raw = this.#raw
    raw.assign(text)
    const found = this.#rawTokens.find(raw)
    let done = 0
    for (let i = 0; i <= found.length; i += 3) {
      const start = i < found.length ? found[i + 1]! : raw.length
      if (done < start) {
        this.#text.length = 0
        this.#text.append(raw.data, done, start)
        this.#encodeBetween(done === 0, ids)
      }
      if (i === found.length) break
      ids.push(found[i]!)
      done = found[i + 2]!
    }
  }

  /** What stands between the added tokens of the raw text. */
  #encodeBetween(opening: boolean, ids: Ids): void {
    this.#normalize()
    const text = this.#text
    const found = this.#normalizedTokens.find(text)
    let done = 0
    for (let i = 0; i <= found.length; i += 3) {
      const start = i < found.length ? found[i + 1]! : text.length
      if (done < start) this.#encodeWords(done, start, opening && done === 0, ids)
      if (i === found.length) break
      ids.push(found[i]!)
      done = found[i + 2]!
    }
  }

  #normalize(): void {
    for (const normalizer of this.#parts.normalizers) {
      if (normalizer(this.#text, this.#spareText) === this.#text) continue
      const text = this.#text
      this.#text = this.#spareText
      this.#spareText = text
    }
  }

  #encodeWords(start: number, end: number, opening: boolean, ids: Ids): void {
    let words = this.#words
    let spare = this.#spareWords
    words.clear(opening)
    words.units.append(this.#text.data, start, end)
    words.add(0, end - start)
    for (const preTokenizer of this.#parts.preTokenizers) {
      spare.clear(opening)
      preTokenizer(words, spare)
      const done = words
      words = spare
      spare = done
    }
    const { model } = this.#parts
    const { data } = words.units
    for (let i = 0; i < words.count; i++)
      model.encode(data, words.bounds[2 * i]!, words.bounds[2 * i + 1]!, ids)
  }
}
