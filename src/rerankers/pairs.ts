import { RerankerError } from './errors.ts'
import { type RankOptions, show } from './options.ts'
import type { Pair } from './scoring.ts'

const ownText = (passage: unknown) => passage as string

/** A query with each of some passages, all checked to be text. */
export function pairsOf<T>(
  query: string,
  passages: readonly T[],
  { text = ownText }: RankOptions<T>,
): Pair[] {
  if (typeof query !== 'string') {
    throw new RerankerError('input-invalid', `query: found ${show(query)}; expected a string`)
  }
  if (!Array.isArray(passages)) {
    throw new RerankerError('input-invalid', `passages: found ${show(passages)}; expected a list`)
  }
  // `map` would leave out the holes of a list.
  return Array.from(passages, (passage, i) => [query, textOf(passage, i, text)])
}

function textOf<T>(passage: T, index: number, text: (passage: T) => string): string {
  const found: unknown = text(passage)
  if (typeof found === 'string') return found
  const remedy = text === ownText ? '; give the option text for records' : ' from the option text'
  throw new RerankerError(
    'input-invalid',
    `passages[${index}]: found ${show(found)}; expected a string${remedy}`,
  )
}

/** A list of pairs, or a single one, checked. */
export function checkPairs(given: unknown): { pairs: Pair[]; single: boolean } {
  if (!Array.isArray(given)) {
    throw new RerankerError(
      'input-invalid',
      `pairs: found ${show(given)}; expected a list of [query, passage]`,
    )
  }
  const single = typeof given[0] === 'string'
  const pairs: unknown[] = single ? [given] : given
  for (const [i, pair] of pairs.entries()) {
    const isPair = Array.isArray(pair) && pair.length === 2
    if (isPair && typeof pair[0] === 'string' && typeof pair[1] === 'string') continue
    throw new RerankerError(
      'input-invalid',
      `pairs[${i}]: found ${show(pair)}; expected [query, passage], two strings`,
    )
  }
  return { pairs: pairs as Pair[], single }
}
