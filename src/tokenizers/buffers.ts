import { TokenizerError } from './errors.ts'

// No passage comes near this, but a hostile normalizer may double a text again and again.
const maxUnits = 1 << 24

const isHigh = (unit: number) => (unit & 0xfc00) === 0xd800
const isLow = (unit: number) => (unit & 0xfc00) === 0xdc00

/** How many code units the code point at `at` takes in well-formed UTF-16: 1 or 2. */
export const width = (data: Uint16Array, at: number): 1 | 2 => (isHigh(data[at]!) ? 2 : 1)

/** The code point at `at` in well-formed UTF-16. */
export function codePointAt(data: Uint16Array, at: number): number {
  const unit = data[at]!
  return isHigh(unit) ? 0x10000 + ((unit & 0x3ff) << 10) + (data[at + 1]! & 0x3ff) : unit
}

/** A text on its way through the tokenizer: well-formed UTF-16 in a buffer that is used again and again. */
export class Units {
  data = new Uint16Array(1024)
  length = 0

  /** Makes room for `units` code units in all. */
  reserve(units: number): void {
    if (units <= this.data.length) return
    if (units > maxUnits)
      throw new TokenizerError(
        'tokenizer-input',
        `the text is over ${maxUnits} UTF-16 code units long (perhaps only after normalization); cut it into passages`,
      )
    const data = new Uint16Array(Math.min(maxUnits, Math.max(units, 2 * this.data.length)))
    data.set(this.data.subarray(0, this.length))
    this.data = data
  }

  push(unit: number): void {
    this.reserve(this.length + 1)
    this.data[this.length++] = unit
  }

  /** Appends `source[start]` to `source[end - 1]`. */
  append(source: Uint16Array, start: number, end: number): void {
    this.reserve(this.length + end - start)
    const { data } = this
    let at = this.length
    if (end - start > 32) data.set(source.subarray(start, end), at)
    else for (let i = start; i < end; i++) data[at++] = source[i]!
    this.length += end - start
  }

  /** Takes over a string; a lone surrogate becomes U+FFFD, as in every UTF-8 encoder. */
  assign(text: string): void {
    this.length = 0
    this.reserve(text.length)
    const { data } = this
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      data[i] = unit
      if ((unit & 0xf800) !== 0xd800) continue
      if (isHigh(unit) && isLow(text.charCodeAt(i + 1))) data[++i] = text.charCodeAt(i)
      else data[i] = 0xfffd
    }
    this.length = text.length
  }

  toString(): string {
    let text = ''
    for (let at = 0; at < this.length; at += 8192) {
      const end = Math.min(at + 8192, this.length)
      text += String.fromCharCode.apply(null, this.data.subarray(at, end) as unknown as number[])
    }
    return text
  }
}

/**
 * One step of normalization. It either changes `text` in place and returns it, or writes the result to
 * `spare` and returns that.
 */
export type Normalizer = (text: Units, spare: Units) => Units

/** The UTF-16 code units of a short string. */
export function unitsOf(text: string): Uint16Array {
  const units = new Uint16Array(text.length)
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i)
  return units
}

/** A text cut into words: word i is `units[bounds[2i]]` up to `units[bounds[2i + 1]]`, exclusive. */
export class Words {
  readonly units = new Units()
  bounds = new Int32Array(256)
  count = 0
  /** Whether the words open the text: they stand at its very beginning. */
  opening = false

  clear(opening: boolean): void {
    this.units.length = 0
    this.count = 0
    this.opening = opening
  }

  add(start: number, end: number): void {
    const at = 2 * this.count++
    if (at === this.bounds.length) {
      const bounds = new Int32Array(2 * at)
      bounds.set(this.bounds)
      this.bounds = bounds
    }
    this.bounds[at] = start
    this.bounds[at + 1] = end
  }
}

/** One step of cutting a text into words: reads `from` and writes to `to`, which is empty. */
export type PreTokenizer = (from: Words, to: Words) => void

/** A growing list of token ids. */
export class Ids {
  data = new Uint32Array(256)
  length = 0

  push(id: number): void {
    if (this.length === this.data.length) {
      const data = new Uint32Array(2 * this.length)
      data.set(this.data)
      this.data = data
    }
    this.data[this.length++] = id
  }
}

/** Whether a code unit is white space: Unicode's White_Space, which holds no character beyond the first plane. */
export function isWhiteSpace(unit: number): boolean {
  if (unit < 0x80) return unit === 32 || (unit >= 9 && unit <= 13)
  return (
    unit === 0x85 ||
    unit === 0xa0 ||
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  )
}
