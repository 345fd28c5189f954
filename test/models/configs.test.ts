import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Config } from '../../src/checkpoint/index.ts'
import { minicpm } from '../../src/models/minicpm.ts'
import { xlmRoberta } from '../../src/models/xlm-roberta.ts'
import { fixtureFolder } from '../fixtures.ts'

describe('the config of XLM-R', () => {
  const published = {
    architectures: ['XLMRobertaForSequenceClassification'],
    hidden_size: 64,
    num_attention_heads: 4,
    intermediate_size: 128,
    num_hidden_layers: 2,
    vocab_size: 100,
    max_position_embeddings: 514,
    type_vocab_size: 1,
    layer_norm_eps: 1e-5,
    pad_token_id: 1,
    id2label: { 0: 'LABEL_0' },
  }
  const read = (change: Record<string, unknown>) =>
    xlmRoberta.config(new Config('config.json', { ...published, ...change }))

  it('gives the sizes', () => {
    expect(read({})).toMatchObject({ hidden: 64, heads: 4, layers: 2, positions: 514, padId: 1 })
  })

  it.each([
    [{ id2label: { 0: 'a', 1: 'b', 2: 'c' } }, 'the model has 3 labels; a reranker has one'],
    [{ id2label: undefined }, 'the model has 2 labels'],
    [{ hidden_act: 'mish' }, 'hidden_act'],
    [{ position_embedding_type: 'relative_key' }, 'position_embedding_type'],
    [{ num_attention_heads: 5 }, 'hidden_size 64 with 5 heads'],
    [{ num_hidden_layers: 0 }, 'num_hidden_layers'],
    [{ vocab_size: '100' }, 'vocab_size'],
    [{ pad_token_id: 513 }, 'pad_token_id'],
  ])('refuses %o', (change, message) => {
    expect(() => read(change)).toThrow(message)
  })
})

const minicpmConfig = () =>
  JSON.parse(readFileSync(join(fixtureFolder('minicpm-layerwise'), 'config.json'), 'utf8'))

it.each([
  ['simple', 4],
  ['raw', 1],
])('takes the config of a model with %s heads trained in %i parts', (head_type, pretraining_tp) => {
  const config = { ...minicpmConfig(), head_type, pretraining_tp }
  expect(minicpm.config(new Config('config.json', config))).toMatchObject({ headType: head_type })
})

it.each(['raw', 'complex'])(
  'refuses split %s heads, whose scale the reference forgets',
  (head_type) => {
    const config = { ...minicpmConfig(), head_type, pretraining_tp: 2 }
    expect(() => minicpm.config(new Config('config.json', config))).toThrow('pretraining_tp')
  },
)
