import { expect, it } from 'vitest'
import { fixtureFolder } from '../fixtures.ts'
import { session } from './helpers.ts'

it.each([
  [fixtureFolder('bert-minilm'), 'CrossEncoder', 'identity', 512],
  [fixtureFolder('qwen3'), 'Qwen3Reranker', 'sigmoid', 8192],
  [fixtureFolder('qwen3-seq-cls'), 'Qwen3Classifier', 'sigmoid', 40960],
  [fixtureFolder('mxbai-rerank-v2'), 'MxbaiRerankV2', 'identity', 8192],
  [fixtureFolder('minicpm-layerwise'), 'LayerWiseFlagLLMReranker', 'identity', 512],
  [fixtureFolder('gemma2-lightweight'), 'LightWeightFlagLLMReranker', 'identity', 512],
])('describes %s without loading it', async (model, recipe, activation, maxLength) => {
  const on = session()
  expect(await on.run('info', model, '--json')).toBe(0)
  expect(JSON.parse(on.stdout.text)).toMatchObject({ recipe, activation, maxLength })
  expect(on.loads).toEqual([])
})

it('states the licence of the card', async () => {
  const on = session()
  expect(await on.run('info', 'weights/xlm-roberta-6x384', '--json')).toBe(0)
  expect(JSON.parse(on.stdout.text)).toMatchObject({ licence: 'mit', stored: ['int8', 'int4'] })
})

it('counts the weights of a quantized model as those before', async () => {
  const on = session()
  expect(await on.run('info', 'weights/xlm-roberta-6x384', '--json')).toBe(0)
  const { parameters, memory } = JSON.parse(on.stdout.text)
  const [layer, words] = [4 * 384 ** 2 + 2 * 384 * 1536, 109_218 * 384]
  const matrices = words + 18 * layer
  expect(parameters).toBeGreaterThan(matrices)
  // The others are positions, biases, norms and the classifier.
  expect(parameters).toBeLessThan(1.01 * matrices)
  expect(Object.keys(memory)).toEqual(['int8'])
  expect(memory.int8.host).toBe((words * 5) / 8)
  expect(memory.int8.device).toBeGreaterThan((18 * layer * 9) / 8)
})

it('states parameters and memory by dtype', async () => {
  const on = session()
  expect(await on.run('info', fixtureFolder('xlm-roberta-514'), '--json')).toBe(0)
  const { parameters, memory } = JSON.parse(on.stdout.text)
  const words = 1002 * 64
  expect(memory.f16.host).toBe(2 * words)
  expect(memory.f32.host).toBe(4 * words)
  // Vectors have 4 bytes a number with every dtype.
  expect(memory.f32.device).toBe(4 * (parameters - words))
  expect(memory.int8.device).toBeLessThan(memory.f16.device)
})

it('prints a table', async () => {
  const on = session()
  expect(await on.run('info', fixtureFolder('gemma'))).toBe(0)
  expect(on.stdout.text).toMatch(/^recipe +FlagLLMReranker$/m)
  expect(on.stdout.text).toMatch(/^licence +not stated$/m)
  expect(on.stdout.text).toMatch(/^int4 +\d/m)
})

it('takes another recipe', async () => {
  const on = session()
  expect(await on.run('info', fixtureFolder('bert'), '--recipe', 'FlagReranker', '--json')).toBe(0)
  expect(JSON.parse(on.stdout.text)).toMatchObject({ recipe: 'FlagReranker' })
})
