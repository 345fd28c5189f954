/** Documents to passages: paragraphs, joined where they are short and cut between sentences where they are long. */
import type { Section, TextDocument } from './types.ts'

export const units = ['paragraphs', 'lines', 'whole'] as const
export type Unit = (typeof units)[number]

export interface SplitOptions {
  readonly unit: Unit
  /** Characters that a passage of paragraphs has at most. */
  readonly size: number
}

export interface Passage {
  readonly text: string
  readonly document: string
  readonly place?: string
}

/** The passages of documents, in order. */
export function splitDocuments(
  documents: readonly TextDocument[],
  options: SplitOptions,
): Passage[] {
  return documents.flatMap(({ name, sections }) =>
    sections.flatMap((section) =>
      splitSection(section, options).map((text, i, { length }) => ({
        text,
        document: name,
        ...placeOf(section, i, length),
      })),
    ),
  )
}

function placeOf({ place }: Section, index: number, count: number): { place?: string } {
  const part = count > 1 ? `passage ${index + 1}` : undefined
  const full = [place, part].filter(Boolean).join(', ')
  return full ? { place: full } : {}
}

function splitSection({ text, whole }: Section, { unit, size }: SplitOptions): string[] {
  const clean = text.replace(/\r\n?/g, '\n').trim()
  if (whole && clean) return [text]
  if (unit === 'whole') return clean ? [clean] : []
  if (unit === 'lines') return trimmed(clean.split('\n'))
  const pieces = trimmed(clean.split(/\n[ \t]*\n/)).flatMap((paragraph) => cut(paragraph, size))
  return join(pieces, size)
}

const trimmed = (texts: readonly string[]) => texts.map((text) => text.trim()).filter(Boolean)

/** Below this share of the size a piece is joined with the next: headings go with what they head. */
const short = 0.25

function join(pieces: readonly string[], size: number): string[] {
  const passages: string[] = []
  for (const piece of pieces) {
    const before = passages.at(-1)
    const isShort = before !== undefined && before.length < short * size
    if (isShort && before.length + piece.length < size) {
      passages[passages.length - 1] = `${before}\n\n${piece}`
    } else passages.push(piece)
  }
  return passages
}

/** A paragraph in parts of at most `size` characters: whole sentences, or words where a sentence is longer. */
function cut(paragraph: string, size: number): string[] {
  if (paragraph.length <= size) return [paragraph]
  const wordsOf = (sentence: string) =>
    segments(sentence, 'word').flatMap((word) => (word.length <= size ? [word] : [...word]))
  const sentences = segments(paragraph, 'sentence').flatMap((sentence) =>
    sentence.length <= size ? [sentence] : fill(wordsOf(sentence), size),
  )
  return trimmed(fill(sentences, size))
}

/** Joins pieces up to a size, evenly: the last part is not a small rest. */
function fill(pieces: readonly string[], size: number): string[] {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const even = total / Math.ceil(total / size)
  const parts: string[] = []
  let part = ''
  for (const piece of pieces) {
    const isFull = part.length + piece.length > size || part.length >= even
    if (part && isFull) {
      parts.push(part)
      part = ''
    }
    part += piece
  }
  return part ? [...parts, part] : parts
}

/** Sentences or words by Unicode's rules, with the spaces after them. */
const segments = (text: string, granularity: 'sentence' | 'word') =>
  Array.from(new Intl.Segmenter(undefined, { granularity }).segment(text), ({ segment }) => segment)
