import type { Field } from './field.ts'

/** Where the first and the second text stand in a template; numbers are ids of special tokens. */
export type Template = readonly (number | 'A' | 'B')[]

/** How special tokens are put around one text and around a pair. */
export interface Templates {
  readonly single: Template
  readonly pair: Template
  /** The token type of each part of `pair`. */
  readonly pairTypes: readonly number[]
}

/** The tokens of each text of a pair, from `start` up to `end`. */
export type TextPlaces = Readonly<
  Record<'first' | 'second', { readonly start: number; readonly end: number }>
>

/** Without a post-processor: nothing is added, and a pair is one text after the other. */
export const plainTemplates: Templates = { single: ['A'], pair: ['A', 'B'], pairTypes: [0, 1] }

const maxSpecial = 64
// No model has more than a few.
const maxType = 255
const maxDepth = 16

/** The `post_processor` of a tokenizer.json; ids must be below `vocabSize`. */
export function parsePostProcessor(field: Field, vocabSize: number): Templates {
  return parseTemplates(field, vocabSize, 0) ?? plainTemplates
}

/** The templates, or `undefined` where nothing is added. */
function parseTemplates(field: Field, vocabSize: number, depth: number): Templates | undefined {
  if (field.absent) return undefined
  const type = field.at('type')
  const idOf = (name: string): number => {
    const [, id] = field.at(name).items()
    return id?.integer(0, vocabSize - 1) ?? field.at(name).fail('a token and its id')
  }
  switch (type.string()) {
    case 'TemplateProcessing': {
      const special = field.at('special_tokens')
      const single = parseTemplate(field.at('single'), special, vocabSize, 'A')
      const pair = parseTemplate(field.at('pair'), special, vocabSize, 'AB')
      return { single: single.template, pair: pair.template, pairTypes: pair.types }
    }
    case 'RobertaProcessing':
      return robertaTemplates(idOf('cls'), idOf('sep'))
    case 'BertProcessing':
      return bertTemplates(idOf('cls'), idOf('sep'))
    // It changes the offsets of tokens, not their ids.
    case 'ByteLevel':
      return undefined
    case 'Sequence': {
      if (depth === maxDepth) field.fail(`at most ${maxDepth} levels of Sequence`)
      const processors = field.at('processors')
      const found = processors
        .items()
        .map((item) => parseTemplates(item, vocabSize, depth + 1))
        .filter((templates) => templates !== undefined)
      if (found.length > 1) processors.unsupported('one that adds tokens')
      return found[0]
    }
    default:
      return type.unsupported(
        'TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel, Sequence',
      )
  }
}

/** `<s> A </s>`, and `<s> A </s></s> B </s>`, all of type 0. */
export const robertaTemplates = (start: number, end: number): Templates => ({
  single: [start, 'A', end],
  pair: [start, 'A', end, end, 'B', end],
  pairTypes: [0, 0, 0, 0, 0, 0],
})

/** `[CLS] A [SEP]`, and `[CLS] A [SEP] B [SEP]`, where `B [SEP]` is of type 1. */
export const bertTemplates = (start: number, end: number): Templates => ({
  single: [start, 'A', end],
  pair: [start, 'A', end, 'B', end],
  pairTypes: [0, 0, 0, 1, 1],
})

/** What is put before and after each text, of a pair too. */
export const eachTemplates = (before: readonly number[], after: readonly number[]): Templates => ({
  single: [...before, 'A', ...after],
  pair: [...before, 'A', ...after, ...before, 'B', ...after],
  pairTypes: [0, 1].flatMap((type) => new Array(before.length + 1 + after.length).fill(type)),
})

/** A template, and the token type of each part of it. */
function parseTemplate(field: Field, special: Field, vocabSize: number, texts: string) {
  const template: (number | 'A' | 'B')[] = []
  const types: number[] = []
  let seen = ''
  for (const item of field.items()) {
    const sequence = item.at('Sequence')
    if (!sequence.absent) {
      const id = sequence.at('id').oneOf('A', 'B')
      template.push(id)
      types.push(typeOf(sequence))
      seen += id
      continue
    }
    const name = item.at('SpecialToken').at('id')
    const token = special.at(name.string())
    if (token.absent) name.fail(`a token that ${special.where} lists`)
    for (const id of token.at('ids').items()) {
      template.push(id.integer(0, vocabSize - 1))
      types.push(typeOf(item.at('SpecialToken')))
    }
  }
  if ([...seen].sort().join('') !== texts)
    field.fail(
      texts === 'A' ? 'a template with the text A once' : 'a template with A and B, each once',
    )
  if (template.length > maxSpecial) field.fail(`a template of at most ${maxSpecial} tokens`)
  return { template, types }
}

const typeOf = (part: Field): number => part.at('type_id').integer(0, maxType)

/** The ids of a template filled with texts. */
export function fillTemplate(
  template: Template,
  first: Uint32Array,
  second?: Uint32Array,
): Uint32Array {
  let length = 0
  for (const part of template)
    length += (part === 'A' ? first : part === 'B' ? second : [0])?.length ?? 0
  const ids = new Uint32Array(length)
  let at = 0
  for (const part of template) {
    const text = part === 'A' ? first : part === 'B' ? second : undefined
    if (text) ids.set(text, at)
    else if (typeof part === 'number') ids[at] = part
    at += text ? text.length : typeof part === 'number' ? 1 : 0
  }
  return ids
}

/** Where the texts of a pair stand in its template, filled with texts of so many tokens. */
export function textPlaces(template: Template, first: number, second: number): TextPlaces {
  const [a, b] = [template.indexOf('A'), template.indexOf('B')]
  const start = { first: b < a ? a - 1 + second : a, second: a < b ? b - 1 + first : b }
  return {
    first: { start: start.first, end: start.first + first },
    second: { start: start.second, end: start.second + second },
  }
}

/** The token types of a pair filled with texts of so many tokens; `undefined` where all are 0. */
export function fillTypes(
  { pair, pairTypes }: Templates,
  first: number,
  second: number,
): Uint8Array | undefined {
  if (pairTypes.every((type) => type === 0)) return undefined
  const types = new Uint8Array(pair.length - 2 + first + second)
  let at = 0
  for (let i = 0; i < pair.length; i++) {
    const end = at + (pair[i] === 'A' ? first : pair[i] === 'B' ? second : 1)
    types.fill(pairTypes[i]!, at, end)
    at = end
  }
  return types
}
