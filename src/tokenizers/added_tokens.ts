import { isWhiteSpace, type Units } from './buffers.ts'
import type { Field } from './field.ts'
import { Trie } from './trie.ts'

/** A token that is found in the text itself, before the model sees it. */
export interface AddedToken {
  readonly id: number
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

/**
 * The `added_tokens` of a tokenizer.json. `idOf` gives the model's id of a piece or -1; a token that is no
 * piece of the model must have one of the ids right above the model's `size`.
 */
export function parseAddedTokens(
  field: Field,
  size: number,
  idOf: (piece: string) => number,
): AddedToken[] {
  if (field.absent) return []
  const items = field.items()
  const owner = new Map<number, string>()
  const byContent = new Map<string, AddedToken>()
  for (const item of items) {
    const content = item.at('content').string()
    const id = item.at('id').integer(0, size + items.length - 1)
    const piece = idOf(content)
    if (piece >= 0 && piece !== id)
      item.at('id').fail(`${piece}, the id of ${JSON.stringify(content)} in the vocabulary`)
    if (piece < 0 && id < size)
      item
        .at('id')
        .fail(
          `${size} or more: ${JSON.stringify(content)} is no piece of the vocabulary, which has ${size}`,
        )
    if ((owner.get(id) ?? content) !== content)
      item.at('id').fail(`another id than that of ${JSON.stringify(owner.get(id))}`)
    owner.set(id, content)
    byContent.set(content, {
      id,
      content,
      singleWord: item.at('single_word').boolean(),
      lstrip: item.at('lstrip').boolean(),
      rstrip: item.at('rstrip').boolean(),
      normalized: item.at('normalized').boolean(),
      special: item.at('special').boolean(),
    })
  }
  return [...byContent.values()]
}

// \w of the regular expressions of Rust, which decide what a word is there.
const wordCharacter = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u

const NONE: readonly number[] = []

/** Finds added tokens in a text: from left to right, the longest of those that start at a place. */
export class AddedTokenFinder {
  readonly #tokens: readonly AddedToken[]
  readonly #trie: Trie
  readonly #firsts = new Uint8Array(65536)

  /** `forms[i]` is what `tokens[i]` looks like in the text; one that is empty is never found. */
  constructor(tokens: readonly AddedToken[], forms: readonly string[]) {
    this.#tokens = tokens
    this.#trie = new Trie(forms)
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
      if (token.singleWord && (endsWithWord(data, start) || startsWithWord(data, end, length)))
        continue
      if (token.lstrip) while (start > covered && isWhiteSpace(data[start - 1]!)) start--
      if (token.rstrip) while (end < length && isWhiteSpace(data[end]!)) end++
      found ??= []
      found.push(token.id, start, end)
      covered = end
    }
    return found ?? NONE
  }
}

function endsWithWord(data: Uint16Array, end: number): boolean {
  if (end === 0) return false
  const pair = (data[end - 1]! & 0xfc00) === 0xdc00
  return wordCharacter.test(String.fromCharCode(...data.subarray(end - (pair ? 2 : 1), end)))
}

function startsWithWord(data: Uint16Array, start: number, length: number): boolean {
  if (start >= length) return false
  const pair = (data[start]! & 0xfc00) === 0xd800
  return wordCharacter.test(String.fromCharCode(...data.subarray(start, start + (pair ? 2 : 1))))
}
