import { show } from './errors.ts'

/** Makes the error for a fault: `where` is the path of keys to it, `fault` what was found and expected. */
export type Reject = (where: string, fault: string) => Error

// As deep as the reference implementation of safetensors goes (serde_json's limit).
const maxDepth = 128

const scalarPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
/** With what Python writes for numbers that JSON has no words for. */
const pythonScalarPattern = new RegExp(`${scalarPattern.source}|NaN|-?Infinity`, 'y')
const indexPattern = /^(?:0|[1-9]\d*)$/

/**
 * Reads JSON of a known form from front to back, and stops at the first thing that is not of that
 * form. `JSON.parse` would do for honest files; it hides repeated keys and numbers that are no whole
 * numbers as written, and of a hostile header it builds every object before one can be refused.
 *
 * `expected` of each method is what messages say should have stood there.
 */
export class JsonReader {
  readonly #text: string
  readonly #reject: Reject
  readonly #scalars: RegExp
  readonly #path: (string | number)[] = []
  #at = 0

  /** @param options.python takes NaN and Infinity where a value is skipped, as Python reads and writes them */
  constructor(text: string, reject: Reject, { python = false } = {}) {
    this.#text = text
    this.#reject = reject
    this.#scalars = python ? pythonScalarPattern : scalarPattern
  }

  /** An object; `visit` must read the value of each key. A key that stands twice is a fault. */
  object(expected: string, visit: (key: string) => void): void {
    const keys = new Set<string>()
    this.#items('{', '}', expected, () => {
      const key = this.string('a key in double quotes')
      if (keys.has(key)) this.#fail(`the key ${show(key)} stands twice`)
      keys.add(key)
      if (!this.#take(':')) this.#unexpected('":"')
      this.#inside(key, () => visit(key))
    })
  }

  /** A list; `visit` must read the item at each index. */
  array(expected: string, visit: (index: number) => void): void {
    let index = 0
    this.#items('[', ']', expected, () => {
      this.#inside(index, () => visit(index))
      index += 1
    })
  }

  /** A string. */
  string(expected: string): string {
    if (!this.#take('"')) this.#unexpected(expected)
    const start = this.#at
    let escaped = false
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === 0x22) break
      // NaN is the end of the text; a character below the space must be written as an escape.
      if (!(code >= 0x20)) this.#unexpected(`the end of ${expected}`)
      if (code === 0x5c) {
        escaped = true
        this.#at++
      }
    }
    const raw = this.#text.slice(start, this.#at++)
    if (!escaped) return raw
    const value = unescaped(raw)
    if (value === undefined) {
      this.#fail(`found ${show(raw)}, which has a bad escape; expected ${expected}`)
    }
    return value
  }

  /** A whole number from 0 to 2^53 - 1, written in digits alone. */
  count(expected: string): number {
    const found = this.#scalar(expected)
    const value = Number(found)
    if (!indexPattern.test(found) || !Number.isSafeInteger(value)) {
      this.#fail(`found ${found.slice(0, 40)}; expected ${expected}`)
    }
    return value
  }

  /** Takes a null, where the next value is one. */
  null(): boolean {
    this.#space()
    const isNull = this.#text.startsWith('null', this.#at)
    if (isNull) this.#at += 4
    return isNull
  }

  /** Any value, which is checked but not kept. */
  skip(): void {
    this.#space()
    const next = this.#text[this.#at]
    if (next === '{') this.object('an object', () => this.skip())
    else if (next === '[') this.array('a list', () => this.skip())
    else if (next === '"') this.string('a string')
    else this.#scalar('a value')
  }

  /** The end of the text: only white space may follow. */
  end(): void {
    this.#space()
    if (this.#at < this.#text.length) this.#unexpected('nothing more')
  }

  #items(open: string, close: string, expected: string, item: () => void): void {
    if (!this.#take(open)) this.#unexpected(expected)
    if (this.#take(close)) return
    do item()
    while (this.#take(','))
    if (!this.#take(close)) this.#unexpected(`"," or "${close}"`)
  }

  #inside(step: string | number, read: () => void): void {
    if (this.#path.length === maxDepth) this.#fail(`nested deeper than ${maxDepth} levels`)
    this.#path.push(step)
    read()
    this.#path.pop()
  }

  #scalar(expected: string): string {
    this.#space()
    this.#scalars.lastIndex = this.#at
    const found = this.#scalars.exec(this.#text)?.[0]
    if (found === undefined) this.#unexpected(expected)
    this.#at += found.length
    return found
  }

  #space(): void {
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    }
  }

  #take(mark: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== mark) return false
    this.#at++
    return true
  }

  #unexpected(expected: string): never {
    const next = this.#text.slice(this.#at, this.#at + 16)
    this.#fail(`found ${next ? `${show(next)}` : 'the end of the text'}; expected ${expected}`)
  }

  #fail(fault: string): never {
    const path = this.#path.slice(0, 4).map(show).join(' > ')
    throw this.#reject(path, `${fault} (character ${this.#at})`)
  }
}

/** The text that a string with escapes stands for; `undefined` where one is wrong, or is half a surrogate pair. */
function unescaped(raw: string): string | undefined {
  try {
    const value: string = JSON.parse(`"${raw}"`)
    return /\p{Surrogate}/u.test(value) ? undefined : value
  } catch {
    return undefined
  }
}
