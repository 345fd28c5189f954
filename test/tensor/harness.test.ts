import { expect, it } from 'vitest'
import { expectClose } from './harness.ts'

it.each([
  ['one NaN of many', [1, Number.NaN, 1], [1, 1, 1]],
  ['all NaN but the last', [Number.NaN, Number.NaN, 1], [1, 1, 1]],
  ['NaN where NaN is expected', [1, Number.NaN], [1, Number.NaN]],
  ['an expected NaN', [1, 1], [1, Number.NaN]],
  ['infinity', [1, Number.POSITIVE_INFINITY], [1, 1]],
  ['infinity where it is expected', [Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY]],
  ['a number too far off', [1, 1.2], [1, 1]],
  ['a number too few', [1], [1, 1]],
])('expectClose fails for %s', (_, found, expected) => {
  expect(() => expectClose(found, expected, 0.1, 'numbers')).toThrow('numbers')
})

it('expectClose takes numbers within the tolerance, relative above 1', () => {
  expectClose([1.05, 209], [1, 200], 0.06, 'numbers')
})
