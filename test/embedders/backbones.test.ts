import { describe, expect, it } from 'vitest'
import { Embedder } from '../../src/embedders/index.ts'
import { type CrossCase, readCrossFixtures } from '../fixtures.ts'
import { farthest, folderWith, modulesOf } from './fixtures.ts'

// Backbones that have no embedder among the fixtures, against the states that the reference's rerankers had in their last layer.

const tolerance = 2e-4

/** The text with the ids of a pair, where there is one; how it is pooled; and the name of its state. */
const rows: readonly [string, (one: CrossCase) => string, string, string][] = [
  ['modernbert', pair('[SEP]'), 'cls', 'model.final_norm'],
  ['gte-new', pair('</s></s>'), 'cls', 'new.encoder.layer.2'],
  ['jina-bert', pair('</s></s>'), 'cls', 'bert.encoder.layer.2'],
  ['jina-bert-qk', pair('</s></s>'), 'cls', 'bert.encoder.layer.2'],
  ['jina-xlmr', pair('</s></s>'), 'cls', 'roberta.encoder.layers.2'],
  ['qwen3', question, 'lasttoken', 'model.norm'],
]

function pair(separator: string) {
  return ({ query, passage }: CrossCase) => `${query}${separator}${passage}`
}

function question({ query, passage, settings }: CrossCase): string {
  const instruction =
    settings.instruction ??
    'Given a web search query, retrieve relevant passages that answer the query'
  const system =
    'Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be "yes" or "no".'
  return `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n<Instruct>: ${instruction}\n<Query>: ${query}\n<Document>: ${passage}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n`
}

describe.each(rows)('%s', (name, textOf, pooling, state) => {
  it(`has the states of the reference, pooled by ${pooling}`, async () => {
    const { cases } = readCrossFixtures(`${name}/fixtures.json`)
    const folder = await folderWith(name, {
      ...modulesOf({ pooling_mode: pooling }, ['Transformer', 'Pooling']),
      'sentence_bert_config.json': { max_seq_length: 480 },
    })
    using embedder = await Embedder.load(folder, { dtype: 'f32' })
    expect(embedder.info).toMatchObject({ pooling, normalize: false, multi: false })
    const known = cases.filter(
      (one) =>
        one.trace && String(embedder.tokenize(textOf(one))) === String(one.reference.input_ids),
    )
    expect(known.length).toBeGreaterThan(2)
    const found = await embedder.embed(known.map(textOf))
    for (const [i, { id, trace = [] }] of known.entries()) {
      const { first = [] } = trace.find((one) => one.name === state) ?? {}
      expect(first.length, id).toBe(8)
      expect(farthest((found[i] as Float32Array).subarray(0, 8), first), id).toBeLessThan(tolerance)
    }
  })

  it('has the mean of all states, for whatever else is in the batch', async () => {
    const folder = await folderWith(name, modulesOf({ pooling_mode: 'mean' }))
    using embedder = await Embedder.load(folder)
    const texts = ['what is panda?', 'A panda eats bamboo.', 'what is panda, and what is it not?']
    const together = await embedder.embed(texts)
    for (const [i, text] of texts.entries()) {
      expect((await embedder.embed([text]))[0]).toEqual(together[i])
    }
    expect(new Set(together.map(String)).size).toBe(texts.length)
  })
})
