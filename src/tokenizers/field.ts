import { TokenizerError } from './errors.ts'

/** A value of a JSON file that knows where it stands, so that a wrong one is reported by its path. */
export class Field {
  readonly value: unknown
  readonly where: string

  constructor(value: unknown, where: string) {
    this.value = value
    this.where = where
  }

  /** A member of an object; a missing one gives a field whose value is `undefined`. */
  at(key: string): Field {
    const members = this.object()
    const separator = this.where.endsWith(': ') ? '' : '.'
    return new Field(
      Object.hasOwn(members, key) ? members[key] : undefined,
      this.where + separator + key,
    )
  }

  /** The members of an array. */
  items(): Field[] {
    return this.array().map((value, i) => new Field(value, `${this.where}[${i}]`))
  }

  /** Whether the value is missing or null. */
  get absent(): boolean {
    return this.value === undefined || this.value === null
  }

  object(): Record<string, unknown> {
    const { value } = this
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail('an object')
    return value as Record<string, unknown>
  }

  array(): unknown[] {
    if (!Array.isArray(this.value)) this.fail('an array')
    return this.value
  }

  string(): string {
    if (typeof this.value !== 'string') this.fail('a string')
    if (loneSurrogate.test(this.value)) this.fail('a string without lone surrogates')
    return this.value
  }

  /** One of a few names. */
  oneOf<Name extends string>(...names: Name[]): Name {
    const name = names.find((name) => name === this.value)
    if (name === undefined) this.fail(names.map((name) => JSON.stringify(name)).join(' or '))
    return name
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') this.fail('true or false')
    return this.value
  }

  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    const { value } = this
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
      this.fail(`an integer from ${min} to ${max}`)
    return value as number
  }

  /** Reports that the value is not what was expected. */
  fail(expected: string): never {
    throw new TokenizerError(
      'tokenizer-invalid',
      `${this.where} is ${inWords(this.value)}; expected ${expected}`,
    )
  }

  /** Reports a value that is well-formed but not supported. */
  unsupported(known: string): never {
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${this.where} is ${inWords(this.value)}, which is not supported; supported: ${known}`,
    )
  }
}

const loneSurrogate = /\p{Surrogate}/u

/** A value in few words. */
function inWords(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}
