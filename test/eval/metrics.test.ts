import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { evaluate, type Measure, type Qrels, type Run } from '../../src/eval/index.ts'
import { trecOrder } from '../../src/eval/metrics.ts'

const folder = new URL('../fixtures/metrics/', import.meta.url)

interface Fixture {
  qrels: Record<string, Record<string, number>>
  run: Record<string, [string, number][]>
  expected: {
    trec_eval: {
      per_query: Record<string, Record<string, number>>
      mean_complete: Record<string, number>
    }
    beir: Record<string, number>
    llama_index: {
      top_k: number
      per_query: Record<string, Record<string, number>>
      mean: Record<string, number>
    }
  }
}

const qrelsOf = (fixture: Fixture): Qrels =>
  new Map(Object.entries(fixture.qrels).map(([query, d]) => [query, new Map(Object.entries(d))]))

const runOf = (fixture: Fixture): Run =>
  new Map(
    Object.entries(fixture.run).map(([query, list]) => [
      query,
      list.map(([id, score]) => ({ id, score })),
    ]),
  )

/** trec_eval's name of a measure -> ours. */
const names = new Map<string, Measure>([
  ['ndcg', 'nDCG'],
  ['map', 'MAP'],
  ['recip_rank', 'MRR'],
])
for (const k of [1, 3, 5, 10, 20, 100]) {
  names.set(`ndcg_cut_${k}`, `nDCG@${k}`).set(`map_cut_${k}`, `MAP@${k}`)
  names.set(`recip_rank_cut_${k}`, `MRR@${k}`).set(`recall_${k}`, `recall@${k}`)
  names.set(`P_${k}`, `precision@${k}`).set(`success_${k}`, `hit@${k}`)
}
const counts = ['num_rel', 'num_rel_ret']

const files = readdirSync(folder).filter(
  (name) => name.endsWith('.json') && name !== 'bm25-baselines.json',
)

describe('measures equal trec_eval', () => {
  it('finds the fixtures', () => expect(files).toHaveLength(10))

  it.each(files)('%s', (file) => {
    const fixture: Fixture = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
    const { per_query, mean_complete } = fixture.expected.trec_eval
    const result = evaluate(qrelsOf(fixture), runOf(fixture), [...names.values()])

    expect(result.queries).toBe(Object.keys(fixture.qrels).length)
    expect([...result.perQuery.keys()].sort()).toEqual(Object.keys(per_query).sort())
    let checked = 0
    const compare = (where: string, got: Readonly<Record<string, number>>, want: object) => {
      for (const [name, value] of Object.entries(want)) {
        if (counts.includes(name)) continue
        const found = got[names.get(name)!]!
        if (!(Math.abs(found - value) <= 1e-9)) {
          throw new Error(`${where} ${name}: got ${found}, want ${value}`)
        }
        checked++
      }
    }
    for (const [query, want] of Object.entries(per_query)) {
      compare(query, result.perQuery.get(query)!, want)
    }
    compare('mean', result.mean, mean_complete)
    expect(checked).toBe((Object.keys(per_query).length + 1) * names.size)
  })
})

const near = (got: number, want: number) => expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9)

describe('measures equal those of other evaluations', () => {
  const read = (file: string): Fixture => JSON.parse(readFileSync(new URL(file, folder), 'utf8'))

  // With equal scores BEIR keeps the order of the run; trec_eval and pytrec_eval order by id.
  it.each(files.filter((file) => file !== 'ties.json' && file !== 'float32.json'))(
    "BEIR's MRR: %s",
    (file) => {
      const fixture = read(file)
      const { beir } = fixture.expected
      const { mean } = evaluate(qrelsOf(fixture), runOf(fixture), Object.keys(beir) as Measure[])
      for (const [name, value] of Object.entries(beir)) near(mean[name]!, value)
    },
  )

  it.each(files)("llama-index's hit rate and MRR: %s", (file) => {
    const fixture = read(file)
    const { per_query, mean, top_k } = fixture.expected.llama_index
    const names = new Map<string, Measure>([
      ['hit_rate', `hit@${top_k}`],
      ['mrr', `MRR@${top_k}`],
      ['hit_rate_granular', `recall@${top_k}`],
    ])
    // llama-index takes no query without an expected document.
    const qrels: Qrels = new Map(
      [...qrelsOf(fixture)].filter(([query]) => Object.hasOwn(per_query, query)),
    )
    const result = evaluate(qrels, runOf(fixture), [...names.values()])
    expect(result.queries).toBe(Object.keys(per_query).length)
    for (const [theirs, ours] of names) {
      for (const [query, values] of Object.entries(per_query)) {
        near(result.perQuery.get(query)?.[ours] ?? 0, values[theirs]!)
      }
      near(result.mean[ours]!, mean[theirs]!)
    }
  })
})

describe('trecOrder', () => {
  const ids = (list: [string, number][]) =>
    trecOrder(list.map(([id, score]) => ({ id, score }))).map(({ id }) => id)

  it('breaks ties by the UTF-8 bytes of the id, descending', () => {
    const tied = [...'aB文é\ud7ff\ue000\uffee\u{10000}\u{1f43c}', 'ab', '']
    const byBytes = [...tied].sort((x, y) => Buffer.compare(Buffer.from(y), Buffer.from(x)))
    expect(ids(tied.map((id) => [id, 1]))).toEqual(byBytes)
  })

  it('compares scores as 32-bit floats, infinities included', () => {
    expect(ids([['a', 1], ['b', 1 + 1e-9]])).toEqual(['b', 'a']) // biome-ignore format: one line
    expect(ids([['b', 1], ['a', 1 + 1e-9]])).toEqual(['b', 'a']) // biome-ignore format: one line
    expect(ids([['a', 1e39], ['b', 1e40], ['c', -1e40], ['d', 0]])).toEqual(['b', 'a', 'd', 'c']) // biome-ignore format: one line
  })

  it('refuses NaN', () => {
    const fault = { code: 'score-invalid', message: 'document "b": its score is NaN' }
    expect(() => ids([['a', 1], ['b', Number.NaN]])).toThrow(expect.objectContaining(fault)) // biome-ignore format: one line
  })
})

describe('evaluate', () => {
  it.each(['ndcg@10', 'nDCG@0', 'nDCG@1.5', 'nDCG@', 'nDCG@10@5', 'constructor'])(
    'refuses the measure %s',
    (name) => {
      expect(() => evaluate(new Map(), new Map(), [name as Measure])).toThrow(
        expect.objectContaining({
          code: 'measure-unknown',
          name: 'EvaluationError',
          message: `measure "${name}" is unknown; expected one of nDCG, MAP, MRR, recall, precision, hit, alone or with a cut of at least 1, such as nDCG@10`,
        }),
      )
    },
  )

  it('takes the precision of a whole list over its length', () => {
    const documents = ['a', 'b', 'c', 'd'].map((id) => ({ id, score: 1 }))
    const qrels = new Map([['q', new Map([['b', 1], ['x', 2]])]]) // biome-ignore format: one line
    const { mean } = evaluate(qrels, new Map([['q', documents]]), ['precision', 'precision@2'])
    expect(mean).toEqual({ precision: 0.25, 'precision@2': 0 })
  })
})
