import { describe, expect, it } from 'vitest'
import { kendall, spearman } from '../../src/eval/correlation.ts'

/** Values of scipy 1.17.1: `spearmanr(a, b).statistic` and `kendalltau(a, b).statistic` (tau-b). */
const cases: [name: string, a: number[], b: number[], spearman: number, kendall: number][] = [
  ['two in order', [1.0, 2.0], [3.0, 4.0], 0.9999999999999999, 1.0],
  ['two in opposite order', [1.0, 2.0], [4.0, 3.0], -0.9999999999999999, -1.0],
  [
    'no ties',
    [
      -0.652, -0.175, 1.664, 0.659, -1.641, -0.005, -0.623, 0.149, -1.608, 0.242, 0.235, 1.576,
      0.317,
    ],
    [
      -0.141, -1.668, 3.917, -1.257, -0.539, -0.335, -1.504, -0.507, -2.28, 0.622, 0.125, 3.059,
      -1.513,
    ],
    0.5384615384615384,
    0.4358974358974358,
  ],
  [
    'many ties',
    [3.0, 2.0, 1.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 3.0, 3.0, 2.0, 2.0, 0.0],
    [0.0, 2.0, 2.0, 0.0, 1.0, 1.0, 2.0, 0.0, 1.0, 1.0, 0.0, 2.0, 2.0, 0.0, 2.0, 1.0, 0.0],
    -0.11925695879998878,
    -0.10008009612817947,
  ],
  [
    'ties in one list',
    [1.0, 1.0, 2.0, 2.0, 3.0],
    [0.5, -2.0, 7.0, 9.0, 8.0],
    0.7905694150420949,
    0.6708203932499368,
  ],
  [
    'negative and large',
    [-1000000000.0, 3.0, 1e-9, 0.0, -5.0, 200000000.0],
    [4.0, 4.0, -1.0, 1000000000000.0, 0.5, -7.0],
    -0.49280538030458115,
    -0.41403933560541256,
  ],
  [
    'reversed',
    [0.85, -0.71, -0.61, -0.8, -0.58, -0.24, -0.13, 2.06, -0.51],
    [-0.85, 0.71, 0.61, 0.8, 0.58, 0.24, 0.13, -2.06, 0.51],
    -1.0,
    -1.0,
  ],
]

describe('rank correlations', () => {
  it.each(cases)("are scipy's: %s", (_, a, b, rho, tau) => {
    expect(spearman(a, b)).toBeCloseTo(rho, 12)
    expect(kendall(a, b)).toBeCloseTo(tau, 12)
    expect(spearman(b, a)).toBeCloseTo(rho, 12)
    expect(kendall(b, a)).toBeCloseTo(tau, 12)
  })

  it.each([
    [[], []],
    [[1], [2]],
    [
      [3, 3, 3],
      [1, 2, 3],
    ],
    [
      [1, 2, 3],
      [3, 3, 3],
    ],
  ])('are not defined for %j and %j', (a, b) => {
    expect(spearman(a, b)).toBeUndefined()
    expect(kendall(a, b)).toBeUndefined()
  })

  it('of a list with itself are 1, also for Float32Array', () => {
    const list = Float32Array.from({ length: 1001 }, (_, i) => (i * 7919) % 101)
    expect(spearman(list, list)).toBe(1)
    expect(kendall(list, list)).toBeCloseTo(1, 12)
  })

  it('are quick for long lists', () => {
    const count = 100_000
    const a = Float64Array.from({ length: count }, (_, i) => (i * 7919) % count)
    const b = Float64Array.from({ length: count }, (_, i) => (i * 104_729) % 1000)
    const start = performance.now()
    expect(Math.abs(kendall(a, b)!)).toBeLessThan(0.05)
    expect(Math.abs(spearman(a, b)!)).toBeLessThan(0.05)
    // Comparing all pairs would take minutes.
    expect(performance.now() - start).toBeLessThan(20_000)
  })
})
