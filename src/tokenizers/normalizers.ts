import { isWhiteSpace, type Normalizer, unitsOf } from './buffers.ts'
import { Charsmap } from './charsmap.ts'
import { TokenizerError } from './errors.ts'
import type { Field } from './field.ts'
import { precompiled } from './precompiled.ts'
import {
  type BertOptions,
  bertNormalizer,
  lowercase,
  stripAccents,
  unicodeForm,
} from './unicode-normalizers.ts'

const maxDepth = 16
const maxSteps = 64
const maxContent = 1024

/** The steps of the `normalizer` of a tokenizer.json, in order. */
export function parseNormalizer(field: Field, depth = 0): Normalizer[] {
  if (field.absent) return []
  const type = field.at('type')
  switch (type.string()) {
    case 'Sequence': {
      if (depth === maxDepth) field.fail(`at most ${maxDepth} levels of Sequence`)
      const items = field.at('normalizers').items()
      const steps = items.flatMap((item) => parseNormalizer(item, depth + 1))
      if (steps.length > maxSteps) field.fail(`at most ${maxSteps} normalizers`)
      return steps
    }
    case 'Precompiled':
      return [precompiled(new Charsmap(base64(field.at('precompiled_charsmap')), field.where))]
    case 'Replace':
      return [parseReplace(field.at('pattern'), contentOf(field.at('content')))]
    case 'Prepend':
      return [prepend(contentOf(field.at('prepend')))]
    case 'Strip':
      return [strip(field.at('strip_left').boolean(), field.at('strip_right').boolean())]
    case 'BertNormalizer':
      return [bertNormalizer(parseBertOptions(field))]
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return [unicodeForm(type.oneOf('NFC', 'NFD', 'NFKC', 'NFKD'))]
    case 'Lowercase':
      return [lowercase()]
    case 'StripAccents':
      return [stripAccents()]
    default:
      return type.unsupported(
        'Sequence, Precompiled, Replace, Prepend, Strip, BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents',
      )
  }
}

/** Lower casing strips accents unless a setting says whether they are stripped. */
function parseBertOptions(field: Field): BertOptions {
  const accents = field.at('strip_accents')
  const lowercase = field.at('lowercase').boolean()
  return {
    cleanText: field.at('clean_text').boolean(),
    handleChineseChars: field.at('handle_chinese_chars').boolean(),
    stripAccents: accents.absent ? lowercase : accents.boolean(),
    lowercase,
  }
}

function contentOf(field: Field): string {
  const content = field.string()
  if (content.length > maxContent) field.fail(`a string of at most ${maxContent} code units`)
  return content
}

function base64(field: Field): Uint8Array {
  let binary: string
  try {
    binary = atob(field.string())
  } catch {
    return field.fail('base64')
  }
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

const atomPattern = String.raw`(?:[^\\^$.*+?()[\]{}|]|\\[^\p{L}\p{N}\s]|\[[^\\[\]&]+\])`
// One repeated atom, or atoms without repetition, perhaps between anchors: what can be searched for in linear time.
const safePattern = new RegExp(
  String.raw`^(?<start>\\A|\^)?(?:(?<atom>${atomPattern})(?<times>\+|\{[1-9]\d?(?:,\d{0,4})?\})|(?<atoms>${atomPattern}{1,64}))(?<end>\\[zZ]|\$)?$`,
  'u',
)

/** Anchors as Hugging Face's tokenizers has them (Oniguruma, Ruby's syntax), where a line ends at \n alone. */
const anchorPatterns: Readonly<Record<string, string>> = {
  '\\A': '(?<![^])',
  '^': '(?<![^\\n])',
  $: '(?![^\\n])',
  '\\z': '(?![^])',
  '\\Z': '(?=\\n?(?![^]))',
}

// What is tried again from each place of a text.
const maxTried = 64

/**
 * A JavaScript expression for one of {@link safePattern} that takes linear time on every text, or `undefined`.
 * Repetition before an anchor would be tried from each character of a run; a look behind lets the first alone begin,
 * which changes nothing, since a match reaches to the last end that the run has.
 */
function linearPattern(source: string): string | undefined {
  const parts = safePattern.exec(source)?.groups
  if (!parts) return undefined
  const { start = '', times = '', end = '' } = parts
  const before = anchorPatterns[start] ?? ''
  const after = anchorPatterns[end] ?? ''
  const atom = unescaped(parts.atom ?? parts.atoms ?? '')
  const pattern = `${atom}${times}${after}`
  const most = /(\d+)\}$/.exec(times)
  if (!after || !times || start === '\\A' || (most && Number(most[1]) <= maxTried))
    return before + pattern
  // Lines that begin within a run would each be tried.
  if (most || (start === '^' && new RegExp(`^${atom}$`, 'u').test('\n'))) return undefined
  return `${before}(?<!${atom})${pattern}`
}

/** Escapes that JavaScript has no use for are the character itself. */
const unescaped = (atoms: string): string =>
  atoms.replace(/\\(.)/gsu, (whole, character: string) =>
    /[\^$\\.*+?()[\]{}|/]/.test(character) ? whole : character,
  )

function parseReplace(pattern: Field, content: string): Normalizer {
  const literal = pattern.at('String').value
  if (typeof literal === 'string' && literal.length === 1 && content.length === 1)
    return replaceUnit(literal.charCodeAt(0), content.charCodeAt(0))
  return replace(patternOf(pattern), content)
}

/** The `pattern` of a Replace: `{"String": literal}` or `{"Regex": expression}`. */
function patternOf(field: Field): RegExp {
  const literal = field.at('String')
  if (!literal.absent) {
    if (literal.string() === '') literal.fail('a string that is not empty')
    return new RegExp(literal.string().replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'gu')
  }
  const expression = field.at('Regex')
  if (expression.absent) return field.unsupported('{"String": literal}, {"Regex": expression}')
  const source = expression.string()
  try {
    const pattern = linearPattern(source)
    if (pattern !== undefined) return new RegExp(pattern, 'gu')
  } catch {
    return expression.fail('a regular expression')
  }
  return expression.unsupported(
    'literals, and one character or [class] with + or {n,m}; with \\A or ^ before, and \\z, \\Z or $ after',
  )
}

/** Every match of `pattern` becomes `content`. */
export function replace(pattern: RegExp, content: string): Normalizer {
  const literally = content.replaceAll('$', '$$$$')
  return (text) => {
    const before = text.toString()
    let after: string
    try {
      after = before.replace(pattern, literally)
    } catch (cause) {
      throw new TokenizerError(
        'tokenizer-input',
        `replacing ${pattern} makes a text of ${before.length} UTF-16 code units too long; cut it into passages`,
        { cause },
      )
    }
    if (after !== before) text.assign(after)
    return text
  }
}

/** Every `from` becomes `to`, both one code unit. */
export function replaceUnit(from: number, to: number): Normalizer {
  return (text) => {
    const { data, length } = text
    for (let i = 0; i < length; i++) if (data[i] === from) data[i] = to
    return text
  }
}

/** Puts `content` in front of a text that is not empty. */
export function prepend(content: string): Normalizer {
  const units = unitsOf(content)
  return (text) => {
    if (text.length === 0) return text
    text.reserve(text.length + units.length)
    text.data.copyWithin(units.length, 0, text.length)
    text.data.set(units)
    text.length += units.length
    return text
  }
}

/** White space at the ends goes. */
export function strip(left: boolean, right: boolean): Normalizer {
  return (text) => {
    const { data } = text
    let start = 0
    let end = text.length
    if (right) while (end > 0 && isWhiteSpace(data[end - 1]!)) end--
    if (left) while (start < end && isWhiteSpace(data[start]!)) start++
    if (start > 0) data.copyWithin(0, start, end)
    text.length = end - start
    return text
  }
}
