/** Records: lines of JSON and rows of CSV, of which each is a passage. */
import type { Section } from './types.ts'

/** Names of the field with the text, the usual ones first; of titles, and of ids. */
const textFields = [
  'text',
  'passage',
  'content',
  'contents',
  'body',
  'document',
  'chunk',
  'page_content',
  'answer',
  'description',
]
const titleFields = ['title', 'name', 'heading']
const idFields = ['id', '_id', 'docid', 'doc_id', 'pid', 'key', 'url']
/** Lists of passages in one record, as dawnrank's command line reads them. */
const listFields = ['passages', 'documents', 'texts']

/** Every name that says what a column is. */
export const knownFields = [...textFields, ...titleFields, ...idFields]

type Fields = Readonly<Record<string, unknown>>

/** The field of a record, by names that may be in any case. */
function fieldOf(record: Fields, names: readonly string[]): unknown {
  const keys = Object.keys(record)
  const key = names
    .map((name) => keys.find((one) => one.trim().toLowerCase() === name))
    .find((one) => one !== undefined && record[one] !== null && record[one] !== '')
  return key === undefined ? undefined : record[key]
}

/**
 * The passages of a record; none where it has no text.
 *
 * @param place where it stands, unless it has an id
 */
export function sectionsOf(record: unknown, place: string): Section[] {
  if (typeof record === 'string') return section(record, place)
  if (typeof record !== 'object' || record === null) return []
  if (Array.isArray(record)) return record.flatMap((one) => sectionsOf(one, place))
  const fields = record as Fields
  const list = fieldOf(fields, listFields)
  if (Array.isArray(list)) {
    return list.flatMap((one, i) => sectionsOf(one, `${place}, passage ${i + 1}`))
  }
  const isNamed = Object.keys(fields).some((key) => textFields.includes(key.trim().toLowerCase()))
  const text = isNamed ? fieldOf(fields, textFields) : longestText(fields)
  if (typeof text !== 'string') return []
  const id = fieldOf(fields, idFields)
  const title = fieldOf(fields, titleFields)
  const isOwnTitle = typeof title === 'string' && title !== text && title.trim() !== ''
  return section(
    isOwnTitle ? `${title}\n${text}` : text,
    typeof id === 'string' || typeof id === 'number' ? String(id) : place,
  )
}

const section = (text: string, place: string): Section[] =>
  text.trim() === '' ? [] : [{ text, place, whole: true }]

/** Of a record without a known field: its longest text. */
function longestText(fields: Fields): string | undefined {
  const texts = Object.values(fields).filter((value) => typeof value === 'string')
  return texts.toSorted((a, b) => b.length - a.length)[0]
}

/** Sections, and what was left out. */
export interface Records {
  readonly sections: Section[]
  readonly notes: string[]
}

/** JSON Lines: a record or a string on each line. What cannot be read is left out and said. */
export function readJsonLines(text: string): Records {
  const sections: Section[] = []
  const wrong: number[] = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const found = parsed(line)
    const own = found === undefined ? [] : sectionsOf(found, `line ${i + 1}`)
    if (own.length === 0) wrong.push(i + 1)
    sections.push(...own)
  }
  return { sections, notes: leftOut(wrong, 'line', 'no JSON with a text') }
}

/** JSON: a list of records or strings, one record, or JSON Lines under this name. */
export function readJson(text: string): Records {
  const found = parsed(text)
  if (found === undefined) return readJsonLines(text)
  const list: unknown[] = Array.isArray(found) ? found : [found]
  const own = list.map((one, i) => sectionsOf(one, `item ${i + 1}`))
  const wrong = own.flatMap((some, i) => (some.length === 0 ? [i + 1] : []))
  return { sections: own.flat(), notes: leftOut(wrong, 'item', 'no text') }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Says which lines, items or rows were left out. */
export function leftOut(wrong: readonly number[], what: string, why: string): string[] {
  if (wrong.length === 0) return []
  const shown = wrong.slice(0, 3).join(', ')
  const more = wrong.length > 3 ? ' and others' : ''
  return [`left out ${what}${wrong.length > 1 ? 's' : ''} ${shown}${more}: ${why}`]
}
