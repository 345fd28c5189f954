import { parseJson } from '../json.ts'
import { EvaluationError } from './errors.ts'

/** A JSON object of a file of data. */
export type DataRecord = Readonly<Record<string, unknown>>

/**
 * One line of a file of JSON objects.
 *
 * @param at file and line, for messages
 * @param keys what it should have, for messages
 * @throws EvaluationError `data-malformed`
 */
export function parseRecord(text: string, at: string, keys: readonly string[]): DataRecord {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EvaluationError('data-malformed', `${at}: not JSON (${why})`, { cause })
  }
  if (isRecord(value)) return value
  const list = keys.map((key) => `"${key}"`)
  const expected = `${list.slice(0, -1).join(', ')} and ${list.at(-1)}`
  throw new EvaluationError('data-malformed', `${at}: expected an object with ${expected}`)
}

export const isRecord = (value: unknown): value is DataRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * A text of a record.
 *
 * @param fallback for a key that is missing or null; left out, that is an error
 * @throws EvaluationError `data-malformed`
 */
export function stringOf(record: DataRecord, key: string, at: string, fallback?: string): string {
  const found = record[key] ?? fallback
  if (typeof found === 'string') return found
  throw new EvaluationError(
    'data-malformed',
    `${at}: "${key}" is ${typeOf(record[key])}, expected a string`,
  )
}

/**
 * A list of texts of a record.
 *
 * @throws EvaluationError `data-malformed`
 */
export function stringsOf(record: DataRecord, key: string, at: string): readonly string[] {
  const found = record[key]
  if (Array.isArray(found) && found.every((text) => typeof text === 'string')) return found
  const what = Array.isArray(found) ? 'a list with something else in it' : typeOf(found)
  throw new EvaluationError(
    'data-malformed',
    `${at}: "${key}" is ${what}, expected a list of strings`,
  )
}

function typeOf(value: unknown): string {
  if (value === undefined) return 'missing'
  return value === null ? 'null' : `of type ${typeof value}`
}
