import { type CharSet, type ClassData, classSet } from './char-sets.ts'
import {
  chineseClass,
  markClass,
  nonspacingMarkClass,
  notNormalizedClass,
  numericClass,
  punctuationClass,
  removedClass,
  wordClass,
} from './code-point-data.ts'

// Classes of code points as Hugging Face's tokenizers has them: each by the Unicode version of one of its libraries,
// of which most are older than that of a JavaScript engine. They are made when they are first used.

/** What BertPreTokenizer and Punctuation isolate: ASCII's punctuation and symbols, and \p{P} of Unicode 8. */
export const punctuation = expression(punctuationClass, '[]', 'u')

/** What BertNormalizer's clean_text drops: NUL, U+FFFD and \p{C} of Unicode 8, but tab, line feed and carriage return. */
export const removed = expression(removedClass, '[]', 'gu')

/** What BertNormalizer's handle_chinese_chars puts spaces around. */
export const chinese = expression(chineseClass, '[]', 'gu')

/** What BertNormalizer's strip_accents drops: \p{Mn} of Unicode 8. */
export const nonspacingMark = expression(nonspacingMarkClass, '[]', 'gu')

/** What StripAccents drops: \p{M} of Unicode 9. */
export const mark = expression(markClass, '[]', 'gu')

/** Runs of what normalization to Unicode 9 and to the engine's version treat alike. */
export const normalized = expression(notNormalizedClass, '[^]+', 'gu')

/** \w of the regular expressions of Rust. */
export const wordCharacter = expression(wordClass, '[]', 'u')

/** What Digits finds: Rust's `char::is_numeric`. */
export const numeric = expression(numericClass, '[]', 'u')

/** A regular expression with a class in its brackets. */
function expression(data: ClassData, form: string, flags: string): () => RegExp {
  let made: RegExp | undefined
  return () => {
    made ??= new RegExp(form.replace(']', `${rangesOf(classSet(data))}]`), flags)
    return made
  }
}

/** A set as what stands in a class of a regular expression. */
const rangesOf = (set: CharSet): string =>
  set.map((point, i) => `${i % 2 > 0 ? '-' : ''}\\u{${point.toString(16)}}`).join('')
