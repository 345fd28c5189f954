/** Scripts that are written without spaces: Thai, Lao, Myanmar, Khmer, Kana, Han. */
const unspaced = [
  [0x0e00, 0x0e7f],
  [0x0e80, 0x0eff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x3005, 0x3007],
  [0x3040, 0x30ff],
  [0x31f0, 0x31ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x3134f],
] as const

const hex = (code: number) => `\\u{${code.toString(16)}}`
const unspacedClass = unspaced.map(([first, last]) => `${hex(first)}-${hex(last)}`).join('')
const letters = '\\p{L}\\p{M}\\p{N}'
/** A run of letters, marks and digits of one of both kinds of scripts. */
const pieces = new RegExp(
  `(?:(?=[${unspacedClass}])[${letters}])+|(?:(?![${unspacedClass}])[${letters}])+`,
  'gu',
)
const unspacedStart = new RegExp(`^[${unspacedClass}]`, 'u')
const ascii = /^[\0-\x7f]*$/

/**
 * Two texts have the same folding if and only if Unicode's full case folding (Python's `str.casefold`) makes them equal:
 * the case mappings of JavaScript, applied in turn, join what that joins, but for the dotless i.
 */
const foldCase = (text: string): string =>
  text
    .split('ı')
    .map((part) => part.toLowerCase().toUpperCase().toLowerCase())
    .join('ı')
    .replaceAll('ς', 'σ')

/**
 * The terms of a text for BM25: of its NFKC form with case folded, the runs of letters, marks and digits. Of scripts without
 * spaces, a run gives its overlapping pairs of characters, or itself where it is one character. No stop words, no stemming.
 */
export function termsOf(text: string): string[] {
  if (ascii.test(text)) return text.toLowerCase().match(/[a-z0-9]+/g) ?? []
  const found = foldCase(text.normalize('NFKC')).match(pieces) ?? []
  return found.flatMap((piece) => (unspacedStart.test(piece) ? pairsOf([...piece]) : [piece]))
}

const pairsOf = (characters: readonly string[]): string[] =>
  characters.length === 1
    ? [...characters]
    : characters.slice(1).map((character, i) => `${characters[i]}${character}`)
