import { isWhiteSpace, type Units } from './buffers.ts'
import { wordCharacter } from './code-points.ts'
import type { Field } from './field.ts'
import { Trie } from './trie.ts'

/** How a token is found in the text itself, before the model sees it. */
export interface TokenForm {
  readonly content: string
  /** It is not found inside a word. */
  readonly singleWord: boolean
  /** It takes the white space on its left with it. */
  readonly lstrip: boolean
  /** It takes the white space on its right with it. */
  readonly rstrip: boolean
  /** It is looked for in the normalized text, in its own normalized form. */
  readonly normalized: boolean
  readonly special: boolean
}

/** A token with its id. */
export interface AddedToken extends TokenForm {
  readonly id: number
}

/** What the added tokens need of a model. */
export interface Pieces {
  /** How many pieces there are, which may be fewer than the ids go up to. */
  readonly size: number
  /** The id of a piece, or -1. */
  idOf(piece: string): number
}

/**
 * The added tokens of a tokenizer, kept as Hugging Face's tokenizers keeps them (`AddedVocabulary`, 0.20): a token that
 * is a piece has its id, others follow the pieces and each other, whatever ids files declare. A token that comes again
 * takes the new flags, but that a special one stays special, and is looked for in the text as first declared.
 */
export class AddedVocabulary {
  readonly #pieces: Pieces
  readonly #ids = new Map<string, number>()
  readonly #byId = new Map<number, TokenForm>()
  readonly #special = new Map<string, TokenForm>()
  readonly #others: TokenForm[] = []
  #largest = -1

  constructor(pieces: Pieces) {
    this.#pieces = pieces
  }

  has(content: string): boolean {
    return this.#ids.has(content)
  }

  add(tokens: readonly TokenForm[]): void {
    for (const token of tokens)
      if (token.special && token.content !== '' && !this.#special.has(token.content))
        this.#special.set(token.content, token)
    for (const token of tokens) {
      const known = this.#ids.get(token.content)
      if (token.content === '' || isSame(this.#byId.get(known ?? -1), token)) continue
      const id = known ?? this.#idFor(token.content)
      this.#largest = Math.max(this.#largest, id)
      this.#ids.set(token.content, id)
      this.#byId.set(id, token)
      if (!this.#special.has(token.content)) this.#others.push(token)
    }
  }

  #idFor(content: string): number {
    const piece = this.#pieces.idOf(content)
    return piece < 0 ? Math.max(this.#largest + 1, this.#pieces.size) : piece
  }

  /** The tokens to look for, special ones first. */
  tokens(): AddedToken[] {
    return [...this.#special.values(), ...this.#others].map(({ content, normalized }) => {
      const id = this.#ids.get(content)!
      const token = this.#byId.get(id)!
      return { ...token, id, content, normalized, special: this.#special.has(token.content) }
    })
  }
}

const isSame = (a: TokenForm | undefined, b: TokenForm): boolean =>
  a !== undefined &&
  a.content === b.content &&
  a.singleWord === b.singleWord &&
  a.lstrip === b.lstrip &&
  a.rstrip === b.rstrip &&
  a.normalized === b.normalized &&
  a.special === b.special

/**
 * The `added_tokens` of a tokenizer.json, whose model has ids below `idsEnd`. The ids are those declared, which need not
 * be those that {@link AddedVocabulary} gives.
 */
export function parseAddedTokens(field: Field, pieces: Pieces, idsEnd: number): AddedToken[] {
  if (field.absent) return []
  const { size } = pieces
  const items = field.items()
  const owner = new Map<number, string>()
  return items.map((item) => {
    const content = item.at('content').string()
    const id = item.at('id').integer(0, idsEnd + items.length - 1)
    const piece = pieces.idOf(content)
    if (piece >= 0 && piece !== id)
      item.at('id').fail(`${piece}, the id of ${JSON.stringify(content)} in the vocabulary`)
    // Where ids are left out, a token may have one of those.
    if (piece < 0 && id < size && size === idsEnd)
      item
        .at('id')
        .fail(
          `${size} or more: ${JSON.stringify(content)} is no piece of the vocabulary, which has ${size}`,
        )
    if ((owner.get(id) ?? content) !== content)
      item.at('id').fail(`another id than that of ${JSON.stringify(owner.get(id))}`)
    owner.set(id, content)
    return {
      id,
      content,
      singleWord: item.at('single_word').boolean(),
      lstrip: item.at('lstrip').boolean(),
      rstrip: item.at('rstrip').boolean(),
      normalized: item.at('normalized').boolean(),
      special: item.at('special').boolean(),
    }
  })
}

const noIds: readonly number[] = []

/** Finds added tokens in a text: from left to right, the longest of those that start at a place. */
export class AddedTokenFinder {
  readonly #tokens: readonly AddedToken[]
  readonly #trie: Trie
  readonly #splitSpecial: boolean
  readonly #firsts = new Uint8Array(65536)

  /**
   * `forms[i]` is what `tokens[i]` looks like in the text; one that is empty, or another's before,
   * is never found.
   *
   * @param splitSpecial special tokens are passed over, and left to the model
   */
  constructor(tokens: readonly AddedToken[], forms: readonly string[], splitSpecial: boolean) {
    this.#tokens = tokens
    this.#splitSpecial = splitSpecial
    const first = new Map(forms.map((form, i) => [form, i] as const).reverse())
    this.#trie = new Trie(forms.map((form, i) => (first.get(form) === i ? form : '')))
    for (const form of forms) if (form !== '') this.#firsts[form.charCodeAt(0)] = 1
  }

  /** What is found, as triples one after another: id, start, end (with the white space that was taken along). */
  find(text: Units): readonly number[] {
    const { data, length } = text
    let found: number[] | undefined
    let covered = 0
    for (let at = 0; at < length; ) {
      if (this.#firsts[data[at]!] === 0) {
        at++
        continue
      }
      let which = -1
      let after = at
      let node = this.#trie.child(0, data[at]!)
      for (let i = at + 1; node !== 0; i++) {
        const value = this.#trie.value(node)
        if (value >= 0) {
          which = value
          after = i
        }
        node = i < length ? this.#trie.child(node, data[i]!) : 0
      }
      if (which < 0) {
        at++
        continue
      }
      const token = this.#tokens[which]!
      let start = at
      let end = after
      at = after
      if (token.special && this.#splitSpecial) continue
      if (token.singleWord && (endsWithWord(data, start) || startsWithWord(data, end, length)))
        continue
      if (token.lstrip) {
        while (start > covered && isWhiteSpace(data[start - 1]!)) start--
        start = Math.max(start, covered)
      }
      if (token.rstrip) while (end < length && isWhiteSpace(data[end]!)) end++
      covered = Math.max(covered, end)
      // White space that the token before took along is there no more.
      if (start >= end) continue
      found ??= []
      found.push(token.id, start, end)
    }
    return found ?? noIds
  }
}

function endsWithWord(data: Uint16Array, end: number): boolean {
  if (end === 0) return false
  const pair = (data[end - 1]! & 0xfc00) === 0xdc00
  return wordCharacter().test(String.fromCharCode(...data.subarray(end - (pair ? 2 : 1), end)))
}

function startsWithWord(data: Uint16Array, start: number, length: number): boolean {
  if (start >= length) return false
  const pair = (data[start]! & 0xfc00) === 0xd800
  return wordCharacter().test(String.fromCharCode(...data.subarray(start, start + (pair ? 2 : 1))))
}
