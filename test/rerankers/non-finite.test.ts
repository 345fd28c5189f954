import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  FlagReranker,
  LayerWiseFlagLLMReranker,
  LightWeightFlagLLMReranker,
} from '../../src/rerankers/index.ts'
import { fixtureFile, memoryFolder } from '../checkpoint/folders.ts'
import { editedModel } from '../models/edited.ts'

/** A fixture's folder in which the first number of an f32 tensor is another. */
function patched(name: string, tensor: string, value: number) {
  const files = [
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
  ]
  const weights = fixtureFile(name, 'model.safetensors').slice()
  const view = new DataView(weights.buffer)
  const length = Number(view.getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + length)))
  view.setFloat32(8 + length + header[tensor].data_offsets[0], value, true)
  return memoryFolder({
    ...Object.fromEntries(files.map((file) => [file, fixtureFile(name, file)])),
    'model.safetensors': weights,
  })
}

const finite = { code: 'score-not-finite' }
const passages = ['a', 'b', 'c']
const pairs = passages.map((passage): [string, string] => ['q', passage])

describe('a score that is no number is an error, whatever asks for it', () => {
  let reranker: LayerWiseFlagLLMReranker
  beforeAll(async () => {
    // The head of layer 4 alone.
    const folder = patched('minicpm-layerwise', 'lm_head.2.linear_head.weight', Number.NaN)
    reranker = await LayerWiseFlagLLMReranker.load(folder)
  })
  afterAll(() => reranker.dispose())

  it('one layer, all layers, a ranking, any stage of a cascade', async () => {
    const stages = (...layers: number[]) =>
      layers.map((layer, i) => (i + 1 < layers.length ? { layer, keep: 2 } : { layer }))
    for (const call of [
      () => reranker.computeScore(pairs, { cutoffLayers: 4 }),
      () => reranker.computeScore(pairs, { cutoffLayers: 'all' }),
      () => reranker.computeScore(pairs, { cutoffLayers: 4, normalize: true }),
      () => reranker.rank('q', passages, { cutoffLayers: 4 }),
      () => reranker.rank('q', passages, { cascade: stages(4, 6) }),
      () => reranker.rank('q', passages, { cascade: stages(2, 4, 6) }),
      () => reranker.rank('q', passages, { cascade: stages(2, 4) }),
    ]) {
      await expect(call()).rejects.toMatchObject(finite)
    }
    expect(await reranker.computeScore(pairs)).toHaveLength(3)
    expect(await reranker.rank('q', passages, { cascade: stages(3, 6) })).toHaveLength(3)
  })

  it('and names the pair or the passage', async () => {
    await expect(reranker.computeScore(pairs, { cutoffLayers: 4 })).rejects.toThrow(
      'pair 0 ("q", "a"): the model\'s logit is NaN',
    )
    await expect(reranker.rank('q', ['a'], { cutoffLayers: 4 })).rejects.toThrow('passage 0 ("q"')
  })
})

it('so it is where scores have a soft cap', async () => {
  const files = editedModel('gemma2-lightweight', {
    set: { _attn_implementation: 'eager' },
    tensors: (tensors) =>
      tensors.map((tensor) => {
        if (tensor.name !== 'lm_head.2.linear_head.weight') return tensor
        const data = tensor.data.slice()
        data.set([0, 0x7e], 0)
        return { ...tensor, data }
      }),
  })
  const reranker = await LightWeightFlagLLMReranker.load(files)
  const cutoff = (cutoffLayers: number) => reranker.computeScore(pairs, { cutoffLayers })
  expect((await cutoff(3)).every(Number.isFinite)).toBe(true)
  await expect(cutoff(4)).rejects.toMatchObject(finite)
  reranker.dispose()
})

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'so it is in an encoder: a bias of %s',
  async (value) => {
    const folder = patched('xlm-roberta-514', 'classifier.out_proj.bias', value)
    const reranker = await FlagReranker.load(folder)
    await expect(reranker.computeScore(['q', 'a'])).rejects.toMatchObject(finite)
    await expect(reranker.rank('q', passages)).rejects.toMatchObject(finite)
    reranker.dispose()
  },
)

describe('a token that the model has no row for', () => {
  let reranker: FlagReranker
  beforeAll(async () => {
    const name = 'xlm-roberta-514'
    const tokenizer = JSON.parse(new TextDecoder().decode(fixtureFile(name, 'tokenizer.json')))
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false }
    tokenizer.added_tokens.push({ id: 1002, content: '[DOC]', ...flags, special: true })
    reranker = await FlagReranker.load(
      memoryFolder({
        'config.json': fixtureFile(name, 'config.json'),
        'tokenizer_config.json': fixtureFile(name, 'tokenizer_config.json'),
        'tokenizer.json': tokenizer,
        'model.safetensors': fixtureFile(name, 'model.safetensors'),
      }),
    )
  })
  afterAll(() => reranker.dispose())

  it('is told with the passage or the pair that has it', async () => {
    await expect(reranker.rank('q', ['fine', 'a [DOC] b'])).rejects.toMatchObject({
      code: 'token-out-of-range',
      message: expect.stringMatching(/^passage 1: its text has token id 1002; .* has 1002 rows/),
    })
    const texts = [
      ['q', 'fine'],
      ['q', 'also'],
      ['a [DOC]', 'b'],
    ]
    await expect(reranker.computeScore(texts)).rejects.toThrow(/^pair 2: /)
    expect(await reranker.rank('q', ['fine'])).toHaveLength(1)
  })
})
