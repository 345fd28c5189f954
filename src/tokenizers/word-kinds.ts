import { codePointAt, isWhiteSpace, type PreTokenizer, width } from './buffers.ts'
import { numeric, punctuation } from './code-points.ts'
import type { Field } from './field.ts'
import type { Find } from './find.ts'
import type { Kinds } from './kinds.ts'
import { behaviorOf, type SplitBehavior, splitPlaces } from './pre-tokenizers.ts'
import {
  type BertOptions,
  bertNormalizer,
  lowercase,
  stripAccents,
  unicodeForm,
} from './unicode-normalizers.ts'
import { wordCharacter } from './word-character.ts'
import { parseWordPiece } from './wordpiece.ts'

/** WordPiece, and what goes by the classes of characters. */
export const wordKinds: Kinds = {
  models: { WordPiece: parseWordPiece },
  normalizers: {
    BertNormalizer: (field) => bertNormalizer(parseBertOptions(field)),
    NFC: () => unicodeForm('NFC'),
    NFD: () => unicodeForm('NFD'),
    NFKC: () => unicodeForm('NFKC'),
    NFKD: () => unicodeForm('NFKD'),
    Lowercase: lowercase,
    StripAccents: stripAccents,
  },
  preTokenizers: {
    BertPreTokenizer: () => [bertPreTokenizer()],
    Whitespace: () => [whitespace()],
    Punctuation: (field) => [punctuationSplit(behaviorOf(field.at('behavior'), 'Isolated'))],
    Digits(field) {
      const alone = field.at('individual_digits').boolean()
      return [splitCharacters(numeric, alone ? 'Isolated' : 'Contiguous')]
    },
  },
}

/** Lower casing strips accents unless a setting says whether they are stripped. */
function parseBertOptions(field: Field): BertOptions {
  const accents = field.at('strip_accents')
  const lowercase = field.at('lowercase').boolean()
  return {
    cleanText: field.at('clean_text').boolean(),
    handleChineseChars: field.at('handle_chinese_chars').boolean(),
    stripAccents: accents.absent ? lowercase : accents.boolean(),
    lowercase,
  }
}
// Kinds of characters for {@link splitKinds}: those of any other kind stand together with neighbours of theirs.
const removed = 1
const isolated = 2
const wordKind = 3
const otherKind = 4

const isSpace = (character: string): boolean => isWhiteSpace(character.charCodeAt(0))

/** White space goes, punctuation stands alone. */
const bertPreTokenizer = (): PreTokenizer =>
  splitKinds((character) =>
    isSpace(character) ? removed : punctuation.test(character) ? isolated : wordKind,
  )

/** `\w+|[^\w\s]+` */
const whitespace = (): PreTokenizer =>
  splitKinds((character) =>
    isSpace(character) ? removed : wordCharacter.test(character) ? wordKind : otherKind,
  )

/** Cuts words by the kinds of their characters, which are asked for once each. */
function splitKinds(kindOf: (character: string) => number): PreTokenizer {
  const kinds = new Uint8Array(0x110000)
  const learn = (point: number): number => {
    kinds[point] = kindOf(String.fromCodePoint(point))
    return kinds[point]!
  }
  return (from, to) => {
    const { data, length } = from.units
    to.units.append(data, 0, length)
    for (let word = 0; word < from.count; word++) {
      const end = from.bounds[2 * word + 1]!
      let start = from.bounds[2 * word]!
      let before = removed
      for (let i = start; i < end; i += width(data, i)) {
        const point = codePointAt(data, i)
        const kind = kinds[point] || learn(point)
        if (kind === before && kind !== isolated) continue
        if (before !== removed) to.add(start, i)
        start = i
        before = kind
      }
      if (before !== removed) to.add(start, end)
    }
  }
}

/** Splits words into punctuation and what is between. */
export const punctuationSplit = (behavior: SplitBehavior): PreTokenizer =>
  splitCharacters(punctuation, behavior)

/** Splits words into matching characters and what is between them. */
function splitCharacters(sought: RegExp, behavior: SplitBehavior): PreTokenizer {
  const find: Find = (data, start, end, found) => {
    for (let at = start; at < end; at += width(data, at))
      if (sought.test(String.fromCodePoint(codePointAt(data, at))))
        found.push(at, at + width(data, at))
  }
  return splitPlaces(find, behavior, false)
}
