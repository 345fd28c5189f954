import { cutIds, type Tokenizer } from '../tokenizers/index.ts'
import { RerankerError } from './errors.ts'
import { instructed, type ResolvedSettings, show } from './options.ts'
import {
  inputBuilder,
  joinedPair,
  memoizeLast,
  type PairInput,
  type PairTemplate,
  type Template,
} from './templates.ts'

/** What a model is fed for a pair: one input, or one for each window of the passage. */
export type BuildInputs = (query: string, passage: string) => readonly PairInput[]

/** Tokens that neighbouring windows have in common, where nothing is said. */
export const defaultOverlap = 80

/** A window has more tokens than this, or than a quarter of `maxLength` where that is less. */
const leastRoom = 100

/** How a template builds the inputs of a pair: several where there are windows and the passage does not fit into one. */
export function inputsBuilder(
  template: Template,
  tokenizer: Tokenizer,
  settings: ResolvedSettings,
): BuildInputs {
  if (settings.window && template.form === 'pair') {
    return windowBuilder(template, tokenizer, settings, settings.window)
  }
  const build = inputBuilder(template, tokenizer, settings)
  return (query, passage) => [build(query, passage)]
}

/** Throws where a pair that must have one input has several. */
export function checkOnly(windows: number, name: string): void {
  if (windows === 1) return
  throw new RerankerError(
    'option-invalid',
    `${name}: the passage has ${windows} windows, each with ids and states of its own; set window: false`,
  )
}

/** As BCEmbedding does (`reranker_tokenize_preproc`), but with the special tokens of the model's own template. */
function windowBuilder(
  { framing }: PairTemplate,
  tokenizer: Tokenizer,
  settings: ResolvedSettings,
  { overlap = defaultOverlap, isAsked }: NonNullable<ResolvedSettings['window']>,
): BuildInputs {
  const { maxLength, queryMaxLength, passageMaxLength } = settings
  const { truncationSide = tokenizer.truncationSide } = settings
  const join = (a: Uint32Array, b: Uint32Array) => joinedPair(tokenizer, framing, a, b)
  const specials = join(new Uint32Array(), new Uint32Array()).ids.length
  const least = Math.min(leastRoom, Math.floor(maxLength / 4))
  const encodeQuery = memoizeLast((text) => {
    const whole = tokenizer.encode(instructed(settings.query, text))
    const ids = cutIds(whole, queryMaxLength, truncationSide)
    const room = maxLength - specials - ids.length
    if (room <= least) {
      throw new RerankerError(
        'input-too-long',
        `query ${show(text)}: ${ids.length} tokens leave windows of ${Math.max(0, room)} of maxLength ${maxLength}; expected more than ${least}. Shorten the query, set queryMaxLength, or raise maxLength`,
      )
    }
    if (isAsked && overlap >= room) {
      throw new RerankerError(
        'option-invalid',
        `window.overlap: found ${overlap}; query ${show(text)} leaves windows of ${room} tokens, which must be longer. Lower it, or raise maxLength`,
      )
    }
    return { ids, room, isCut: ids.length < whole.length }
  })
  return (query, passage) => {
    const { ids, room, isCut } = encodeQuery(query)
    const whole = tokenizer.encode(instructed(settings.passage, passage))
    const kept = cutIds(whole, passageMaxLength, truncationSide)
    const truncated = isCut || kept.length < whole.length
    return windowsOf(kept, room, Math.min(overlap, Math.floor(room / 4))).map((window) => ({
      ...join(ids, window),
      truncated,
    }))
  }
}

/** Cuts ids into windows; the last one may be shorter. */
function windowsOf(ids: Uint32Array, size: number, overlap: number): Uint32Array[] {
  const count = 1 + Math.max(0, Math.ceil((ids.length - size) / (size - overlap)))
  return Array.from({ length: count }, (_, i) => {
    const start = i * (size - overlap)
    return ids.subarray(start, start + size)
  })
}
