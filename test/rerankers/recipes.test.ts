import { afterAll, describe, expect, it } from 'vitest'
import {
  FlagLLMReranker,
  FlagReranker,
  LayerWiseFlagLLMReranker,
  LightWeightFlagLLMReranker,
  loadReranker,
  Reranker,
} from '../../src/rerankers/index.ts'
import { editedFolder } from '../edited-folder.ts'
import { fixtureFolder } from '../fixtures.ts'

const open: Reranker[] = []
afterAll(() => {
  for (const reranker of open) reranker.dispose()
})

async function loaded<R extends Reranker>(loading: Promise<R>): Promise<R> {
  const reranker = await loading
  open.push(reranker)
  return reranker
}

it('a model for embeddings is refused with what loads it, an unknown one with the nearest', async () => {
  await expect(Reranker.load(fixtureFolder('embed-bert-cls'))).rejects.toMatchObject({
    code: 'architecture-unsupported',
    message: expect.stringMatching(/has modules\.json, as embedders do: use Embedder\.load$/),
  })
  const folder = editedFolder('bert', [['config.json', ['architectures'], ['BertForMaskedLM']]])
  await expect(Reranker.load(folder)).rejects.toMatchObject({
    code: 'architecture-unsupported',
    message: expect.stringMatching(/The nearest is BertForSequenceClassification$/),
  })
})

describe('the recipe', () => {
  it.each([
    ['xlm-roberta-514', 'FlagReranker'],
    ['bert', 'CrossEncoder'],
    ['gemma', 'FlagLLMReranker'],
    ['mistral', 'FlagLLMReranker'],
    ['minicpm-layerwise', 'LayerWiseFlagLLMReranker'],
    ['gemma2-lightweight', 'LightWeightFlagLLMReranker'],
  ])('of %s is that of its publisher, %s', async (name, recipe) => {
    const reranker = await loaded(Reranker.load(fixtureFolder(name)))
    expect(reranker.info.recipe).toBe(recipe)
    const own = {
      FlagReranker,
      FlagLLMReranker,
      LayerWiseFlagLLMReranker,
      LightWeightFlagLLMReranker,
    }
    for (const [other, loader] of Object.entries(own)) {
      expect(reranker instanceof loader, other).toBe(other === recipe)
    }
    expect(reranker).toBeInstanceOf(Reranker)
  })

  it('may be another that fits the head', async () => {
    const folder = fixtureFolder('xlm-roberta-514')
    const plain = await loaded(Reranker.load(folder, { recipe: 'CrossEncoder' }))
    const flag = await loaded(FlagReranker.load(folder))
    const pair: [string, string] = ['panda '.repeat(400), 'bear '.repeat(400)]
    expect(plain.info.recipe).toBe('CrossEncoder')
    expect(plain.tokenizePair(...pair)).toEqual(flag.tokenizePair(...pair, { inputs: 'plain' }))
    expect(plain.tokenizePair(...pair)).not.toEqual(flag.tokenizePair(...pair))
  })

  it('must fit the model, and the loader', async () => {
    const xlm = fixtureFolder('xlm-roberta-514')
    await expect(loadReranker(xlm, { recipe: 'FlagLLMReranker' })).rejects.toThrow(
      'FlagLLMReranker takes GemmaForCausalLM',
    )
    await expect(
      LayerWiseFlagLLMReranker.load(fixtureFolder('gemma2-lightweight')),
    ).rejects.toThrow(
      /LayerWiseFlagLLMReranker takes LayerWiseMiniCPMForCausalLM\. The nearest|LayerWiseFlagLLMReranker takes LayerWiseMiniCPMForCausalLM$/,
    )
    await expect(
      LightWeightFlagLLMReranker.load(fixtureFolder('minicpm-layerwise')),
    ).rejects.toThrow(/LightWeightFlagLLMReranker takes CostWiseGemmaForCausalLM$/)
    await expect(FlagReranker.load(xlm, { recipe: 'CrossEncoder' })).rejects.toThrow(
      'recipe: found "CrossEncoder"; FlagReranker.load always uses its own',
    )
    await expect(loadReranker(xlm, { recipe: 'Rerank' as never })).rejects.toThrow(
      'recipe: found "Rerank"; expected "FlagReranker"',
    )
  })
})

describe('a chat model of the same architecture', () => {
  const chat = { chat_template: '{{ bos_token }}{% for message in messages %}…' }
  const folders = {
    'tokenizer_config.json': editedFolder('gemma', [
      ['tokenizer_config.json', ['chat_template'], chat.chat_template],
    ]),
    'chat_template.jinja': editedFolder('gemma', [
      ['chat_template.jinja', 'text', chat.chat_template],
    ]),
  }

  it.each(Object.entries(folders))(
    'by %s is no reranker unless it is said',
    async (file, folder) => {
      await expect(Reranker.load(folder)).rejects.toMatchObject({
        code: 'recipe-ambiguous',
        message: expect.stringMatching(
          `${file} has a chat template, .* load it with FlagLLMReranker.load`,
        ),
      })
      const pair: [string, string] = ['what is panda?', 'hi']
      const asked = await loaded(FlagLLMReranker.load(folder))
      const own = await loaded(Reranker.load(fixtureFolder('gemma')))
      expect(await asked.computeScore(pair)).toBe(await own.computeScore(pair))
      await loaded(Reranker.load(folder, { recipe: 'FlagLLMReranker' }))
    },
  )
})
