import { isWhiteSpace, type PreTokenizer } from './buffers.ts'
import type { Field } from './field.ts'
import { type Find, findText, parseFind } from './find.ts'
import type { Kinds } from './kinds.ts'

const maxDepth = 16
const maxSteps = 64

/** The steps of the `pre_tokenizer` of a tokenizer.json, in order. */
export function parsePreTokenizer(field: Field, kinds: Kinds, depth = 0): PreTokenizer[] {
  if (field.absent) return []
  const type = field.at('type')
  const name = type.string()
  switch (name) {
    case 'Sequence': {
      if (depth === maxDepth) field.fail(`at most ${maxDepth} levels of Sequence`)
      const items = field.at('pretokenizers').items()
      const steps = items.flatMap((item) => parsePreTokenizer(item, kinds, depth + 1))
      if (steps.length > maxSteps) field.fail(`at most ${maxSteps} pre-tokenizers`)
      return steps
    }
    case 'WhitespaceSplit':
      return [whitespaceSplit]
    case 'Metaspace':
      return [parseMetaspace(field)]
    case 'Split':
      return [parseSplit(field, kinds)]
    case 'CharDelimiterSplit':
      return [split(parseCharacter(field.at('delimiter')), 'Removed', false)]
  }
  const { preTokenizers = {} } = kinds
  const read = Object.hasOwn(preTokenizers, name) ? preTokenizers[name] : undefined
  return (
    read?.(field, kinds) ??
    type.unsupported(
      'Sequence, WhitespaceSplit, Metaspace, Split, BertPreTokenizer, Whitespace, Punctuation, Digits, CharDelimiterSplit, ByteLevel',
    )
  )
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

/** What becomes of the places where {@link split} finds its text. */
export type SplitBehavior = 'Removed' | 'Isolated' | 'Contiguous' | 'MergedWithPrevious' | 'MergedWithNext'

function parseSplit(field: Field, kinds: Kinds): PreTokenizer {
  const find = parseFind(field.at('pattern'), kinds)
  return splitPlaces(find, behaviorOf(field.at('behavior')), field.at('invert').boolean())
}

/** The `behavior` of a split. */
export function behaviorOf(field: Field, otherwise?: SplitBehavior): SplitBehavior {
  if (otherwise && field.value === undefined) return otherwise
  return field.oneOf('Removed', 'Isolated', 'Contiguous', 'MergedWithPrevious', 'MergedWithNext')
}

/** Cuts words into matches of `text` and what is between them. */
export const split = (text: string, behavior: SplitBehavior, invert: boolean): PreTokenizer =>
  splitPlaces(findText(text), behavior, invert)

/**
 * Splits words into the places found and what is between them; `invert` takes the one for the other. Two
 * neighbours stay together, or the places go, as `behavior` says.
 */
export function splitPlaces(find: Find, behavior: SplitBehavior, invert: boolean): PreTokenizer {
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
