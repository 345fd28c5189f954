import { isWhiteSpace, type Normalizer, unitsOf } from './buffers.ts'
import { byteNormalizer } from './byte-level.ts'
import { Charsmap } from './charsmap.ts'
import type { Field } from './field.ts'
import type { Find } from './find.ts'
import { precompiled } from './precompiled.ts'
import { parseFind } from './regex.ts'
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
    case 'ByteLevel':
      return [byteNormalizer]
    default:
      return type.unsupported(
        'Sequence, Precompiled, Replace, Prepend, Strip, BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, ByteLevel',
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

function parseReplace(pattern: Field, content: string): Normalizer {
  const literal = pattern.at('String').value
  if (typeof literal === 'string' && literal.length === 1 && content.length === 1)
    return replaceUnit(literal.charCodeAt(0), content.charCodeAt(0))
  return replace(parseFind(pattern), content)
}

/** Every place found becomes `content`. */
export function replace(find: Find, content: string): Normalizer {
  const units = unitsOf(content)
  const found: number[] = []
  return (text, spare) => {
    const { data, length } = text
    found.length = 0
    find(data, 0, length, found)
    if (found.length === 0) return text
    spare.length = 0
    let done = 0
    for (let i = 0; i < found.length; i += 2) {
      spare.append(data, done, found[i]!)
      spare.append(units, 0, units.length)
      done = found[i + 1]!
    }
    spare.append(data, done, length)
    return spare
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
