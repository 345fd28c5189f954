import { expect, it } from 'vitest'
import type { DtypeOption } from '../../src/models/weights.ts'
import { loadReranker } from '../../src/rerankers/index.ts'
import { expectClose } from '../tensor/harness.ts'
import { asF64, type Edit, editedModel, pairs, renamed, type Stored } from './edited.ts'

async function scoresOf(name: string, edit: Edit, dtype: DtypeOption): Promise<number[]> {
  const reranker = await loadReranker(editedModel(name, edit), { dtype })
  const scores = await reranker.computeScore(pairs)
  reranker.dispose()
  return scores
}

const xlm = 'xlm-roberta-514'
const toF64 = (tensors: Stored[]) => tensors.map((tensor) => asF64(tensor))

/** A head beside the embeddings that it should be tied to: these, times a factor. */
const withHead = (factor: number) => (tensors: Stored[]) => {
  const table = tensors.find(({ name }) => name === 'model.embed_tokens.weight') as Stored
  return [...tensors, { ...asF64(table, factor), name: 'lm_head.weight' }]
}

const scores = {
  [xlm]: [7.860009, 7.881057, 5.777825],
  gemma: [-1.17009, -0.971646, -0.501687],
  mistral: [2.94333, 2.774211, 4.137542],
}

/**
 * What transformers 4.46.3 or 5.24.0 takes for the same model (where the other does not, it fails or draws the weights
 * by lot), and the scores in float32.
 */
it.each<[string, keyof typeof scores, (tensors: Stored[]) => Stored[], number[]?]>([
  ['f64 weights', xlm, toF64],
  ['f64 weights, tied', 'gemma', toF64],
  ['f64 weights, a head', 'mistral', toF64],
  [
    'gamma and beta',
    xlm,
    (tensors) => {
      const half = renamed(/LayerNorm\.weight$/, 'LayerNorm.gamma')(tensors)
      return renamed(/LayerNorm\.bias$/, 'LayerNorm.beta')(half)
    },
  ],
  ['gamma in a decoder', 'gemma', renamed(/norm\.weight$/, 'norm.gamma')],
  ['no backbone in front', xlm, renamed(/^roberta\./, '')],
  ['no backbone in front, tied', 'gemma', renamed(/^model\./, '')],
  ['no backbone in front, a head', 'mistral', renamed(/^model\./, '')],
  ['the head within the backbone', xlm, renamed(/^classifier\./, 'roberta.classifier.')],
  ['the head within the backbone', 'mistral', renamed(/^lm_head/, 'model.lm_head')],
  ['the tied table as the head alone', 'gemma', renamed(/^model\.embed_tokens/, 'lm_head')],
  ['the tied table twice', 'gemma', withHead(1)],
  ['a head of its own though tied', 'gemma', withHead(0.5), [0.387047, -0.029038, 0.925154]],
])('%s: %s', async (_, name, tensors, expected = scores[name]) => {
  expectClose(await scoresOf(name, { tensors }, 'f32'), expected, 1e-4, name)
})

it.each<[keyof typeof scores, string, Edit]>([
  [xlm, 'f64', { tensors: toF64 }],
  ['mistral', 'without backbone', { tensors: renamed(/^model\./, '') }],
])('%s %s: bits as of the usual file in every dtype', async (name, _, edit) => {
  for (const dtype of ['auto', 'bf16', 'int8', 'int4'] as const) {
    expect(await scoresOf(name, edit, dtype), dtype).toEqual(await scoresOf(name, {}, dtype))
  }
})

it.each<[keyof typeof scores, Edit, string]>([
  [xlm, { tensors: renamed(/^/, 'module.') }, 'no tensor "roberta.embeddings.word_embeddings'],
  ['mistral', { tensors: renamed(/^/, 'module.') }, 'no tensor "model.embed_tokens.weight"'],
  ['mistral', { tensors: renamed(/^lm_head/, 'other') }, 'no tensor "lm_head.weight"'],
  [xlm, { tensors: renamed(/^roberta/, 'bert') }, 'no tensor "roberta.embeddings'],
])('%s: what transformers would draw by lot is refused', async (name, edit, message) => {
  await expect(scoresOf(name, edit, 'f32')).rejects.toThrow(message)
})

it.each(['./', '././', './/'])('takes %s before the names of shards', async (front) => {
  const files = editedModel('gemma', {})
  const file = 'model.safetensors.index.json'
  const index = JSON.parse(await (files[file] as Blob).text())
  index.metadata = null
  for (const tensor of Object.keys(index.weight_map))
    index.weight_map[tensor] = front + index.weight_map[tensor]
  const [first] = Object.values(index.weight_map)
  const text = JSON.stringify({ ...index, weight_map: { ...index.weight_map, extra: first } })
  const python = new Blob([text.replace(/}$/, ',"total":NaN,"most":[Infinity,-Infinity]}')])
  const reranker = await loadReranker({ ...files, [file]: python }, { dtype: 'f32' })
  expectClose(await reranker.computeScore(pairs), scores.gemma, 1e-4, 'gemma')
  reranker.dispose()
})
