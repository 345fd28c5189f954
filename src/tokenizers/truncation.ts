import { TokenizerError } from './errors.ts'

/** How a pair is cut (`TruncationStrategy` of Hugging Face's tokenizers). */
export interface Truncation {
  /** How many tokens of the two texts may stay: the limit without the special tokens. */
  readonly room: number
  /** `longest_first` cuts the longer text, or both to half of the room; the others cut the one that they name. */
  readonly strategy: 'longest_first' | 'only_first' | 'only_second'
  /** At which end a text is cut. */
  readonly side: 'left' | 'right'
}

/**
 * The ids of two texts, cut to the room for them as Hugging Face's tokenizers does it (`truncate_encodings`). Errors:
 * `tokenizer-input`, where the text to be cut would have no tokens left.
 */
export function truncatePair(
  first: Uint32Array,
  second: Uint32Array,
  { room, strategy, side }: Truncation,
): [first: Uint32Array, second: Uint32Array] {
  const cut = (ids: Uint32Array, length: number): Uint32Array =>
    side === 'left' ? ids.subarray(ids.length - length) : ids.subarray(0, length)
  const [a, b] = [first.length, second.length]
  const excess = a + b - room
  if (excess <= 0) return [first, second]
  if (room === 0) return [cut(first, 0), cut(second, 0)]
  if (strategy === 'longest_first') {
    // Where the shorter one has more than half of the room, the longer one gets the odd token; of equal ones the second.
    const short = Math.min(a, b, Math.floor(room / 2))
    const long = room - short
    return a <= b ? [cut(first, short), cut(second, long)] : [cut(first, long), cut(second, short)]
  }
  const isFirst = strategy === 'only_first'
  const length = (isFirst ? a : b) - excess
  if (length <= 0)
    throw new TokenizerError(
      'tokenizer-input',
      `the texts have ${a} and ${b} tokens, and ${room} are to stay of them; ${strategy} cannot cut so many. Shorten the other text, or use longest_first`,
    )
  return isFirst ? [cut(first, length), second] : [first, cut(second, length)]
}
