import { describe, expect, test } from 'vitest'
import type { RerankerInfo } from '../../src/rerankers/index.ts'
import { recordsOf, toCsv, toJson } from '../../web/export.ts'
import { partOf, sortRows } from '../../web/ranking.ts'
import { cascadeOf, firstStages, settleStages, stagesFor } from '../../web/stages.ts'
import { findLack } from '../../web/webgpu.ts'

// Parts of the page without a page.

const stage = (at: number, keep: number) => ({ at, keep })

describe('the stages of a cascade', () => {
  test.each([
    ['the first ones', firstStages(5, 9), undefined, [stage(2, 5), stage(4, 1)]],
    ['a layer that pushes the next', [stage(3, 5), stage(2, 1)], 0, [stage(3, 5), stage(4, 1)]],
    [
      'a layer that pushes the one before',
      [stage(2, 5), stage(1, 1)],
      1,
      [stage(1, 5), stage(2, 1)].map((s, i) => (i ? { ...s, at: 1 } : { ...s, at: 0 })),
    ],
    [
      'a layer too high for those that follow',
      [stage(4, 5), stage(4, 1)],
      0,
      [stage(3, 5), stage(4, 1)],
    ],
    ['more than there are passages', [stage(0, 99), stage(4, 1)], 0, [stage(0, 9), stage(4, 1)]],
    [
      'a stage that keeps more than the one before',
      [stage(0, 3), stage(1, 6), stage(4, 1)],
      1,
      [stage(0, 6), stage(1, 6), stage(4, 1)],
    ],
    [
      'a stage that keeps less than the next',
      [stage(0, 3), stage(1, 6), stage(4, 1)],
      0,
      [stage(0, 3), stage(1, 3), stage(4, 1)],
    ],
  ])('%s', (_, given, changed, expected) => {
    expect(settleStages(given, 5, 9, changed)).toEqual(expected)
  })

  test('are always such as the engine takes', () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = (most: number, salt: number) => (seed * 7919 + salt * 104729) % most
      const count = 1 + random(5, 1)
      const given = Array.from({ length: count }, (_, i) =>
        stage(random(5, i + 2), random(12, i + 9)),
      )
      const settled = settleStages(given, 5, 9, random(count, 3))
      const layers = settled.map(({ at }) => at)
      expect(layers).toEqual([...new Set(layers)].sort((a, b) => a - b))
      expect(layers.every((at) => at >= 0 && at < 5)).toBe(true)
      const keeps = settled.slice(0, -1).map(({ keep }) => keep)
      expect(keeps).toEqual(keeps.toSorted((a, b) => b - a))
      expect(keeps.every((keep) => keep >= 1 && keep <= 9)).toBe(true)
    }
  })

  test('keep the best half of other passages until somebody sets them', () => {
    const first = firstStages(8, 8)
    expect(stagesFor(stagesFor(first, 8, 0, false), 8, 1000, false)).toEqual(firstStages(8, 1000))
    const set = [stage(1, 5), stage(7, 1)]
    expect(stagesFor(stagesFor(set, 8, 0, true), 8, 1000, true)).toEqual(set)
    expect(stagesFor(set, 8, 3, true)).toEqual([stage(1, 3), stage(7, 1)])
  })

  test('are given by layer, the last without a number', () => {
    expect(cascadeOf([stage(0, 3), stage(2, 1)], [8, 9, 12])).toEqual([
      { layer: 8, keep: 3 },
      { layer: 12 },
    ])
  })
})

const rows = [
  { index: 1, score: 0.9, tokens: 5, truncated: false, layer: 3, layerScores: { 2: 0.1, 3: 0.9 } },
  { index: 0, score: 0.2, tokens: 7, truncated: true, layer: 3, layerScores: { 2: 0.4, 3: 0.2 } },
]
const passages = [
  { text: '=1+1, "a"', document: 'a.csv', place: 'row 1' },
  { text: 'b\nc', document: 'b' },
]

test('rows are sorted by a layer, ties as given', () => {
  expect(sortRows(rows, 2).map(({ index }) => index)).toEqual([0, 1])
  expect(sortRows(rows).map(({ index }) => index)).toEqual([1, 0])
  const same = [2, 0, 1].map((index) => ({ index, score: 1, tokens: 1, truncated: false }))
  expect(sortRows(same).map(({ index }) => index)).toEqual([0, 1, 2])
})

test('the bars of more scores than one call takes as arguments', () => {
  const scores = Array.from({ length: 200_000 }, (_, i) => i)
  expect(partOf(scores, false)(199_999)).toBe(1)
})

test.each(['=HYPERLINK("x")\nsecond line', '-a\r\nb', '\n=1'])(
  'in CSV the text %j is no formula',
  async (text) => {
    const [row] = rows
    const passages = [
      { text: '', document: '' },
      { text, document: 'd' },
    ]
    const csv = await toCsv({ rows: row ? [row] : [], passages, normalized: true })
    expect(csv).toContain(`"'${text.replaceAll('"', '""')}"`)
  },
)

test('a ranking as CSV: quoted, without formulas, with the scores of layers', async () => {
  expect((await toCsv({ rows, passages, normalized: true, layer: 3 })).split('\r\n')).toEqual([
    '\uFEFFrank,score,document,place,index,tokens,truncated,layer,score_layer_2,score_layer_3,text',
    '1,0.9,b,,1,5,false,3,0.1,0.9,"b\nc"',
    `2,0.2,a.csv,row 1,0,7,true,3,0.4,0.2,"'=1+1, ""a"""`,
    '',
  ])
})

const info = { model: 'm', recipe: 'r', dtype: 'f16', adapter: { description: 'GPU' } }
const made = {
  query: 'q',
  info: info as RerankerInfo,
  plan: { kind: 'all' } as const,
  maxLength: 512,
}

test('a ranking as JSON: with what it was made with, texts as they are', () => {
  const ranking = { rows, passages, normalized: false, layer: 3 }
  expect(JSON.parse(toJson(ranking, made))).toEqual({
    query: 'q',
    model: { name: 'm', recipe: 'r', dtype: 'f16' },
    adapter: 'GPU',
    scores: 'logit',
    layers: { kind: 'all' },
    maxLength: 512,
    passages: 2,
    complete: true,
    results: recordsOf(ranking),
  })
})

test('a ranking that was stopped says so as JSON', () => {
  const part = { rows: rows.slice(1), passages, normalized: true }
  expect(JSON.parse(toJson(part, made))).toMatchObject({ passages: 2, complete: false })
})

const none = { requestAdapter: async () => null } as unknown as GPU
const some = { requestAdapter: async () => ({}) } as unknown as GPU
const linux = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36'

test.each<[string, GPU | undefined, string, boolean, RegExp | undefined]>([
  ['an adapter', some, linux, true, undefined],
  ['a page over HTTP', undefined, linux, false, /https/],
  ['Chromium on Linux', undefined, linux, true, /enable-unsafe-webgpu/],
  ['Chromium without an adapter', none, linux, true, /hardware acceleration/],
  [
    'Firefox without an adapter',
    none,
    'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0',
    true,
    /about:support/,
  ],
  [
    'Firefox',
    undefined,
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    true,
    /dom\.webgpu\.enabled/,
  ],
  [
    'an iPhone',
    undefined,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1',
    true,
    /iOS/,
  ],
  [
    'Safari',
    undefined,
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/17.0 Safari/605',
    true,
    /Safari 26/,
  ],
  [
    'Android',
    undefined,
    'Mozilla/5.0 (Linux; Android 11; Pixel) Chrome/119.0.0.0 Mobile Safari/537.36',
    true,
    /Android 12/,
  ],
])('what to do with %s', async (_, gpu, agent, isSecure, expected) => {
  // A default would stand in for what is not there.
  const lack = await findLack(gpu ?? (null as unknown as undefined), agent, isSecure)
  if (expected) expect(`${lack?.why} ${lack?.steps.join(' ')}`).toMatch(expected)
  else expect(lack).toBeUndefined()
})
