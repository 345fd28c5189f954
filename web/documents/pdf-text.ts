/** The pieces of a page of a PDF, as text. */

/** What of a page's text content is read: a piece of text, where it stands, and whether its line ends. */
export interface Piece {
  readonly str: string
  readonly hasEOL: boolean
  /** Pixels. */
  readonly height: number
  /** The last two are x and y of its base line. */
  readonly transform: readonly number[]
}

/** Pieces as lines; a gap between lines that is larger than usual starts a paragraph. */
export function pageText(pieces: readonly Piece[]): string {
  let text = ''
  let line: number | undefined
  for (const { str, hasEOL, height, transform } of pieces) {
    const y = transform[5] ?? 0
    if (str.trim() !== '') {
      if (line !== undefined && height > 0 && Math.abs(line - y) > 1.7 * height) text += '\n'
      line = y
    }
    text += str
    if (hasEOL) text += '\n'
  }
  return (
    text
      // Words that were divided at the end of a line.
      .replace(/(\p{Ll})-\n(?=\p{Ll})/gu, '$1')
      .replace(/\n{3,}/g, '\n\n')
      .trim()
  )
}
