import type { Tokenizer } from '../tokenizers/index.ts'
import { instructed, type ResolvedSettings } from './options.ts'

/** The ids that a model is fed for a pair. */
export interface PairInput {
  readonly ids: Uint32Array
  /** Whether the query or the passage was shortened. */
  readonly truncated: boolean
}

/**
 * Builds an encoder's inputs. Consecutive pairs of one query encode it once.
 */
export function encoderInputs(
  tokenizer: Tokenizer,
  settings: ResolvedSettings,
): (query: string, passage: string) => PairInput {
  const encodeQuery = onceInARow((text) => tokenizer.encode(instructed(settings.query, text)))
  const isFlag = settings.inputs === 'flag'
  const join = isFlag ? joinFlag : joinPlain
  return (query, passage) => {
    const first = encodeQuery(query)
    const second = tokenizer.encode(instructed(settings.passage, passage))
    const [a, b] = join(first, second, settings, tokenizer)
    const truncated = a.length < first.length || b.length < second.length
    return { ids: isFlag ? tokenizer.buildPair(a, b) : tokenizer.joinPair(a, b), truncated }
  }
}

/** The ids that a tokenizer keeps of those that are too many. */
function cut(ids: Uint32Array, length: number, { truncationSide }: Tokenizer): Uint32Array {
  if (ids.length <= length) return ids
  return truncationSide === 'left' ? ids.subarray(ids.length - length) : ids.subarray(0, length)
}

type Join = (
  query: Uint32Array,
  passage: Uint32Array,
  settings: ResolvedSettings,
  tokenizer: Tokenizer,
) => [Uint32Array, Uint32Array]

/**
 * As the FlagEmbedding class does (`BaseReranker.compute_score_single_gpu`): the query to its own length, then
 * only the passage is shortened; where that would have to remove all of it or more, nothing is. Special tokens count
 * as the template has them, even where the class builds others (`num_special_tokens_to_add` of fast tokenizers).
 */
const joinFlag: Join = (query, passage, { maxLength, queryMaxLength }, tokenizer) => {
  const a = cut(query, queryMaxLength, tokenizer)
  const b = cut(passage, maxLength, tokenizer)
  const excess = a.length + b.length + tokenizer.pairOverhead - maxLength
  return [a, excess > 0 && excess < b.length ? cut(b, b.length - excess, tokenizer) : b]
}

/** As transformers' `truncation=True` does (`longest_first`): the longer text first, then both to a half each. */
const joinPlain: Join = (query, passage, { maxLength }, tokenizer) => {
  const room = Math.max(0, maxLength - tokenizer.pairOverhead)
  if (query.length + passage.length <= room) return [query, passage]
  const shorter = Math.min(query.length, passage.length)
  const half = Math.floor(room / 2)
  // Where the shorter one fits a half, the longer one has the rest; else the longer one has the odd token.
  const short = Math.min(shorter, half)
  const long = room - short
  return query.length <= passage.length
    ? [cut(query, short, tokenizer), cut(passage, long, tokenizer)]
    : [cut(query, long, tokenizer), cut(passage, short, tokenizer)]
}

/**
 * Builds an LLM reranker's inputs: `[bos] A: query`, newline, `B: passage`, newline, prompt, each tokenized by itself.
 * Only the passage is shortened; where that would have to remove it with the newline before it, nothing is. The class
 * counts newline and prompt on top of `maxLength`, the plain recipe cuts to it before they are appended.
 *
 * @param bos what every input begins with
 */
export function decoderInputs(
  tokenizer: Tokenizer,
  settings: ResolvedSettings,
  bos: readonly number[],
): (query: string, passage: string) => PairInput {
  const newline = tokenizer.encode('\n')
  const prompt = tokenizer.encode(settings.prompt)
  const room =
    settings.maxLength + (settings.inputs === 'flag' ? newline.length + prompt.length : 0)
  const encodeQuery = onceInARow((text) => tokenizer.encode(instructed(settings.query, text)))
  return (query, passage) => {
    const first = encodeQuery(query)
    const second = tokenizer.encode(instructed(settings.passage, passage))
    const a = cut(first, settings.queryMaxLength, tokenizer)
    // The reference shortens the newline and the passage as one.
    const b = Uint32Array.from([...newline, ...cut(second, settings.maxLength, tokenizer)])
    const excess = bos.length + a.length + b.length - room
    const kept = excess > 0 && excess < b.length ? cut(b, b.length - excess, tokenizer) : b
    return {
      ids: Uint32Array.from([...bos, ...a, ...kept, ...newline, ...prompt]),
      truncated: a.length < first.length || kept.length < newline.length + second.length,
    }
  }
}

function onceInARow<T>(compute: (text: string) => T): (text: string) => T {
  let last: { text: string; value: T } | undefined
  return (text) => {
    if (last?.text !== text) last = { text, value: compute(text) }
    return last.value
  }
}
