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

const isOneOf = (key: string, names: readonly string[]) => names.includes(key.trim().toLowerCase())

/** The first field of a record that is not empty, by names that may be in any case. */
function fieldOf(fields: Fields, names: readonly string[]): unknown {
  const entries = Object.entries(fields)
  return names
    .map((name) => entries.find(([key]) => isOneOf(key, [name]))?.[1])
    .find((value) => value !== undefined && value !== null && String(value).trim() !== '')
}

/** What is left out: places without a text, and fields of records in which another was taken for the text. */
export interface LeftOut {
  readonly places: string[]
  readonly fields: Set<string>
}

export const nothingLeftOut = (): LeftOut => ({ places: [], fields: new Set() })

/**
 * The passages of a record; none where it has no text.
 *
 * @param place where it stands, unless it has an id
 * @param left gets what is left out
 */
export function sectionsOf(record: unknown, place: string, left: LeftOut): Section[] {
  if (Array.isArray(record)) {
    return record.flatMap((one, i) => sectionsOf(one, `${place}, passage ${i + 1}`, left))
  }
  if (isRecord(record)) return sectionsOfFields(record, place, left)
  if (typeof record === 'string' && record.trim() !== '') {
    return [{ text: record, place, whole: true }]
  }
  left.places.push(place)
  return []
}

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function sectionsOfFields(fields: Fields, place: string, left: LeftOut): Section[] {
  const list = Object.entries(fields).flatMap(([key, value]) =>
    isOneOf(key, listFields) && Array.isArray(value) ? value : [],
  )
  const isKnown = list.length > 0 || Object.keys(fields).some((key) => isOneOf(key, textFields))
  const text = isKnown ? fieldOf(fields, textFields) : longestField(fields, left)
  if (text === undefined && list.length === 0) {
    left.places.push(place)
    return []
  }
  const id = fieldOf(fields, idFields)
  const at = ['string', 'number', 'bigint'].includes(typeof id) ? String(id) : place
  const own = text === undefined ? [] : sectionsOf(withTitle(text, fields), at, left)
  return [...own, ...sectionsOf(list, at, left)]
}

function withTitle(text: unknown, fields: Fields): unknown {
  const title = fieldOf(fields, titleFields)
  const isOwn = typeof text === 'string' && typeof title === 'string' && title !== text
  return isOwn ? `${title}\n${text}` : text
}

/** Of a record without a known field: what has the longest text in it, be it a text, a list or a record. */
function longestField(fields: Fields, left: LeftOut): unknown {
  const found = Object.entries(fields).filter(
    ([key, value]) => !isOneOf(key, idFields) && longestIn(value) > 0,
  )
  const untitled = found.filter(([key]) => !isOneOf(key, titleFields))
  const [first, ...rest] = (untitled.length > 0 ? untitled : found).toSorted(
    ([, a], [, b]) => longestIn(b) - longestIn(a),
  )
  for (const [key, value] of rest) {
    const isNumber = typeof value === 'string' && !/\p{L}/u.test(value)
    if (!isNumber) left.fields.add(key)
  }
  return first?.[1]
}

/** Characters of the longest text in a value. */
function longestIn(value: unknown): number {
  if (typeof value === 'string') return value.trim().length
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((most, one) => Math.max(most, longestIn(one)), 0)
}

/** Sections, and what was left out. */
export interface Records {
  readonly sections: Section[]
  readonly notes: string[]
}

/** JSON Lines: a record or a string on each line. What cannot be read is left out and said. */
export function readJsonLines(text: string): Records {
  const left = nothingLeftOut()
  const sections = text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '') return []
    return sectionsOf(parsed(line), `line ${i + 1}`, left)
  })
  return { sections, notes: notesOf(left, 'no JSON with a text') }
}

/** JSON: records or strings, in a list or by their names; one record; or JSON Lines under this name. */
export function readJson(text: string): Records {
  const found = parsed(text)
  if (found === undefined) return readJsonLines(text)
  const left = nothingLeftOut()
  const sections = itemsOf(found).flatMap(([place, item]) => sectionsOf(item, place, left))
  return { sections, notes: notesOf(left) }
}

function itemsOf(found: unknown): (readonly [place: string, item: unknown])[] {
  if (isByName(found)) return Object.entries(found)
  const list: unknown[] = Array.isArray(found) ? found : [found]
  return list.map((item, i) => [`item ${i + 1}`, item])
}

/** Whether an object is no record, but gives texts or records by their names. */
function isByName(found: unknown): found is Fields {
  if (!isRecord(found)) return false
  if (Object.keys(found).some((key) => isOneOf(key, [...knownFields, ...listFields]))) return false
  const values = Object.values(found)
  return values.every((value) => typeof value === 'string') || values.every(isRecord)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text, /\d{16}/.test(text) ? withDigits : undefined)
  } catch {
    return undefined
  }
}

/** Whole numbers beyond those that JavaScript tells apart keep their digits: they may be ids. */
function withDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isExact = typeof value !== 'number' || Math.abs(value) <= Number.MAX_SAFE_INTEGER
  const digits = context?.source ?? ''
  return isExact || !/^-?\d+$/.test(digits) ? value : BigInt(digits)
}

/** Says what was left out. */
export const notesOf = ({ places, fields }: LeftOut, why = 'no text'): string[] => [
  ...leftOut(places, why),
  ...leftOut(
    [...fields].map((name) => `"${name}"`),
    'no known name, and another field has a longer text',
  ),
]

function leftOut(what: readonly string[], why: string): string[] {
  if (what.length === 0) return []
  const more = what.length > 3 ? ' and others' : ''
  return [`left out ${what.slice(0, 3).join(', ')}${more}: ${why}`]
}
