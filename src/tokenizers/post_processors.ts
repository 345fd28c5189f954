import type { Field } from './field.ts'

/** Where the first and the second text stand in a template; numbers are ids of special tokens. */
export type Template = readonly (number | 'A' | 'B')[]

/** How special tokens are put around one text and around a pair. */
export interface Templates {
  readonly single: Template
  readonly pair: Template
}

/** Without a post-processor: nothing is added, and a pair is one text after the other. */
export const plainTemplates: Templates = { single: ['A'], pair: ['A', 'B'] }

const MAX_SPECIAL = 64

/** The `post_processor` of a tokenizer.json; ids must be below `vocabSize`. */
export function parsePostProcessor(field: Field, vocabSize: number): Templates {
  if (field.absent) return plainTemplates
  const type = field.at('type')
  if (type.string() !== 'TemplateProcessing') type.unsupported('TemplateProcessing')
  const special = field.at('special_tokens')
  return {
    single: parseTemplate(field.at('single'), special, vocabSize, 'A'),
    pair: parseTemplate(field.at('pair'), special, vocabSize, 'AB'),
  }
}

function parseTemplate(field: Field, special: Field, vocabSize: number, texts: string): Template {
  const template: (number | 'A' | 'B')[] = []
  let seen = ''
  for (const item of field.items()) {
    const sequence = item.at('Sequence')
    if (!sequence.absent) {
      const id = sequence.at('id').oneOf('A', 'B')
      template.push(id)
      seen += id
      continue
    }
    const name = item.at('SpecialToken').at('id')
    const token = special.at(name.string())
    if (token.absent) name.fail(`a token that ${special.where} tells the ids of`)
    for (const id of token.at('ids').items()) template.push(id.integer(0, vocabSize - 1))
  }
  if ([...seen].sort().join('') !== texts)
    field.fail(
      texts === 'A' ? 'a template with the text A once' : 'a template with A and B, each once',
    )
  if (template.length > MAX_SPECIAL) field.fail(`a template of at most ${MAX_SPECIAL} tokens`)
  return template
}

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
