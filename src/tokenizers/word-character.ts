import { noWordRanges } from './word-data.ts'

/** \w of the regular expressions of Rust. */
export const wordCharacter = new RegExp(
  `(?![${rangesOf(noWordRanges)}])[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]`,
  'u',
)

/** `21-2F 3A` as what stands in a character class. */
export function rangesOf(data: string): string {
  return data.trim().replace(/([0-9A-F]+)\s*/g, '\\u{$1}')
}
