/** What the value of an option must be, as messages say it, and whether one is. */
export type OptionKind = readonly [expected: string, fits: (found: unknown) => boolean]

const isObject = (found: unknown): found is object => typeof found === 'object' && found !== null

export const boolean: OptionKind = ['true or false', (found) => typeof found === 'boolean']
export const text: OptionKind = ['a string', (found) => typeof found === 'string']
export const callback: OptionKind = ['a function', (found) => typeof found === 'function']
export const object: OptionKind = ['an object', isObject]
export const count: OptionKind = [
  'a whole number from 1 up',
  (found) => Number.isSafeInteger(found) && (found as number) >= 1,
]
export const aborter: OptionKind = [
  'an AbortSignal',
  (found) => isObject(found) && 'aborted' in found,
]

export const oneOf = (...names: readonly string[]): OptionKind => [
  names.map((name) => JSON.stringify(name)).join(names.length > 2 ? ', ' : ' or '),
  (found) => names.includes(found as string),
]
