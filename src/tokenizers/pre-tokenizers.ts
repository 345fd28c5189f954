import { codePointAt, isWhiteSpace, type PreTokenizer, width } from './buffers.ts'
import { bytePreTokenizer, gpt2Pattern, prefixSpace } from './byte-level.ts'
import { numeric, punctuation, wordCharacter } from './code-points.ts'
import type { Field } from './field.ts'
import { type Find, findText } from './find.ts'
import { findRegex, parseFind } from './regex.ts'

const maxDepth = 16
const maxSteps = 64

/** The steps of the `pre_tokenizer` of a tokenizer.json, in order. */
export function parsePreTokenizer(field: Field, depth = 0): PreTokenizer[] {
  if (field.absent) return []
  const type = field.at('type')
  switch (type.string()) {
    case 'Sequence': {
      if (depth === maxDepth) field.fail(`at most ${maxDepth} levels of Sequence`)
      const items = field.at('pretokenizers').items()
      const steps = items.flatMap((item) => parsePreTokenizer(item, depth + 1))
      if (steps.length > maxSteps) field.fail(`at most ${maxSteps} pre-tokenizers`)
      return steps
    }
    case 'WhitespaceSplit':
      return [whitespaceSplit]
    case 'Metaspace':
      return [parseMetaspace(field)]
    case 'Split':
      return [parseSplit(field)]
    case 'BertPreTokenizer':
      return [bertPreTokenizer()]
    case 'Whitespace':
      return [whitespace()]
    case 'Punctuation':
      return [punctuationSplit(behaviorOf(field.at('behavior'), 'Isolated'))]
    case 'Digits': {
      const alone = field.at('individual_digits').boolean()
      return [splitCharacters(numeric(), alone ? 'Isolated' : 'Contiguous')]
    }
    case 'CharDelimiterSplit':
      return [split(parseCharacter(field.at('delimiter')), 'Removed', false)]
    case 'ByteLevel':
      return parseByteLevel(field)
    default:
      return type.unsupported(
        'Sequence, WhitespaceSplit, Metaspace, Split, BertPreTokenizer, Whitespace, Punctuation, Digits, CharDelimiterSplit, ByteLevel',
      )
  }
}

function parseByteLevel(field: Field): PreTokenizer[] {
  const steps = [bytePreTokenizer]
  const useRegex = field.at('use_regex')
  if (useRegex.value === undefined || useRegex.boolean())
    steps.unshift(splitPlaces(findRegex(gpt2Pattern), 'Isolated', false))
  if (field.at('add_prefix_space').boolean()) steps.unshift(prefixSpace)
  return steps
}

function parseCharacter(field: Field): string {
  if (Array.from(field.string()).length !== 1) field.fail('one character')
  return field.string()
}

/** Words are what stands between white space; the white space goes. */
const whitespaceSplit: PreTokenizer = (from, to) => {
  const { data, length } = from.units
  to.units.append(data, 0, length)
  for (let word = 0; word < from.count; word++) {
    const end = from.bounds[2 * word + 1]!
    let start = from.bounds[2 * word]!
    for (let i = start; i < end; i++) {
      if (!isWhiteSpace(data[i]!)) continue
      if (start < i) to.add(start, i)
      start = i + 1
    }
    if (start < end) to.add(start, end)
  }
}

/** When {@link metaspace} puts its mark before a word that has none. */
type PrependScheme = 'always' | 'first' | 'never'

function parseMetaspace(field: Field): PreTokenizer {
  const mark = field.at('replacement')
  if (mark.string().length !== 1) mark.fail('one character of the basic plane')
  const scheme = field.at('prepend_scheme')
  const split = field.at('split')
  // Files before tokenizers 0.15 say add_prefix_space (and str_rep, which repeats the replacement).
  const prefix = field.at('add_prefix_space')
  let prepend: PrependScheme = 'always'
  if (!scheme.absent) prepend = scheme.oneOf('always', 'first', 'never')
  if (!prefix.absent && !prefix.boolean()) {
    if (!scheme.absent && prepend !== 'never')
      prefix.fail(`true, or no prepend_scheme ${JSON.stringify(prepend)} beside it`)
    prepend = 'never'
  }
  return metaspace(mark.string(), prepend, split.absent || split.boolean())
}

/** Spaces become `mark`, a word without one at its front may get one, and `split` cuts before every mark. */
export function metaspace(mark: string, prepend: PrependScheme, split: boolean): PreTokenizer {
  const sign = mark.charCodeAt(0)
  return (from, to) => {
    const { data } = from.units
    const { units } = to
    units.reserve(from.units.length + from.count)
    const out = units.data
    let at = 0
    for (let word = 0; word < from.count; word++) {
      const first = from.bounds[2 * word]!
      const end = from.bounds[2 * word + 1]!
      let start = at
      const marked = data[first] === 32 || data[first] === sign
      const wanted = prepend === 'always' || (prepend === 'first' && from.opening && first === 0)
      if (wanted && !marked) out[at++] = sign
      for (let i = first; i < end; i++) {
        const unit = data[i] === 32 ? sign : data[i]!
        if (split && unit === sign && at > start) {
          to.add(start, at)
          start = at
        }
        out[at++] = unit
      }
      if (at > start) to.add(start, at)
    }
    units.length = at
  }
}

// Kinds of characters for {@link splitKinds}: those of any other kind stand together with neighbours of theirs.
const removed = 1
const isolated = 2
const wordKind = 3
const otherKind = 4

const isSpace = (character: string): boolean => isWhiteSpace(character.charCodeAt(0))

/** White space goes, punctuation stands alone. */
const bertPreTokenizer = (): PreTokenizer =>
  splitKinds((character) =>
    isSpace(character) ? removed : punctuation().test(character) ? isolated : wordKind,
  )

/** `\w+|[^\w\s]+` */
const whitespace = (): PreTokenizer =>
  splitKinds((character) =>
    isSpace(character) ? removed : wordCharacter().test(character) ? wordKind : otherKind,
  )

/** Cuts words by the kinds of their characters, which are asked for once each. */
function splitKinds(kindOf: (character: string) => number): PreTokenizer {
  const kinds = new Uint8Array(0x110000)
  const learn = (point: number): number => {
    kinds[point] = kindOf(String.fromCodePoint(point))
    return kinds[point]!
  }
  return (from, to) => {
    const { data, length } = from.units
    to.units.append(data, 0, length)
    for (let word = 0; word < from.count; word++) {
      const end = from.bounds[2 * word + 1]!
      let start = from.bounds[2 * word]!
      let before = removed
      for (let i = start; i < end; i += width(data, i)) {
        const point = codePointAt(data, i)
        const kind = kinds[point] || learn(point)
        if (kind === before && kind !== isolated) continue
        if (before !== removed) to.add(start, i)
        start = i
        before = kind
      }
      if (before !== removed) to.add(start, end)
    }
  }
}

/** What becomes of the places where {@link split} finds its text. */
type SplitBehavior = 'Removed' | 'Isolated' | 'Contiguous' | 'MergedWithPrevious' | 'MergedWithNext'

function parseSplit(field: Field): PreTokenizer {
  const find = parseFind(field.at('pattern'))
  return splitPlaces(find, behaviorOf(field.at('behavior')), field.at('invert').boolean())
}

function behaviorOf(field: Field, otherwise?: SplitBehavior): SplitBehavior {
  if (otherwise && field.value === undefined) return otherwise
  return field.oneOf('Removed', 'Isolated', 'Contiguous', 'MergedWithPrevious', 'MergedWithNext')
}

/** Cuts words into matches of `text` and what is between them. */
export const split = (text: string, behavior: SplitBehavior, invert: boolean): PreTokenizer =>
  splitPlaces(findText(text), behavior, invert)

/** Splits words into punctuation and what is between. */
export const punctuationSplit = (behavior: SplitBehavior): PreTokenizer =>
  splitCharacters(punctuation(), behavior)

/** Splits words into matching characters and what is between them. */
function splitCharacters(sought: RegExp, behavior: SplitBehavior): PreTokenizer {
  const find: Find = (data, start, end, found) => {
    for (let at = start; at < end; at += width(data, at))
      if (sought.test(String.fromCodePoint(codePointAt(data, at))))
        found.push(at, at + width(data, at))
  }
  return splitPlaces(find, behavior, false)
}

/**
 * Splits words into the places found and what is between them; `invert` takes the one for the other. Two
 * neighbours stay together, or the places go, as `behavior` says.
 */
function splitPlaces(find: Find, behavior: SplitBehavior, invert: boolean): PreTokenizer {
  const together = (left: boolean, right: boolean): boolean => {
    if (behavior === 'Contiguous') return left === right
    if (behavior === 'MergedWithPrevious') return !left && right
    return behavior === 'MergedWithNext' && left && !right
  }
  const found: number[] = []
  return (from, to) => {
    const { data, length } = from.units
    to.units.append(data, 0, length)
    for (let word = 0; word < from.count; word++) {
      const last = from.bounds[2 * word + 1]!
      let start = from.bounds[2 * word]!
      let end = start
      let before = false
      const add = (next: number, isFound: boolean): void => {
        if (next === end) return
        const here = isFound !== invert
        if (start < end && !together(before, here)) {
          if (behavior !== 'Removed' || !before) to.add(start, end)
          start = end
        }
        end = next
        before = here
      }
      found.length = 0
      find(data, start, last, found)
      for (let i = 0; i < found.length; i += 2) {
        add(found[i]!, false)
        add(found[i + 1]!, true)
      }
      add(last, false)
      if (behavior !== 'Removed' || !before) to.add(start, end)
    }
  }
}
