import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Config } from '../../src/checkpoint/index.ts'
import { ropeConfig } from '../../src/models/rope-config.ts'
import { ropeFrequencies } from '../../src/models/rope-scaling.ts'
import { Reranker } from '../../src/rerankers/index.ts'
import { editedFolder } from '../edited-folder.ts'
import { distance } from '../rerankers/conformance.ts'

type Scaling = Readonly<Record<string, unknown>>

const fixtures: {
  readonly tables: readonly {
    readonly head_dim: number
    readonly config: { readonly rope_theta: number; readonly rope_scaling: Scaling }
    readonly length: number | null
    readonly frequencies: readonly number[]
    readonly attention: number
  }[]
  readonly scores: readonly {
    readonly model: string
    readonly settings: Scaling & { readonly rope_parameters: Scaling }
    readonly scores: readonly { readonly id: string; readonly score: number }[]
  }[]
} = JSON.parse(readFileSync(new URL('../fixtures/rope-scaling.json', import.meta.url), 'utf8'))

const read = (config: object) => ropeConfig(new Config('config.json', config))

describe.each(fixtures.tables)('$config, $head_dim numbers, length $length', (table) => {
  const { head_dim, config, length, frequencies, attention } = table
  const { rope_theta, rope_scaling, ...rest } = config
  const { rope_type, ...others } = rope_scaling
  it.each([
    ['rope_scaling', config],
    [
      'rope_scaling with the older key',
      { ...config, rope_scaling: { type: rope_type, ...others } },
    ],
    ['rope_parameters', { ...rest, rope_parameters: { ...rope_scaling, rope_theta } }],
  ])('by %s as the reference has them', (_, spelled) => {
    const rope = read(spelled)
    const found = ropeFrequencies(rope, head_dim, length ?? undefined)
    expect(found).toHaveLength(frequencies.length)
    // torch's pow is off by up to a unit in the last place.
    frequencies.forEach((one, i) => {
      expect(Math.abs((found[i] as number) / one - 1), `${i}`).toBeLessThan(3e-7)
    })
    const factor = rope.scaling?.type === 'yarn' ? rope.scaling.attention : 1
    expect(factor).toBeCloseTo(attention, 12)
  })
})

it('a length of the first training outside of the section goes before that within', () => {
  const scaling = { rope_type: 'yarn', factor: 2, original_max_position_embeddings: 99 }
  const most = { max_position_embeddings: 4096 }
  expect(read({ ...most, rope_scaling: scaling }).scaling).toMatchObject({ positions: 99 })
  const outside = { ...most, original_max_position_embeddings: 77, rope_scaling: scaling }
  expect(read(outside).scaling).toMatchObject({ positions: 77 })
})

describe.each(fixtures.scores)('$model with $settings', ({ model, settings, scores }) => {
  const {
    cases,
  }: {
    cases: readonly {
      id: string
      query: string
      passage: string
      settings: { max_length?: number }
    }[]
  } = JSON.parse(
    readFileSync(new URL(`../fixtures/${model}/fixtures.json`, import.meta.url), 'utf8'),
  )
  const edits = Object.entries(settings).map(
    ([key, value]) => ['config.json', [key], value] as const,
  )
  const isDynamic = settings.rope_parameters.rope_type === 'dynamic'

  it('has the scores of the reference, alone and in a batch', async () => {
    const reranker = await Reranker.load(
      editedFolder(model, [
        // The class of Llama has no window; the fixture names one.
        ...(model === 'variants/llama' ? [['config.json', ['sliding_window']] as const] : []),
        ...edits.filter(([, [key]]) => key !== 'rope_parameters'),
        ['config.json', ['rope_scaling'], settings.rope_parameters],
      ]),
      { dtype: 'f32' },
    )
    expect(reranker.info.warnings).toEqual([])
    const pairs = scores.map(({ id }) => {
      const { query, passage, settings } = cases.find((one) => one.id === id)!
      return { pair: [query, passage] as [string, string], maxLength: settings.max_length }
    })
    const alone: number[] = []
    for (const [i, { pair, maxLength }] of pairs.entries()) {
      const score = await reranker.computeScore(pair, { maxLength })
      expect(distance(score, scores[i]!.score), scores[i]!.id).toBeLessThan(1e-4)
      if (maxLength === pairs[0]!.maxLength) alone.push(score)
    }
    const together = pairs.filter(({ maxLength }) => maxLength === pairs[0]!.maxLength)
    const list = together.map(({ pair }) => pair)
    expect(await reranker.computeScore(list)).toEqual(alone)
    reranker.dispose()
  })

  it.runIf(isDynamic)(
    'shares no prefixes, whose turns depend on the length of the whole',
    async () => {
      const folder = editedFolder(model, [...edits])
      await expect(Reranker.load(folder, { sharePrefixes: true })).rejects.toThrow(
        'the states of a token also depend on what follows it',
      )
    },
  )
})
