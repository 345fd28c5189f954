import {
  chineseRanges,
  markRanges,
  nonspacingMarkRanges,
  notNormalizedRanges,
  noWordRanges,
  numericRanges,
  punctuationRanges,
  removedRanges,
} from './code-point-data.ts'

// Classes of code points as Hugging Face's tokenizers has them: each by the Unicode version of one of its libraries,
// of which most are older than that of a JavaScript engine.

/** What BertPreTokenizer and Punctuation isolate: ASCII's punctuation and symbols, and \p{P} of Unicode 8. */
export const punctuation = new RegExp(`[${rangesOf(punctuationRanges)}]`, 'u')

/** What BertNormalizer's clean_text drops: NUL, U+FFFD and \p{C} of Unicode 8, but tab, line feed and carriage return. */
export const removed = classOf(removedRanges)

/** What BertNormalizer's handle_chinese_chars puts spaces around. */
export const chinese = classOf(chineseRanges)

/** What BertNormalizer's strip_accents drops: \p{Mn} of Unicode 8. */
export const nonspacingMark = classOf(nonspacingMarkRanges)

/** What StripAccents drops: \p{M} of Unicode 9. */
export const mark = classOf(markRanges)

/** Runs of what normalization to Unicode 9 and to the engine's version treat alike. */
export const normalized = new RegExp(`[^${rangesOf(notNormalizedRanges)}]+`, 'gu')

/** \w of the regular expressions of Rust. */
export const wordCharacter = new RegExp(
  `(?![${rangesOf(noWordRanges)}])[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]`,
  'u',
)

/** What Digits finds: Rust's `char::is_numeric`. */
export const numeric = new RegExp(`[${rangesOf(numericRanges)}]`, 'u')

/** `21-2F 3A` as what stands in a character class. */
function rangesOf(data: string): string {
  return data.trim().replace(/([0-9A-F]+)\s*/g, '\\u{$1}')
}

function classOf(data: string): RegExp {
  return new RegExp(`[${rangesOf(data)}]`, 'gu')
}
