/** Cuts the pairs of a call into pieces, by tokens. */

/** Bytes of UTF-8 that make a token, about: a piece may be a little more or less than a batch. */
const bytesPerToken = 4
/** Tokens of a pair beside its texts. */
const extra = 4
/** A piece is not cut smaller than this many tokens. */
const smallest = 256

/** The tokens of a pair, as estimated from the length of its texts. */
export const estimateTokens = (texts: readonly string[], maxLength: number): number => {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  return Math.min(maxLength, extra + Math.ceil(bytes / bytesPerToken))
}

/** Neighbouring pairs. */
export interface Range {
  readonly first: number
  readonly end: number
  readonly tokens: number
}

/**
 * Cuts pairs into neighbouring ones of about a batch each; less where that gives every device a part. No pairs are one
 * empty range.
 *
 * @param tokens of each pair
 */
export function split(
  tokens: readonly number[],
  { devices, maxBatchTokens }: { devices: number; maxBatchTokens: number },
): Range[] {
  const total = tokens.reduce((sum, count) => sum + count, 0)
  const share = Math.max(smallest, Math.ceil(total / devices))
  const most = Math.min(maxBatchTokens, share)
  const ranges: Range[] = []
  let first = 0
  let sum = 0
  for (const [i, count] of tokens.entries()) {
    if (i > first && sum + count > most) {
      ranges.push({ first, end: i, tokens: sum })
      first = i
      sum = 0
    }
    sum += count
  }
  return [...ranges, { first, end: tokens.length, tokens: sum }]
}

/** An error of a piece that begins with the pair or passage which it is about, with the index that this has in the call. */
export function withIndex(error: unknown, first: number): unknown {
  if (error instanceof Error) {
    error.message = error.message.replace(
      /^((?:pair|passage)s?[ [])(\d+)/,
      (_, what: string, index: string) => `${what}${Number(index) + first}`,
    )
  }
  return error
}
