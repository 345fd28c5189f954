import { parseJson } from '../json.ts'
import type { Folder } from '../platform/files.ts'
import { readText } from './bytes.ts'
import { CheckpointError, show } from './errors.ts'

export const configFile = 'config.json'

// Real ones have a few KB; the largest list the labels of thousands of classes.
const mostBytes = 16 * 1024 * 1024

/** Bounds of a number, both included. */
export interface Bounds {
  readonly min?: number
  readonly max?: number
}

/** What a value that is absent stands for, and null too unless it is said apart. Without it, absence is an error. */
export interface Default<D> {
  readonly default?: D
  readonly null?: D
}

type Type =
  | 'a whole number'
  | 'a number'
  | 'a string'
  | 'true or false'
  | 'a list of strings'
  | 'a list of whole numbers'
  | 'an object'
  | 'an object or a list'

/**
 * The values of a checkpoint's config.json, checked as they are asked for. Every method throws a
 * CheckpointError `config-invalid` that names the file, the key, what was found and what was
 * expected.
 *
 * {@link Config.unread} lists the keys that nothing has read.
 *
 * ```ts
 * const hidden = config.integer('hidden_size', { min: 1, max: 65536 })
 * const eps = config.number('layer_norm_eps', { min: 0, default: 1e-12 })
 * const headDim = config.integer('head_dim', { min: 1, default: undefined }) ?? hidden / heads
 * ```
 */
export class Config {
  /** How messages call the file. */
  readonly file: string
  /** The parsed JSON, unchecked. Look keys up with `Object.hasOwn`. */
  readonly raw: Readonly<Record<string, unknown>>
  readonly #read = new Set<string>()
  readonly #sections = new Map<string, Config>()
  readonly #warnings = new Set<string>()

  /**
   * @param file how messages call the file
   * @param json what was parsed from it
   */
  constructor(file: string, json: unknown) {
    if (!isObject(json)) {
      throw new CheckpointError(
        'config-invalid',
        `${file}: found ${show(json)}; expected an object`,
      )
    }
    this.file = file
    this.raw = json as Record<string, unknown>
  }

  /** Reads config.json of a folder; `undefined` where there is none. */
  static async read(folder: Folder): Promise<Config | undefined> {
    const file = `${folder.name}/${configFile}`
    const text = await readText(folder, configFile, mostBytes, 'config-invalid')
    if (text === undefined) return undefined
    let json: unknown
    try {
      json = parseJson(text)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new CheckpointError('config-invalid', `${file}: not JSON (${reason})`, { cause })
    }
    return new Config(file, json)
  }

  /** Whether the key is there with a value other than null. */
  has(key: string): boolean {
    return this.#value(key) !== undefined
  }

  /** A whole number of magnitude below 2^53. */
  integer<D = never>(key: string, options: Bounds & Default<D> = {}): number | D {
    return this.#get(key, options, 'a whole number', isSafeInteger, boundsText(options), (value) =>
      isWithin(value, options),
    )
  }

  /** A finite number. */
  number<D = never>(key: string, options: Bounds & Default<D> = {}): number | D {
    return this.#get(key, options, 'a number', isFiniteNumber, boundsText(options), (value) =>
      isWithin(value, options),
    )
  }

  /** A string, one of `allowed` where that is given. */
  string<T extends string = string, D = never>(
    key: string,
    options: { readonly allowed?: readonly T[] } & Default<D> = {},
  ): T | D {
    const { allowed } = options
    const text = allowed ? `, one of ${allowed.map(show).join(', ')}` : ''
    return this.#get(
      key,
      options,
      'a string',
      isString,
      text,
      (value) => !allowed || (allowed as readonly string[]).includes(value),
    ) as T | D
  }

  /** True or false. */
  boolean<D = never>(key: string, options: Default<D> = {}): boolean | D {
    return this.#get(key, options, 'true or false', isBoolean)
  }

  /** A list of strings, such as `architectures`. */
  strings<D = never>(key: string, options: Default<D> = {}): readonly string[] | D {
    return this.#get(key, options, 'a list of strings', isStrings)
  }

  /** A list of whole numbers of magnitude below 2^53, each within the bounds. */
  integers<D = never>(key: string, options: Bounds & Default<D> = {}): readonly number[] | D {
    return this.#get(
      key,
      options,
      'a list of whole numbers',
      isIntegers,
      boundsText(options),
      (values) => values.every((value) => isWithin(value, options)),
    )
  }

  /** How many entries an object or a list has. */
  size<D = never>(key: string, options: Default<D> = {}): number | D {
    const value = this.#get(key, options, 'an object or a list', isCollection)
    return isCollection(value) ? Object.keys(value).length : value
  }

  /** The keys of an object, such as `id2label`. */
  keys<D = never>(key: string, options: Default<D> = {}): readonly string[] | D {
    const value = this.#get(key, options, 'an object', isObject)
    return isObject(value) ? Object.keys(value) : value
  }

  /** An object within, such as `rope_scaling`, as a Config of its own; `undefined` where it is absent. */
  section(key: string): Config | undefined {
    const value = this.#value(key)
    if (value === undefined) return undefined
    const known = this.#sections.get(key) ?? new Config(`${this.file} > ${show(key)}`, value)
    this.#sections.set(key, known)
    return known
  }

  /** The keys with a value other than null that nothing asked for so far; those of sections as `section > key`. */
  unread(): string[] {
    return Object.keys(this.raw).flatMap((key) => {
      const within = this.#sections.get(key)
      if (within) return within.unread().map((inner) => `${key} > ${inner}`)
      return this.raw[key] === null || this.#read.has(key) ? [] : [key]
    })
  }

  /** Says something of this config that a user should know, and that is no fault. */
  warn(text: string): void {
    this.#warnings.add(`${this.file}: ${text}`)
  }

  /** What was said by {@link Config.warn}. */
  get warnings(): readonly string[] {
    return [...this.#warnings]
  }

  /** Undefined stands for both an absent key and null. */
  #value(key: string): unknown {
    this.#read.add(key)
    return Object.hasOwn(this.raw, key) ? (this.raw[key] ?? undefined) : undefined
  }

  #get<T, D>(
    key: string,
    options: Default<D>,
    type: Type,
    isType: (value: unknown) => value is T,
    limits = '',
    isAllowed: (value: T) => boolean = () => true,
  ): T | D {
    const value = this.#value(key)
    if (value === undefined) return this.#absent(key, options, type + limits)
    if (!isType(value) || !isAllowed(value)) this.#wrong(key, value, type + limits)
    return value
  }

  #absent<D>(key: string, options: Default<D>, expected: string): D {
    const isNull = Object.hasOwn(this.raw, key)
    if (isNull && 'null' in options) return options.null as D
    // A default of undefined is one: the key is then looked for, not the value.
    if ('default' in options) return options.default as D
    const found = isNull ? 'is null' : 'is missing'
    throw new CheckpointError(
      'config-invalid',
      `${this.file}: ${show(key)} ${found}; expected ${expected}`,
    )
  }

  #wrong(key: string, value: unknown, expected: string): never {
    throw new CheckpointError(
      'config-invalid',
      `${this.file}: ${show(key)} is ${show(value)}; expected ${expected}`,
    )
  }
}

const isSafeInteger = (value: unknown): value is number => Number.isSafeInteger(value)
const isFiniteNumber = (value: unknown): value is number => Number.isFinite(value)
const isString = (value: unknown): value is string => typeof value === 'string'
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'
const isCollection = (value: unknown): value is object =>
  typeof value === 'object' && value !== null
const isObject = (value: unknown): value is object => isCollection(value) && !Array.isArray(value)
const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(isString)

const isIntegers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every(isSafeInteger)

const isWithin = (value: number, { min = -Infinity, max = Infinity }: Bounds) =>
  value >= min && value <= max

function boundsText({ min, max }: Bounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`
  if (min !== undefined) return ` of at least ${min}`
  return max === undefined ? '' : ` of at most ${max}`
}
