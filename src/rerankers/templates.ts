import type { Sequence } from '../models/batch.ts'
import { cutIds, type Tokenizer, truncatePair } from '../tokenizers/index.ts'
import { RerankerError } from './errors.ts'
import { instructed, type ResolvedSettings } from './options.ts'

/** What a model is fed for a pair. */
export interface PairInput extends Sequence {
  /** Whether the query or the passage was shortened. */
  readonly truncated: boolean
}

export type BuildInput = (query: string, passage: string) => PairInput

/** How a query and a passage become one input. */
export type Template = PairTemplate | PromptTemplate | TextTemplate

/** The two texts with the tokenizer's special tokens around them. */
export interface PairTemplate {
  readonly form: 'pair'
  /** Who places the special tokens: the tokenizer's class in the reference, or the template of tokenizer.json. */
  readonly framing: 'class' | 'template'
  /**
   * `passage`: the query to its own length, then only the passage; where that would have to remove all of it or more,
   * nothing is. `longest`: the longer text first, then both to a half each (`longest_first`).
   */
  readonly truncation: 'passage' | 'longest'
}

/**
 * Texts one after another, each tokenized by itself. Only the passage is shortened, with the text before it; where that
 * would have to remove all of both, nothing is.
 */
export interface PromptTemplate {
  readonly form: 'prompt'
  /** `prompt` stands for the question of the settings. */
  readonly parts: readonly ({ readonly text: string } | 'bos' | 'query' | 'passage' | 'prompt')[]
  /** How query and passage are written, where the template has words for them. */
  readonly query?: TextForm
  readonly passage?: TextForm
  /** What `maxLength` limits. */
  readonly limits: keyof typeof roomOf
  /** Whether the passage alone is shortened, to nothing if need be: the query begins with the template's own words. */
  readonly keepsQuery?: boolean
  /** Whether inputs begin with bos even where that is the padding token too. */
  readonly alwaysBos: boolean
}

/** A text with `{query}`, `{passage}` and `{instruction}`. */
export interface TextForm {
  readonly text: string
  /** In its place where an instruction is given. */
  readonly instructed?: string
}

/**
 * The most tokens of prefix, query and passage together, of `maxLength` and the tokens of prefix and suffix. FlagEmbedding's
 * class lengthens `maxLength` by the suffix, and appends it afterwards.
 */
const roomOf = {
  all: (maxLength: number, _prefix: number, suffix: number) => maxLength - suffix,
  'all before the suffix': (maxLength: number) => maxLength,
  'query and passage': (maxLength: number, prefix: number) => maxLength + prefix,
  'all and a suffix': (maxLength: number, _prefix: number, suffix: number) => maxLength + suffix,
} as const satisfies Record<string, (max: number, prefix: number, suffix: number) => number>

/** One text of query and passage between two others; the three are tokenized apart, and the middle one is shortened at its end. */
export interface TextTemplate {
  readonly form: 'text'
  readonly prefix: string
  readonly body: TextForm
  readonly suffix: string
}

/** The settings of a builder; the side is the tokenizer's unless a call says otherwise. */
type BuilderSettings = ResolvedSettings & { readonly truncationSide: 'left' | 'right' }

/** How a template builds inputs. Consecutive pairs of one query encode it once. */
export function inputBuilder(
  template: Template,
  tokenizer: Tokenizer,
  { truncationSide = tokenizer.truncationSide, ...rest }: ResolvedSettings,
): BuildInput {
  const settings = { ...rest, truncationSide }
  switch (template.form) {
    case 'pair':
      return pairBuilder(template, tokenizer, settings)
    case 'prompt':
      return promptBuilder(template, tokenizer, settings)
    case 'text':
      return textBuilder(template, tokenizer, settings)
  }
}

/** A form with its values filled in; what stands in braces in a value stays as it is. */
function fill(
  { text, instructed = text }: TextForm,
  values: { readonly instruction: string | undefined; query?: string; passage?: string },
): string {
  const form = values.instruction === undefined ? text : instructed
  return form.replace(/\{(instruction|query|passage)\}/g, (_, name: keyof typeof values) => {
    return values[name] ?? ''
  })
}

/** As the model card of Qwen3-Reranker does. */
function textBuilder(
  { prefix, body, suffix }: TextTemplate,
  tokenizer: Tokenizer,
  settings: BuilderSettings,
): BuildInput {
  const { instruction, maxLength, passageMaxLength } = settings
  const [before, after] = [tokenizer.encode(prefix), tokenizer.encode(suffix)]
  const room = maxLength - before.length - after.length
  if (room < 1) {
    throw new RerankerError(
      'option-invalid',
      `maxLength: found ${maxLength}; the template alone has ${before.length + after.length} tokens. Set it above`,
    )
  }
  return (query, passage) => {
    const all = tokenizer.encode(fill(body, { instruction, query, passage }))
    const most = Number.isFinite(passageMaxLength)
      ? tokenizer.encode(fill(body, { instruction, query, passage: '' })).length + passageMaxLength
      : room
    const kept = cut(all, Math.min(room, most), settings)
    return {
      ids: Uint32Array.from([...before, ...kept, ...after]),
      truncated: kept.length < all.length,
    }
  }
}

function pairBuilder(
  { framing, truncation }: PairTemplate,
  tokenizer: Tokenizer,
  settings: BuilderSettings,
): BuildInput {
  const encodeQuery = memoizeLast((text) => tokenizer.encode(instructed(settings.query, text)))
  const truncate = truncation === 'passage' ? truncatePassage : truncateLongest
  return (query, passage) => {
    const first = encodeQuery(query)
    const second = tokenizer.encode(instructed(settings.passage, passage))
    const passageIds = cut(second, settings.passageMaxLength, settings)
    const [a, b] = truncate(first, passageIds, settings, tokenizer)
    const truncated = a.length < first.length || b.length < second.length
    return { ...joinedPair(tokenizer, framing, a, b), truncated }
  }
}

/** The sequence of two texts, perhaps truncated, with special tokens around them. */
export function joinedPair(
  tokenizer: Tokenizer,
  framing: PairTemplate['framing'],
  a: Uint32Array,
  b: Uint32Array,
): Sequence {
  const { first, second } = tokenizer.pairPlaces(a.length, b.length, framing)
  return {
    ids: framing === 'class' ? tokenizer.buildPair(a, b) : tokenizer.joinPair(a, b),
    types: tokenizer.pairTypes(a.length, b.length, framing),
    texts: { query: first, passage: second },
  }
}

/** The ids that are kept of those that are too many. */
const cut = (ids: Uint32Array, length: number, { truncationSide }: BuilderSettings): Uint32Array =>
  cutIds(ids, length, truncationSide)

type Truncate = (
  query: Uint32Array,
  passage: Uint32Array,
  settings: BuilderSettings,
  tokenizer: Tokenizer,
) => [Uint32Array, Uint32Array]

/**
 * As the FlagEmbedding class does (`BaseReranker.compute_score_single_gpu`). Special tokens count as the template has
 * them, even where the class builds others (`num_special_tokens_to_add` of fast tokenizers).
 */
const truncatePassage: Truncate = (query, passage, settings, tokenizer) => {
  const { maxLength, queryMaxLength } = settings
  const a = cut(query, queryMaxLength, settings)
  const b = cut(passage, maxLength, settings)
  const excess = a.length + b.length + tokenizer.pairOverhead - maxLength
  return [a, excess > 0 && excess < b.length ? cut(b, b.length - excess, settings) : b]
}

/** As transformers' `truncation=True` does. */
const truncateLongest: Truncate = (query, passage, settings, tokenizer) =>
  truncatePair(
    query,
    passage,
    Math.max(0, settings.maxLength - tokenizer.pairOverhead),
    settings.truncationSide,
  )

function promptBuilder(
  template: PromptTemplate,
  tokenizer: Tokenizer,
  settings: BuilderSettings,
): BuildInput {
  const { parts, keepsQuery, alwaysBos } = template
  const { instruction } = settings
  const idsOf = (part: PromptTemplate['parts'][number]): ArrayLike<number> => {
    if (part === 'bos') return bosOf(tokenizer, alwaysBos)
    return tokenizer.encode(typeof part === 'object' ? part.text : settings.prompt)
  }
  const fixed = (some: PromptTemplate['parts']) => some.flatMap((part) => Array.from(idsOf(part)))
  const [query, passage] = [parts.indexOf('query'), parts.indexOf('passage')]
  const before = fixed(parts.slice(0, query))
  const between = fixed(parts.slice(query + 1, passage))
  const after = fixed(parts.slice(passage + 1))
  const room = roomOf[template.limits](settings.maxLength, before.length, after.length)
  const queryOf = (query: string) =>
    template.query
      ? fill(template.query, { instruction, query })
      : instructed(settings.query, query)
  const passageOf = (passage: string) =>
    template.passage
      ? fill(template.passage, { instruction, passage })
      : instructed(settings.passage, passage)
  const encodeQuery = memoizeLast((text) => tokenizer.encode(queryOf(text)))
  return (queryText, passageText) => {
    const first = encodeQuery(queryText)
    const second = tokenizer.encode(passageOf(passageText))
    const a = keepsQuery ? first : cut(first, settings.queryMaxLength, settings)
    const most = Math.min(settings.maxLength, settings.passageMaxLength)
    // The reference shortens the passage and what stands before it as one.
    const b = Uint32Array.from([...between, ...cut(second, most, settings)])
    const excess = before.length + a.length + b.length - room
    const isCut = excess > 0 && (keepsQuery || excess < b.length)
    const kept = isCut ? cut(b, Math.max(0, b.length - excess), settings) : b
    const ids = Uint32Array.from([...before, ...a, ...kept, ...after])
    const end = ids.length - after.length
    const start = Math.min(before.length + a.length + between.length, end)
    return {
      ids,
      truncated: a.length < first.length || kept.length < between.length + second.length,
      ...(settings.compression && { passage: { start, end } }),
    }
  }
}

/**
 * What inputs begin with: bos, unless it is the padding token too; `always` puts it there even then. Where files and
 * class leave open whether there is one, inputs would begin without bos unseen, and that is a fault.
 */
function bosOf({ bosId, padId, bosIsKnown }: Tokenizer, always: boolean): number[] {
  if (bosId !== undefined) return always || bosId !== padId ? [bosId] : []
  if (bosIsKnown && !always) return []
  throw new RerankerError(
    'option-invalid',
    'the tokenizer names no bos_token, with which inputs begin; name it in tokenizer_config.json, or the tokenizer_class that has one',
  )
}

/** Computes anew only where the text is another than the last one. */
export function memoizeLast<T>(compute: (text: string) => T): (text: string) => T {
  let last: { text: string; value: T } | undefined
  return (text) => {
    if (last?.text !== text) last = { text, value: compute(text) }
    return last.value
  }
}
