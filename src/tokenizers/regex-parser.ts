import {
  type CharSet,
  categorySet,
  complement,
  digitSet,
  everything,
  intersection,
  setOf,
  spaceSet,
  wordSet,
} from './char-sets.ts'
import { TokenizerError } from './errors.ts'

/** A parsed regular expression. */
export type Regex =
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly parts: readonly Regex[] }
  /** Alternatives, the preferred one first. */
  | { readonly kind: 'either'; readonly parts: readonly Regex[] }
  | {
      readonly kind: 'repeat'
      readonly part: Regex
      readonly min: number
      readonly max: number
      readonly lazy: boolean
    }
  /** Look-ahead: whether `part` matches here, or does not; it consumes no character. */
  | { readonly kind: 'look'; readonly part: Regex; readonly negative: boolean }

/** Where alone an expression matches: where the text begins (`\A`), or a line (`^`). */
export type Anchor = 'text' | 'line' | ''

/** What is supported, in words. */
export const regexSyntax =
  'characters, classes, \\p{…} of general categories, groups, |, ?, *, +, {n,m}, look-ahead, anchors, (?i:…) over ASCII'

const maxDepth = 32
const maxTimes = 1000

const escapedCharacters: Readonly<Record<string, number>> = {
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  e: 27,
}

const escapedSets: Readonly<Record<string, (inClass: boolean) => CharSet>> = {
  s: spaceSet,
  d: digitSet,
  w: wordSet,
}

/** Letters that fold to an ASCII letter. */
const foldedLetters: Readonly<Record<string, number>> = { s: 0x17f, k: 0x212a }

/** The end of the text: no character follows. */
const atEnd: Regex = { kind: 'look', part: { kind: 'set', set: everything }, negative: true }

/**
 * Parses a regular expression in the syntax of Oniguruma (Ruby's), as Hugging Face's tokenizers has it: characters, classes
 * (nested too), `\p{Lu}`, groups, alternatives, repetition, look-ahead, `(?i:…)` over ASCII, the anchors of a text's end,
 * and one of its beginning in front of all else. Errors: `tokenizer-unsupported` for all else, with the offset.
 */
export function parseRegex(source: string): { regex: Regex; anchor: Anchor } {
  return new Parser(source).parse()
}

class Parser {
  readonly #source: string
  #at = 0
  #folds = false
  #depth = 0

  constructor(source: string) {
    this.#source = source
  }

  parse(): { regex: Regex; anchor: Anchor } {
    const anchor = this.#eat('\\A') ? 'text' : this.#eat('^') ? 'line' : ''
    const regex = anchor ? this.#sequence() : this.#alternatives()
    if (this.#at < this.#source.length) this.#fail(this.#source[this.#at]!)
    return { regex, anchor }
  }

  /** Reports what is not supported, and its offset. */
  #fail(what: string): never {
    throw new TokenizerError('tokenizer-unsupported', `${what} at ${this.#at}`)
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  /** What a sticky expression matches next, or `undefined`. */
  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source)
    if (!found) return undefined
    this.#at = pattern.lastIndex
    return found
  }

  #alternatives(): Regex {
    if (++this.#depth > maxDepth) this.#fail('deep nesting')
    const parts: Regex[] = []
    do parts.push(this.#sequence())
    while (this.#eat('|'))
    this.#depth--
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts }
  }

  #sequence(): Regex {
    const parts: Regex[] = []
    while (this.#at < this.#source.length && !/[|)]/.test(this.#source[this.#at]!)) {
      this.#checkFolds()
      parts.push(this.#repeated(this.#atom()))
    }
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
  }

  /** Some pairs of letters also match one character, such as ß or ﬁ. */
  #checkFolds(): void {
    if (this.#folds && this.#match(/(?=s[st]|f[fil])/iy))
      this.#fail('(?i: over letters that fold together')
  }

  #repeated(part: Regex): Regex {
    const sign = this.#match(/([*+?])([+?]?)|\{(?=[\d,])(\d*)(,?)(\d*)\}(?![+?*{])/y)
    if (!sign) {
      if (this.#match(/(?=[{*+?])/y)) this.#fail(`repetition ${this.#source[this.#at]}`)
      return part
    }
    const [, short, mode, from, comma, to] = sign
    const min = short ? (short === '+' ? 1 : 0) : Number(from || 0)
    const max = short ? (short === '?' ? 1 : Infinity) : comma ? Number(to || Infinity) : min
    if (
      (from === '' && to === '') ||
      min > max ||
      Math.max(min, max === Infinity ? 0 : max) > maxTimes
    )
      this.#fail('repetition {')
    if (max > 1 && isNullable(part)) this.#fail('repetition of what may be empty')
    const repeat: Regex = { kind: 'repeat', part, min, max, lazy: mode === '?' }
    if (this.#match(/(?=[*+?]|\{\d*,?\d*\})/y)) this.#fail('repetition of repetition')
    if (mode !== '+') return repeat
    // Possessive: no more characters of the set follow the repetition.
    if (part.kind !== 'set') return this.#fail('possessive repetition of more than one character')
    const noMore: Regex = { kind: 'look', part, negative: true }
    return max === 1
      ? { kind: 'either', parts: [part, noMore] }
      : { kind: 'sequence', parts: [repeat, noMore] }
  }

  #atom(): Regex {
    if (this.#eat('(')) return this.#group()
    if (this.#eat('[')) return { kind: 'set', set: this.#class() }
    if (this.#eat('.')) return { kind: 'set', set: complement([10, 10]) }
    if (this.#eat('$') || this.#eat('\\Z')) return atLineEnd(this.#source[this.#at - 1] === '$')
    if (this.#eat('\\z')) return atEnd
    if (this.#eat('\\')) return { kind: 'set', set: this.#escaped(false) }
    if (this.#match(/(?=[*+?{^])/y)) this.#fail(this.#source[this.#at]!)
    return { kind: 'set', set: this.#folded(this.#character()) }
  }

  #group(): Regex {
    const folds = this.#folds
    const open = this.#match(/\?(?:i:|:|=|!)|(?!\?)/y)?.[0]
    if (open === undefined)
      return this.#fail(`group (${this.#source.slice(this.#at, this.#at + 3)}`)
    if (open === '?i:') this.#folds = true
    const part = this.#alternatives()
    if (!this.#eat(')')) this.#fail('a group that does not end')
    this.#folds = folds
    return open === '?=' || open === '?!' ? { kind: 'look', part, negative: open === '?!' } : part
  }

  /** A character as it stands. */
  #character(): number {
    const point = this.#source.codePointAt(this.#at)
    if (point === undefined) return this.#fail('an end')
    this.#at += point > 0xffff ? 2 : 1
    return point
  }

  /** A character and, in `(?i:…)`, those that fold to it. */
  #folded(first: number, last = first): CharSet {
    if (!this.#folds) return [first, last]
    if (last > 0x7f) this.#fail('(?i: over characters beyond ASCII')
    const ranges: number[] = []
    for (let point = first; point <= last; point++) {
      const lower = String.fromCharCode(point).toLowerCase()
      const forms = [lower.charCodeAt(0), lower.toUpperCase().charCodeAt(0), foldedLetters[lower]]
      for (const form of forms) if (form !== undefined) ranges.push(form, form)
    }
    return setOf(ranges)
  }

  /** What stands after a backslash. */
  #escaped(inClass: boolean): CharSet {
    const property = this.#match(/([pP])\{(\^?)([A-Z][a-z]?)\}/y)
    if (property) {
      const [, letter, not, name] = property
      const set = categorySet(name!) ?? this.#fail(`\\p{${name}}`)
      if (this.#folds) this.#fail('(?i: over \\p')
      return (letter === 'P') !== (not === '^') ? complement(set) : set
    }
    const named = escapedSets[this.#source[this.#at]?.toLowerCase() ?? '']
    if (named) {
      if (this.#folds) this.#fail('(?i: over \\s, \\d, \\w')
      const letter = this.#source[this.#at++]!
      const set = named(inClass)
      return letter === letter.toLowerCase() ? set : complement(set)
    }
    return this.#folded(this.#escapedCharacter())
  }

  #escapedCharacter(): number {
    const code = this.#match(/u([\dA-Fa-f]{4})|x\{([\dA-Fa-f]{1,6})\}|x([0-7][\dA-Fa-f])/y)
    if (code) return Number.parseInt(code[1] ?? code[2] ?? code[3]!, 16)
    const letter = this.#match(/[A-Za-z0-9]/y)?.[0]
    if (letter === undefined) return this.#character()
    return escapedCharacters[letter] ?? this.#fail(`\\${letter}`)
  }

  /** A class, of which the bracket is read. */
  #class(): CharSet {
    if (++this.#depth > maxDepth) this.#fail('deep nesting')
    const negative = this.#eat('^')
    let all = this.#classPart()
    while (this.#eat('&&')) all = intersection(all, this.#classPart())
    if (!this.#eat(']')) this.#fail('a class that does not end')
    this.#depth--
    return negative ? complement(all) : all
  }

  /** What stands in a class up to its end, or up to `&&`. */
  #classPart(): CharSet {
    const ranges: number[] = []
    while (!this.#match(/(?=\]|&&|$)/y)) {
      if (this.#match(/(?=\[:)/y)) this.#fail('[:')
      if (this.#eat('[')) ranges.push(...this.#class())
      else if (this.#match(/(?=\\[pPsSdDwW])/y) && this.#eat('\\'))
        ranges.push(...this.#escaped(true))
      else {
        const first = this.#classCharacter()
        // A hyphen before the end stands for itself.
        const isRange = this.#match(/-(?!\]|&&|\\[pPsSdDwW]|\[)/y)
        const last = isRange ? this.#classCharacter() : first
        if (last < first) this.#fail('a range in the wrong order')
        ranges.push(...this.#folded(first, last))
      }
    }
    if (ranges.length === 0) this.#fail('an empty class')
    return setOf(ranges)
  }

  #classCharacter(): number {
    return this.#eat('\\') ? this.#escapedCharacter() : this.#character()
  }
}

/** `$`, before every line feed, or `\Z`, before the last one. */
const atLineEnd = (every: boolean): Regex => {
  const lineFeed: Regex = { kind: 'set', set: [10, 10] }
  const part: Regex = every ? lineFeed : { kind: 'sequence', parts: [lineFeed, atEnd] }
  return { kind: 'either', parts: [atEnd, { kind: 'look', part, negative: false }] }
}

/** Whether an expression may match without a character. */
export function isNullable(regex: Regex): boolean {
  switch (regex.kind) {
    case 'set':
      return false
    case 'sequence':
      return regex.parts.every(isNullable)
    case 'either':
      return regex.parts.some(isNullable)
    case 'repeat':
      return regex.min === 0 || isNullable(regex.part)
    case 'look':
      return true
  }
}
