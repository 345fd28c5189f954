import { describe, expect, it } from 'vitest'
import { randomIntegers } from '../../src/eval/random.ts'
import {
  bootstrapInterval,
  holm,
  normalCdf,
  normalQuantile,
  randomizationTest,
  weightedMean,
} from '../../src/eval/statistics.ts'

/** Numbers in [0, 1) from a seed. */
const uniform = (seed: number) => {
  const next = randomIntegers(seed)
  return () => next() / 2 ** 32
}
const drawn = (count: number, draw: () => number) => Array.from({ length: count }, draw)

describe('the normal distribution', () => {
  it.each([
    [0, 0.5],
    [1, 0.841344746],
    [-1.959963985, 0.025],
    [2.575829304, 0.995],
  ])('at %f', (z, share) => {
    expect(normalCdf(z)).toBeCloseTo(share, 6)
    expect(normalQuantile(share)).toBeCloseTo(z, 4)
  })
})

/** Values as queries have them: reciprocal ranks, nDCG with a lump at 0, hits. */
const populations: [string, (random: () => number) => number, number][] = [
  ['uniform', (random) => random(), 0.5],
  [
    'reciprocal ranks',
    (random) => 1 / (1 + Math.floor(4 * random())),
    (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4,
  ],
  ['skewed, with a lump at 0', (random) => (random() < 0.4 ? 0 : random() ** 3), 0.15],
  ['hits', (random) => (random() < 0.7 ? 1 : 0), 0.7],
]

describe('bootstrapInterval', () => {
  it.each(populations)('contains the true mean of %s as often as it says', (_, draw, mean) => {
    const random = uniform(7)
    const rounds = 600
    for (const [count, confidence, least] of [
      [50, 0.95, 0.915],
      [200, 0.95, 0.925],
      [200, 0.8, 0.755],
    ] as const) {
      let inside = 0
      for (let round = 0; round < rounds; round++) {
        const values = drawn(count, () => draw(random))
        const strata = [{ values, weight: 1 }]
        const [low, high] = bootstrapInterval(strata, { confidence, resamples: 400, seed: round })
        if (low <= mean && mean <= high) inside++
      }
      // Two and a half standard deviations of the share, and the known shortfall of the bootstrap at small counts.
      expect(inside / rounds, `${count} values, ${confidence}`).toBeGreaterThan(least)
      expect(inside / rounds, `${count} values, ${confidence}`).toBeLessThan(confidence + 0.045)
    }
  })

  it('contains the mean over sets of different sizes', () => {
    const random = uniform(11)
    let inside = 0
    const rounds = 400
    for (let round = 0; round < rounds; round++) {
      const strata = [
        { values: drawn(40, random), weight: 0.5 },
        { values: drawn(200, () => random() ** 2), weight: 0.5 },
      ]
      const options = { confidence: 0.95, resamples: 400, seed: round }
      const [low, high] = bootstrapInterval(strata, options)
      if (low <= 5 / 12 && 5 / 12 <= high) inside++
    }
    expect(inside / rounds).toBeGreaterThan(0.915)
    expect(inside / rounds).toBeLessThan(0.985)
  })

  it('is the same for the same seed, near that of the formula, and a point where nothing varies', () => {
    const random = uniform(3)
    const values = drawn(400, random)
    const strata = [{ values, weight: 1 }]
    const options = { confidence: 0.95, resamples: 4000, seed: 1 }
    const [low, high] = bootstrapInterval(strata, options)
    expect(bootstrapInterval(strata, options)).toEqual([low, high])
    expect(bootstrapInterval(strata, { ...options, seed: 2 })).not.toEqual([low, high])
    const mean = weightedMean(strata)
    const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0)) / 400
    expect(low).toBeCloseTo(mean - 1.96 * deviation, 2)
    expect(high).toBeCloseTo(mean + 1.96 * deviation, 2)
    const same = [{ values: [0.1, 0.1, 0.1], weight: 1 }]
    expect(bootstrapInterval(same, options)).toEqual([weightedMean(same), weightedMean(same)])
  })
})

describe('randomizationTest', () => {
  it.each([
    ['few queries, exactly', 9],
    ['many queries', 60],
  ])('gives uniform p-values where two systems are alike: %s', (_, count) => {
    const random = uniform(5)
    const rounds = 300
    const found = drawn(rounds, () => {
      const values = drawn(count, () => random() - random())
      return randomizationTest([{ values, weight: 1 }], Math.floor(random() * 2 ** 31))
    }).sort((a, b) => a - b)
    // Kolmogorov-Smirnov; 1.63 / sqrt(n) is the bound of the level 0.01.
    const gap = Math.max(...found.map((p, i) => Math.abs(p - (i + 0.5) / rounds)))
    expect(gap).toBeLessThan(1.63 / Math.sqrt(rounds))
  })

  it('equals the share of signs, worked out by hand', () => {
    const test = (...values: number[]) => randomizationTest([{ values, weight: 1 }], 1)
    // All signs alike: 2 of 2^n choices.
    expect(test(0.1, 0.2, 0.3)).toBe(2 / 8)
    expect(test(0.1, 0.1, 0.1, 0.1, 0.1)).toBe(2 / 32)
    expect(test(0.3, -0.1)).toBe(1)
    expect(test(0, 0)).toBe(1)
    // |sum| of 1, 2, 4, -1 is 6: reached by 1+2+4-1, 1+2+4+1, -1+2+4+1 and their opposites.
    expect(test(1, 2, 4, -1)).toBe(6 / 16)
  })

  it('has the power of a sign test on a clear difference, and weighs sets', () => {
    const random = uniform(9)
    const values = drawn(100, () => 0.1 + 0.2 * (random() - 0.5))
    expect(randomizationTest([{ values, weight: 1 }], 1)).toBeCloseTo(1 / 10_001, 10)
    const against = { values: values.map((value) => -value), weight: 0.5 }
    expect(randomizationTest([{ values, weight: 0.5 }, against], 1)).toBeGreaterThan(0.5)
  })
})

describe('holm', () => {
  it.each<[number[], number[]]>([
    [[], []],
    [[0.04], [0.04]],
    [
      [0.01, 0.04, 0.03, 0.005],
      [0.03, 0.06, 0.06, 0.02],
    ],
    [
      [0.5, 0.9],
      [1, 1],
    ],
  ])('adjusts %j', (given, want) => {
    const got = holm(given)
    expect(got).toHaveLength(want.length)
    for (const [i, value] of want.entries()) expect(got[i]).toBeCloseTo(value, 12)
  })
})
