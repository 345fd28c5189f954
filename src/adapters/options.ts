/** The checks of what adapters are given. */
import { AdapterError } from './errors.ts'

/** What the value of an option must be, as messages say it, and whether one is. */
export type OptionKind = readonly [expected: string, fits: (found: unknown) => boolean]

export type OptionKinds = Readonly<Record<string, OptionKind>>

export const isObject = (found: unknown): found is Readonly<Record<string, unknown>> =>
  typeof found === 'object' && found !== null

export const anything: OptionKind = ['anything', () => true]
export const boolean: OptionKind = ['true or false', (found) => typeof found === 'boolean']
export const callback: OptionKind = ['a function', (found) => typeof found === 'function']
export const number: OptionKind = ['a finite number', Number.isFinite]
export const object: OptionKind = ['an object', (found) => isObject(found) && !Array.isArray(found)]
export const count: OptionKind = [
  'a whole number from 1 up',
  (found) => Number.isSafeInteger(found) && (found as number) >= 1,
]
export const aborter: OptionKind = [
  'an AbortSignal',
  (found) => isObject(found) && 'aborted' in found,
]

/**
 * Throws where there is an option that nobody reads, or a value of another kind. `undefined` counts as left out.
 *
 * @param taker what takes the options, as messages name it
 * @throws AdapterError `option-invalid`
 */
export function checkOptions(taker: string, options: unknown, kinds: OptionKinds): void {
  checkValue(`options of ${taker}`, options, object)
  for (const [name, value] of Object.entries(options as object)) {
    if (value === undefined) continue
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (!kind) {
      throw invalid(
        `${name}: there is no such option; ${taker} takes ${Object.keys(kinds).sort().join(', ')}`,
      )
    }
    checkValue(name, value, kind)
  }
}

/**
 * Throws unless a value is of a kind.
 *
 * @throws AdapterError `option-invalid`
 */
export function checkValue(name: string, found: unknown, [expected, fits]: OptionKind): void {
  if (!fits(found)) throw invalid(`${name}: found ${show(found)}; expected ${expected}`)
}

export const invalid = (message: string) => new AdapterError('option-invalid', message)

/** What is wrong with what a host gave. */
export const wrong = (name: string, found: unknown, expected: string) =>
  new AdapterError('input-invalid', `${name}: found ${show(found)}; expected ${expected}`)

/** The options that are not left out. */
export const withoutUndefined = <Options extends object>(options: Options): Options =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options

/** A value as messages show it: short, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (Array.isArray(value)) return `a list of ${value.length}`
  return isObject(value) ? 'an object' : typeof value === 'function' ? 'a function' : String(value)
}
