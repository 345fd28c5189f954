import { describe, expect, it } from 'vitest'
import { webgpu } from '#platform'
import { Embedder } from '../../src/embedders/index.ts'
import type { AdapterFacts } from '../../src/gpu/device.ts'
import { chooseActivations } from '../../src/inference/load-options.ts'
import { families } from '../../src/models/registry.ts'
import { Reranker, RerankerError } from '../../src/rerankers/index.ts'
import { fixtureFolder } from '../fixtures.ts'

const invalid = (message: string) => new RerankerError('option-invalid', message)
const gpuFacts = { software: false, shaderF16: true } as AdapterFacts

describe('the dtype of activations', () => {
  it.each([
    ['a GPU', {}, {}, {}, 'f16'],
    ['a GPU without shader-f16', { shaderF16: false }, {}, {}, 'f32'],
    ['a processor', { software: true }, {}, {}, 'f32'],
    ['a family whose numbers overflow', {}, { overflowsF16: true }, {}, 'f32'],
    ['such a family, asked for', {}, { overflowsF16: true }, { activations: 'f16' }, 'f16'],
    ['f32 asked for', {}, {}, { activations: 'f32' }, 'f32'],
    ['weights in f32', {}, {}, { dtype: 'f32' }, 'f32'],
    ['weights in f32, f16 asked for', {}, {}, { dtype: 'f32', activations: 'f16' }, 'f16'],
    ['quantized weights', {}, {}, { dtype: 'int4' }, 'f16'],
    ['a processor, f16 asked for', { software: true }, {}, { activations: 'f16' }, 'f16'],
  ] as const)('%s', (_, facts, family, options, expected) => {
    expect(chooseActivations({ ...gpuFacts, ...facts }, family, options, invalid)).toBe(expected)
  })

  it('is refused where the adapter lacks it', () => {
    const facts = { ...gpuFacts, shaderF16: false }
    expect(() => chooseActivations(facts, {}, { activations: 'f16' }, invalid)).toThrow(
      'activations: found "f16"; this adapter has no shader-f16',
    )
  })

  it('is f32 by default for the families of Gemma alone', async () => {
    const loaded = await Promise.all(
      Object.entries(families).map(async ([name, { load }]) => ({ name, ...(await load()) })),
    )
    const names = loaded.filter(({ overflowsF16 }) => overflowsF16)
    expect(names.map(({ name }) => name)).toEqual(['GemmaForCausalLM', 'CostWiseGemmaForCausalLM'])
  })
})

/** The adapter, calling itself a GPU. */
async function asGpu(): Promise<GPUAdapter> {
  const adapter = (await (await webgpu()).requestAdapter()) as GPUAdapter
  const { vendor, architecture, description, subgroupMinSize, subgroupMaxSize } = adapter.info
  const info = { vendor, architecture, description, subgroupMinSize, subgroupMaxSize }
  return new Proxy(adapter, {
    get(target, key) {
      if (key === 'info') return { ...info, isFallbackAdapter: false }
      const value = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('a load on a GPU', () => {
  it.each([
    ['xlm-roberta-514', {}, 'f16'],
    ['xlm-roberta-514', { activations: 'f32' }, 'f32'],
    ['gemma', {}, 'f32'],
  ] as const)('%s with %j has activations in %s', async (name, options, expected) => {
    const adapter = await asGpu()
    const hasF16 = adapter.features.has('shader-f16')
    const reranker = await Reranker.load(fixtureFolder(name), { adapter, ...options })
    expect(reranker.info.adapter.software).toBe(false)
    expect(reranker.info.activations).toBe(hasF16 ? expected : 'f32')
    const [score] = await reranker.computeScore([['what is a panda?', 'a bear of China']])
    expect(score).toBeTypeOf('number')
    expect(score).not.toBeNaN()
    reranker.dispose()
  })

  it('an embedder has activations in f16, too', async () => {
    const adapter = await asGpu()
    const embedder = await Embedder.load(undefined, { adapter })
    expect(embedder.info.activations).toBe(adapter.features.has('shader-f16') ? 'f16' : 'f32')
    embedder.dispose()
  })

  it('that is a processor has them in f32', async () => {
    const reranker = await Reranker.load(fixtureFolder('xlm-roberta-514'))
    expect(reranker.info.activations).toBe(reranker.info.adapter.software ? 'f32' : 'f16')
    reranker.dispose()
  })
})
