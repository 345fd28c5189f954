/** What reads the parts of a tokenizer.json by their `type`, where that is not what every tokenizer has. */
import type { Normalizer, PreTokenizer } from './buffers.ts'
import type { Field } from './field.ts'
import { spacesPattern } from './find.ts'
import type { Model } from './pipeline.ts'

type Readers<Part> = Readonly<Record<string, (field: Field, kinds: Kinds) => Part>>

export interface Kinds {
  readonly models?: Readers<Model>
  readonly normalizers?: Readers<Normalizer>
  readonly preTokenizers?: Readers<PreTokenizer[]>
  readonly regex?: Pick<typeof import('./regex.ts'), 'findRegex' | 'parseExpression'>
}

/** Kinds that are imported together. */
const groups = {
  bpe: async () => (await import('./bpe-kinds.ts')).bpeKinds,
  words: async () => (await import('./word-kinds.ts')).wordKinds,
  regex: async (): Promise<Kinds> => ({ regex: await import('./regex.ts') }),
}

type Group = keyof typeof groups

/** The groups that a type needs; the others need none. */
const groupsOf: Readonly<Record<string, readonly Group[]>> = {
  BPE: ['bpe'],
  ByteLevel: ['bpe', 'regex'],
  Regex: ['regex'],
  WordPiece: ['words'],
  BertNormalizer: ['words'],
  NFC: ['words'],
  NFD: ['words'],
  NFKC: ['words'],
  NFKD: ['words'],
  Lowercase: ['words'],
  StripAccents: ['words'],
  BertPreTokenizer: ['words'],
  Whitespace: ['words'],
  Punctuation: ['words'],
  Digits: ['words'],
}

/** Imports the kinds that a tokenizer.json needs. */
export async function kindsFor(json: unknown): Promise<Kinds> {
  return mergeKinds(await Promise.all(neededGroups(json).map((group) => groups[group]())))
}

/** The groups that {@link kindsFor} imports. */
export function neededGroups(json: unknown): Group[] {
  const { model, normalizer, pre_tokenizer } = Object(json)
  const types = [modelType(Object(model)), ...typesIn(normalizer), ...typesIn(pre_tokenizer)]
  const known = types.filter((type) => Object.hasOwn(groupsOf, String(type)))
  return [...new Set(known.flatMap((type) => groupsOf[String(type)] ?? []))]
}

/** The type of a model; old files have none. */
export const modelType = ({ type, merges, max_input_chars_per_word: most }: Record<string, unknown>) =>
  type ?? (merges ? 'BPE' : most === undefined || most === null ? 'Unigram' : 'WordPiece')

const maxDepth = 16

/** The types of a normalizer or pre-tokenizer, and of those in a Sequence. */
function typesIn(part: unknown, depth = 0): unknown[] {
  const { type, pattern, normalizers, pretokenizers } = Object(part)
  const inner = depth < maxDepth ? [normalizers, pretokenizers].filter(Array.isArray).flat() : []
  const { Regex: source = spacesPattern } = Object(pattern)
  return [
    type,
    ...(source === spacesPattern ? [] : ['Regex']),
    ...inner.flatMap((one) => typesIn(one, depth + 1)),
  ]
}

/** Several kinds as one. */
export const mergeKinds = (all: readonly Kinds[]): Kinds =>
  all.reduce((one, other) => ({
    ...one,
    ...other,
    models: { ...one.models, ...other.models },
    normalizers: { ...one.normalizers, ...other.normalizers },
    preTokenizers: { ...one.preTokenizers, ...other.preTokenizers },
  }), {})
