/** Pairs cut as Hugging Face's tokenizers cuts them; recorded by test/fixtures/tokenizers/make_truncation.py. */
import { expect, it } from 'vitest'
import { type Side, truncatePair } from '../../src/tokenizers/truncation.ts'
import { fixtureJson } from './helpers.ts'

type Row = [first: number, second: number, room: number, left: [number, number]]
const { rows, sides } = fixtureJson('tokenizers/truncation.json') as {
  rows: Row[]
  sides: [Side, [number[], number[]]][]
}

/** Ids as in the fixture: from 0 on, and from 9 on. */
const texts = (first: number, second: number) =>
  [0, 9].map((start, i) => Uint32Array.from({ length: [first, second][i]! }, (_, j) => start + j))

it('the longer text is cut, or both', () => {
  for (const [first, second, room, left] of rows) {
    const [a, b] = texts(first, second) as [Uint32Array, Uint32Array]
    const lengths = truncatePair(a, b, room, 'right').map(({ length }) => length)
    expect([first, second, room, lengths]).toEqual([first, second, room, left])
  }
})

it.each(sides)('the %s side', (side, left) => {
  const [a, b] = texts(7, 5) as [Uint32Array, Uint32Array]
  const got = truncatePair(a, b, 6, side)
  expect(got.map((ids) => [...ids])).toEqual(left)
})
