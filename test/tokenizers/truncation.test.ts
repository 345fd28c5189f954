/** Pairs cut as Hugging Face's tokenizers cuts them; recorded by test/fixtures/tokenizers/make_truncation.py. */
import { expect, it } from 'vitest'
import { type Truncation, truncatePair } from '../../src/tokenizers/truncation.ts'
import { faultOf, fixtureJson } from './helpers.ts'

type Row = [first: number, second: number, room: number, left: [number, number] | null]
const { rows, sides } = fixtureJson('tokenizers/truncation.json') as {
  rows: Record<Truncation['strategy'], Row[]>
  sides: [Truncation['side'], [number[], number[]]][]
}

/** Ids as in the fixture: from 0 on, and from 9 on. */
const texts = (first: number, second: number) =>
  [0, 9].map((start, i) => Uint32Array.from({ length: [first, second][i]! }, (_, j) => start + j))

it.each(Object.keys(rows) as Truncation['strategy'][])('%s', (strategy) => {
  for (const [first, second, room, left] of rows[strategy]) {
    const [a, b] = texts(first, second) as [Uint32Array, Uint32Array]
    const run = () => truncatePair(a, b, { room, strategy, side: 'right' })
    if (left)
      expect([first, second, room, run().map(({ length }) => length)]).toEqual([
        first,
        second,
        room,
        left,
      ])
    else
      expect([first, second, room, faultOf(run)]).toEqual([
        first,
        second,
        room,
        expect.stringMatching(/^tokenizer-input: the texts have \d+ and \d+ tokens/),
      ])
  }
})

it.each(sides)('the %s side', (side, left) => {
  const [a, b] = texts(7, 5) as [Uint32Array, Uint32Array]
  const got = truncatePair(a, b, { room: 6, strategy: 'longest_first', side })
  expect(got.map((ids) => [...ids])).toEqual(left)
})
