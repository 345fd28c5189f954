import { describe, expect, it } from 'vitest'
import {
  calibrateLayers,
  cascadeScores,
  evaluate,
  evaluateCascade,
  judgedQueries,
  layerAgreement,
  paretoFront,
  placeScores,
  simulateCascade,
  splitHalves,
  suggestCascade,
  suggestExit,
} from '../../src/eval/index.ts'
import { calibrationError, fitLinear, fitLogistic } from '../../src/eval/layers/calibration.ts'
import { meanInterval } from '../../src/eval/layers/halves.ts'
import type { CascadeStage } from '../../src/rerankers/index.ts'
import { survivors } from '../../src/rerankers/survivors.ts'
import { seeded } from '../fixtures.ts'

const layers = [2, 4, 6, 8]

/** Queries of 12 passages each; the noise of a layer's scores falls with its depth. */
function madeUp(queries: number, seed: number) {
  const random = seeded(seed)
  const groups = Array.from({ length: queries }, (_, q) =>
    Array.from({ length: 12 }, (_, i) => 12 * q + i),
  )
  const count = 12 * queries
  const relevant = Array.from({ length: count }, () => (random() < 0.15 ? 1 : 0))
  const scores = layers.map((layer) =>
    Float32Array.from(
      { length: count },
      (_, i) => 4 * relevant[i]! + ((random() - 0.5) * 24) / layer,
    ),
  )
  const id = (i: number) => `d${(i * 7919) % 1000}-${i}`
  const run = new Map(
    groups.map((group, q) => [
      `q${q}`,
      [...group.map((i, at) => ({ id: id(i), score: 50 - at })), { id: 'below', score: 1 }],
    ]),
  )
  const qrels = new Map(
    groups.map((group, q) => [
      `q${q}`,
      new Map([...group.map((i) => [id(i), relevant[i]!] as const), ['below', 2] as const]),
    ]),
  )
  const costs = { cutoff: [2, 4, 6, 8], passed: [2.5, 4.5, 6.5, 8] }
  return { data: { layers, scores, groups }, judged: { qrels, run }, costs, relevant }
}

describe('layerAgreement', () => {
  it('compares every two layers, and tells from where on the best passage is final', () => {
    const data = {
      layers: [1, 2, 3],
      scores: [
        [1, 2, 3, 9, 1],
        [3, 2, 1, 1, 9],
        [1, 2, 3, 1, 9],
      ],
      groups: [[0, 1, 2], [3, 4], []],
    }
    const { kendall, top1, final } = layerAgreement(data)
    // Query 1: layers 1 and 3 agree, 2 is reversed; query 2: layer 1 is reversed.
    expect(kendall).toEqual([
      [1, -1, 0],
      [-1, 1, 0],
      [0, 0, 1],
    ])
    expect(top1).toEqual([0.5, 0.5, 1])
    // Query 1 has its best passage at layer 1 already, but loses it again.
    expect(final).toEqual([0, 1, 1])
  })
})

describe('calibration', () => {
  it('fits lines and logistic curves', () => {
    expect(fitLinear([0, 1, 2, 3], [1, 3, 5, 7])).toEqual({ slope: 2, intercept: 1, rmse: 0 })
    expect(fitLinear([1, 1], [0, 4])).toEqual({ slope: 0, intercept: 2, rmse: 2 })
    const x = Array.from({ length: 41 }, (_, i) => (i - 20) / 5)
    const { slope, intercept } = fitLogistic(
      x,
      x.map((value) => 1 / (1 + Math.exp(-(0.7 * value - 1.3)))),
    )
    expect(slope).toBeCloseTo(0.7, 4)
    expect(intercept).toBeCloseTo(-1.3, 4)
    // scipy.optimize.minimize of the cross-entropy, hard labels that overlap
    const hard = fitLogistic([-2, -1, -0.5, 0.3, 1, 2], [0, 0, 1, 0, 1, 1])
    expect(hard.slope).toBeCloseTo(1.5509012, 4)
    expect(hard.intercept).toBeCloseTo(0.0853861, 4)
    // Separable: finite all the same.
    expect(Number.isFinite(fitLogistic([-1, 1], [0, 1]).slope)).toBe(true)
  })

  it('measures how far probabilities are off', () => {
    expect(calibrationError([0.05, 0.05, 0.95, 0.95], [0, 0, 1, 1])).toBeCloseTo(0.05, 12)
    expect(calibrationError([1, 1], [0, 1])).toBeCloseTo(0.5, 12)
  })

  it('maps each layer to the last, and lowers the error on queries that it has not seen', () => {
    const { data, relevant } = madeUp(200, 3)
    const [learn, check] = splitHalves(data.groups, 1).map((half) => half.flat())
    const found = calibrateLayers(data, { relevant, learn: learn!, check: check! })
    const last = found.at(-1)!
    expect(last.linear.slope).toBeCloseTo(1, 9)
    expect(last.linear.rmse).toBeCloseTo(0, 9)
    expect(last.platt.slope).toBeCloseTo(1, 3)
    for (const { ece } of found) expect(ece!.fitted).toBeLessThan(ece!.own)
    expect(last.ece!.fitted).toBeLessThan(0.03)
    expect(calibrateLayers(data)[0]).not.toHaveProperty('ece')
  })
})

describe('simulateCascade', () => {
  const { data, judged } = madeUp(30, 5)
  const queries = judgedQueries(judged, data.groups)
  const cascades: CascadeStage[][] = [
    [{ layer: 8 }],
    [{ layer: 2 }],
    [{ layer: 2, keep: 5 }, { layer: 8 }],
    [{ layer: 2, keep: 9 }, { layer: 4, keep: 2 }, { layer: 6 }],
    [{ layer: 2, keep: 3, margin: 1.5 }, { layer: 4, keep: 3, margin: 0.5 }, { layer: 8 }],
  ]

  it.each(cascades.map((stages) => [stages]))('has the nDCG of an evaluation of %j', (stages) => {
    // The run that a cascade gives, as src/rerankers/cascade.ts ranks.
    const run = new Map(
      [...judged.run].map(([id, documents], q) => {
        const group = data.groups[q]!
        const at = (layer: number, i: number) => data.scores[layers.indexOf(layer)]![group[i]!]!
        let staying = group.map((_, i) => i)
        const rows = group.map((_, index) => ({ index, layer: stages[0]!.layer }))
        for (const [s, { layer }] of stages.entries()) {
          for (const i of staying) rows[i]!.layer = layer
          const { keep = 0, margin } = stages[s]!
          const scored = staying.map((index) => ({ index, score: at(layer, index) }))
          staying = survivors(scored, { keep, margin })
        }
        const ranked = rows
          .map((row) => ({ ...row, score: at(row.layer, row.index) }))
          .sort((a, b) => b.layer - a.layer || b.score - a.score || a.index - b.index)
        return [id, placeScores(documents, cascadeScores(ranked))]
      }),
    )
    const { perQuery } = evaluate(judged.qrels, run, ['nDCG@10'])
    queries.forEach((query, q) => {
      const { ndcg } = simulateCascade(stages, data, query)
      expect(ndcg).toBeCloseTo(perQuery.get(`q${q}`)!['nDCG@10']!, 12)
    })
  })

  it('counts what each pair costs', () => {
    const costs = { cutoff: [1, 2, 3, 4], passed: [1.5, 2.5, 3.5, 4] }
    const one = queries.slice(0, 1)
    expect(evaluateCascade([{ layer: 8 }], data, one, costs).cost).toBe(1)
    expect(evaluateCascade([{ layer: 4 }], data, one, costs).cost).toBe(0.5)
    const stages = [{ layer: 2, keep: 3 }, { layer: 8 }]
    expect(evaluateCascade(stages, data, one, costs).cost).toBeCloseTo((9 * 1.5 + 3 * 4) / 48, 12)
  })
})

describe('suggestions', () => {
  const { data, judged, costs } = madeUp(160, 11)
  const queries = judgedQueries(judged, data.groups)
  const options = { data, queries, costs, seed: 1 }

  it.each([
    ['cascade', suggestCascade],
    ['exit', suggestExit],
  ] as const)(
    '%s: keeps the wanted loss on the half that it is learned on, and is checked on the other',
    (_, suggest) => {
      let before = 1.01
      for (const loss of [0, 0.02, 0.1]) {
        const found = suggest({ ...options, loss })
        const { learned, checked } = found
        expect(learned.loss).toBeLessThanOrEqual(loss + 1e-9)
        expect(learned.queries + checked.queries).toBe(160)
        expect(checked.ndcg).toBeCloseTo(checked.full - checked.loss, 12)
        expect(checked.interval[0]).toBeLessThanOrEqual(checked.loss)
        expect(checked.interval[1]).toBeGreaterThanOrEqual(checked.loss)
        // Queries alike in both halves: the loss carries over.
        expect(checked.loss).toBeLessThan(loss + 0.03)
        expect(found.tried).toBeLessThanOrEqual(4001)
        expect(found.cost).toBeLessThanOrEqual(before + 0.02)
        before = found.cost
      }
      expect(before).toBeLessThan(0.8)
    },
  )

  it('try no more than they may, and always have an answer', () => {
    const few = suggestCascade({ ...options, loss: 0.02, candidates: 40 })
    expect(few.tried).toBeLessThanOrEqual(41)
    const none = suggestCascade({ ...options, loss: -1, candidates: 1 })
    expect(none.stages).toEqual([{ layer: 8 }])
    expect(none.cost).toBe(1)
  })
})

describe('halves and intervals', () => {
  it('are the same for the same seed', () => {
    const items = Array.from({ length: 21 }, (_, i) => i)
    const [learn, check] = splitHalves(items, 7)
    expect([...learn, ...check].sort((a, b) => a - b)).toEqual(items)
    expect(learn).toHaveLength(11)
    expect(splitHalves(items, 7)).toEqual([learn, check])
    expect(splitHalves(items, 8)).not.toEqual([learn, check])
  })

  it('are not made of one query', () => {
    for (const queries of [[], [1]]) {
      expect(() => splitHalves(queries, 1)).toThrow(`found ${queries.length}, expected at least 2`)
    }
  })

  it('have the mean in 95 of 100', () => {
    const random = seeded(9)
    const inside = Array.from({ length: 200 }, (_, i) => {
      const sample = Array.from({ length: 60 }, () => random() ** 2)
      const [low, high] = meanInterval(sample, i)
      return low <= 1 / 3 && 1 / 3 <= high ? 1 : 0
    })
    const share = inside.reduce((sum: number, one) => sum + one, 0) / inside.length
    expect(share).toBeGreaterThan(0.9)
    expect(share).toBeLessThan(0.99)
  })
})

it('paretoFront has what no other point dominates, by cost', () => {
  const point = (cost: number, quality: number) => ({ cost, quality })
  const points = [point(3, 5), point(1, 2), point(2, 2), point(1, 1), point(4, 5), point(2, 4)]
  expect(paretoFront(points)).toEqual([point(1, 2), point(2, 4), point(3, 5)])
  expect(paretoFront([])).toEqual([])
})
