import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FlagReranker, loadReranker } from '../../src/rerankers/index.ts'
import { fixtureFile, memoryFolder } from '../checkpoint/folders.ts'
import { fixtureFolder, fixtureNames, readFixtures } from '../fixtures.ts'
import { itConforms } from './conformance.ts'

for (const name of fixtureNames) {
  describe(name, () => {
    let reranker: FlagReranker
    beforeAll(async () => {
      reranker = await FlagReranker.load(fixtureFolder(name), { dtype: 'f32' })
    })
    afterAll(() => reranker.dispose())
    itConforms(name, () => reranker)
  })
}

describe('one pair, whatever its batch', () => {
  // Lengths from 6 tokens to 512, by words of the fixture's texts.
  const { cases } = readFixtures('xlm-roberta-514')
  const words = cases
    .map(({ passage }) => passage)
    .join(' ')
    .split(/\s+/)
  const pairs = Array.from({ length: 300 }, (_, i): [string, string] => {
    const length = i % 50 === 0 ? 400 : 1 + ((i * 37) % 60)
    const from = (i * 7919) % (words.length - 500)
    return [
      words.slice(from, from + 1 + (i % 7)).join(' '),
      words.slice(from + 9, from + 9 + length).join(' '),
    ]
  })
  let reranker: FlagReranker
  let together: number[]
  beforeAll(async () => {
    reranker = await FlagReranker.load(fixtureFolder('xlm-roberta-514'))
    together = await reranker.computeScore(pairs)
  })
  afterAll(() => reranker.dispose())

  it('scores differ among pairs, so that equality says something', () => {
    expect(new Set(together).size).toBeGreaterThan(270)
  })

  it('has the same bits alone', async () => {
    for (let i = 0; i < pairs.length; i += 7) {
      expect(await reranker.computeScore(pairs[i]!)).toBe(together[i])
    }
  })

  it('has the same bits in reverse order', async () => {
    const reversed = await reranker.computeScore(pairs.toReversed())
    expect(reversed.toReversed()).toEqual(together)
  })

  it('has the same bits from two calls that run at once', async () => {
    const [odd, even] = await Promise.all([
      reranker.computeScore(pairs.filter((_, i) => i % 2 === 1)),
      reranker.computeScore(pairs.filter((_, i) => i % 2 === 0)),
    ])
    expect(odd).toEqual(together.filter((_, i) => i % 2 === 1))
    expect(even).toEqual(together.filter((_, i) => i % 2 === 0))
  })

  it('has the same bits whatever the batch size', async () => {
    const small = await FlagReranker.load(fixtureFolder('xlm-roberta-514'), { maxBatchTokens: 64 })
    expect(await small.computeScore(pairs.slice(0, 100))).toEqual(together.slice(0, 100))
    small.dispose()
  })
})

describe('the embedded model', () => {
  const { cases } = readFixtures('xlm-roberta-514')
  const pairs = cases
    .filter(({ passage }) => passage.length > 0 && passage.length < 200)
    .slice(0, 16)
    .map(({ query, passage }): [string, string] => [query, passage])
  let reranker: FlagReranker
  beforeAll(async () => {
    reranker = await FlagReranker.load(undefined, { selfTest: true })
  })
  afterAll(() => reranker.dispose())

  it('has the same bits alone, together, in reverse, and from calls that run at once', async () => {
    const together = await reranker.computeScore(pairs)
    expect(new Set(together).size).toBeGreaterThan(12)
    const [reversed, ...alone] = await Promise.all([
      reranker.computeScore(pairs.toReversed()),
      ...pairs.map((pair) => reranker.computeScore(pair)),
    ])
    expect(reversed.toReversed()).toEqual(together)
    expect(alone).toEqual(together)
  })

  it('prefers the passage that answers', async () => {
    const [best] = await reranker.rank('What do giant pandas eat?', [
      'The capital of France is Paris.',
      'Giant pandas live on bamboo, of which they eat many kilograms a day.',
      'A violin has four strings.',
    ])
    expect(best).toMatchObject({ index: 1, truncated: false })
  })
})

describe('calls', () => {
  const passages = ['hi', 'The giant panda is a bear.', '', 'hi']
  let reranker: FlagReranker
  beforeAll(async () => {
    reranker = await FlagReranker.load(fixtureFolder('xlm-roberta-514'))
  })
  afterAll(() => reranker.dispose())

  it('ranks best first, ties by index, with tokens and truncation told', async () => {
    const rows = await reranker.rank('what is panda?', passages)
    const scores = await reranker.computeScore(
      passages.map((passage) => ['what is panda?', passage]),
    )
    expect(rows.map(({ index }) => index).toSorted()).toEqual([0, 1, 2, 3])
    expect(rows.map(({ score }) => score)).toEqual(scores.toSorted((a, b) => b - a))
    const his = rows.filter(({ passage }) => passage === 'hi').map(({ index }) => index)
    expect(his).toEqual([0, 3])
    for (const { index, score, passage, tokens, truncated } of rows) {
      expect(score).toBe(scores[index])
      expect(passage).toBe(passages[index])
      expect(tokens).toBe(reranker.tokenizePair('what is panda?', passage).length)
      expect(truncated).toBe(false)
    }
  })

  it('gives the topN rows, and all where there are fewer', async () => {
    const all = await reranker.rank('panda', passages)
    expect(await reranker.rank('panda', passages, { topN: 2 })).toEqual(all.slice(0, 2))
    expect(await reranker.rank('panda', passages, { topN: 9 })).toEqual(all)
    expect(await reranker.rank('panda', [])).toEqual([])
    expect(await reranker.computeScore([])).toEqual([])
  })

  it('ranks records by their text', async () => {
    const records = passages.map((body, id) => ({ id, body }))
    const rows = await reranker.rank('panda', records, { text: ({ body }) => body })
    const plain = await reranker.rank('panda', passages)
    expect(rows.map(({ passage }) => passage.id)).toEqual(plain.map(({ index }) => index))
    await expect(reranker.rank('panda', records)).rejects.toThrow(
      'passages[0]: found an object; expected a string',
    )
  })

  it('refuses lists with holes', async () => {
    const [passage, pair] = ['a', ['a', 'b']].map((last) => Object.assign([], { 1: last }))
    await expect(reranker.rank('a', passage as string[])).rejects.toThrow(
      'passages[0]: found undefined; expected a string',
    )
    for (const pairs of [pair, Object.assign([['a', 'b']], { length: 2 })]) {
      await expect(reranker.computeScore(pairs as string[][])).rejects.toMatchObject({
        code: 'input-invalid',
        message: expect.stringContaining('found undefined; expected [query, passage]'),
      })
    }
    const half = [Object.assign(['a'], { length: 2 })]
    await expect(reranker.computeScore(half)).rejects.toThrow('pairs[0]: found [')
  })

  it('ranks by the logit where normalize makes scores equal, and tells the sigmoid', async () => {
    const [logit, sigmoid] = await Promise.all([
      reranker.rank('panda', passages),
      reranker.rank('panda', passages, { normalize: true }),
    ])
    expect(sigmoid.map(({ index }) => index)).toEqual(logit.map(({ index }) => index))
    expect(sigmoid.map(({ score }) => score)).toEqual(
      logit.map(({ score }) => 1 / (1 + Math.exp(-score))),
    )
  })

  it('says that a passage was shortened', async () => {
    const long = 'panda '.repeat(600)
    const [row] = await reranker.rank('what is panda?', [long], { maxLength: 64 })
    expect(row).toMatchObject({ tokens: 64, truncated: true })
  })

  it('uses settings of the load in each call that does not set its own', async () => {
    const own = await FlagReranker.load(fixtureFolder('xlm-roberta-514'), {
      normalize: true,
      maxLength: 16,
    })
    const score = await own.computeScore(['what is panda?', 'The giant panda is a bear.'])
    expect(score).toBeGreaterThan(0)
    expect(score).toBeLessThan(1)
    const logit = await own.computeScore(['what is panda?', 'hi'], {
      normalize: false,
      maxLength: 512,
    })
    expect(logit).toBe(await reranker.computeScore(['what is panda?', 'hi']))
    own.dispose()
  })

  it('puts instructions where the format says', () => {
    const ids = (query: string, options = {}) => reranker.tokenizePair(query, 'p', options)
    const queryInstructionForRerank = 'Query'
    expect(ids('x', { queryInstructionForRerank, queryInstructionFormat: '{}: {}' })).toEqual(
      ids('Query: x'),
    )
    expect(ids('x', { queryInstructionForRerank, queryInstructionFormat: '{1} {{{0}}}' })).toEqual(
      ids('x {Query}'),
    )
    expect(ids('x', { queryInstructionForRerank, queryInstructionFormat: '{}\\n{}' })).toEqual(
      ids('Query\nx'),
    )
    expect(() => ids('x', { queryInstructionForRerank, queryInstructionFormat: '{}{}{}' })).toThrow(
      'stands for neither',
    )
  })

  it('reports progress to the end', async () => {
    const seen: number[] = []
    const pairs = Array.from({ length: 300 }, () => ['panda', 'bear '.repeat(20)])
    await reranker.computeScore(pairs, { onProgress: ({ done, total }) => seen.push(done / total) })
    expect(seen.length).toBeGreaterThan(2)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.at(-1)).toBe(1)
  })

  it('stops when the signal is aborted, before and during', async () => {
    const before = AbortSignal.abort(new Error('changed my mind'))
    await expect(reranker.computeScore(['a', 'b'], { signal: before })).rejects.toThrow(
      'changed my mind',
    )
    const during = new AbortController()
    const pairs = Array.from({ length: 2000 }, () => ['panda', 'bear '.repeat(100)])
    const call = reranker.computeScore(pairs, {
      signal: during.signal,
      onProgress: () => during.abort(new Error('enough')),
    })
    await expect(call).rejects.toThrow('enough')
    expect(await reranker.computeScore(['a', 'b'])).toBeTypeOf('number')
  })

  it.each([
    [[['a']], 'pairs[0]: found ["a"]; expected [query, passage], two strings'],
    [
      [
        ['a', 'b'],
        ['a', 'b', 'c'],
      ],
      'pairs[1]',
    ],
    [[['a', null]], 'pairs[0]: found ["a", null]'],
    [['a'], 'pairs[0]: found ["a"]'],
    ['ab', 'pairs: found "ab"'],
    [[7], 'pairs[0]: found 7'],
  ])('refuses the pairs %j', async (pairs, message) => {
    await expect(reranker.computeScore(pairs as never)).rejects.toThrow(message)
  })

  it.each([
    [{ maxLength: 0 }, 'maxLength: found 0; expected a whole number from 1 up'],
    [{ maxLength: 1.5 }, 'maxLength'],
    [{ queryMaxLength: -1 }, 'queryMaxLength'],
    [{ normalize: 'yes' }, 'normalize: found "yes"'],
    [{ inputs: 'raw' }, 'inputs: found "raw"; expected "flag" or "plain"'],
    [{ inputs: 'plain', queryMaxLength: 5 }, 'inputs: "plain" takes neither'],
    [{ inputs: 'plain', queryInstructionForRerank: 'Q' }, 'inputs: "plain" takes neither'],
    [{ queryInstructionForRerank: 7 }, 'queryInstructionForRerank: found 7'],
  ])('refuses the options %j', async (options, message) => {
    await expect(reranker.computeScore(['a', 'b'], options as never)).rejects.toThrow(message)
  })

  it('names the pair that is longer than the model takes', async () => {
    const long = 'panda '.repeat(2000)
    await expect(
      reranker.computeScore(
        [
          ['a', 'b'],
          ['a', long],
        ],
        { maxLength: 2000 },
      ),
    ).rejects.toThrow(/pair 1: 2000 tokens; the model takes 512\. Set maxLength/)
  })

  it('tells what it runs on', () => {
    expect(reranker.info).toMatchObject({
      architecture: 'XLMRobertaForSequenceClassification',
      dtype: 'f16',
      activations: 'f32',
      limits: { maxTokens: 512 },
    })
    expect(Object.keys(reranker.info.kernels)).toEqual(['attention 16', 'linear f16'])
    expect(reranker.info.memory.bytes).toBeGreaterThan(reranker.info.memory.weights)
  })

  it('warns of a key of config.json that nobody knows, and of no other', async () => {
    expect(reranker.info.warnings).toEqual([])
    const name = 'xlm-roberta-514'
    const config = JSON.parse(new TextDecoder().decode(fixtureFile(name, 'config.json')))
    const other = await FlagReranker.load(
      memoryFolder({
        'config.json': { ...config, logit_cap: 30, transformers_version: '9.0.0' },
        'tokenizer.json': fixtureFile(name, 'tokenizer.json'),
        'tokenizer_config.json': fixtureFile(name, 'tokenizer_config.json'),
        'model.safetensors': fixtureFile(name, 'model.safetensors'),
      }),
    )
    expect(other.info.warnings).toEqual([expect.stringContaining('logit_cap')])
    other.dispose()
  })

  it('uses the kernels that it is told to, and names those that there are', async () => {
    const folder = fixtureFolder('xlm-roberta-514')
    const kernels = { 'linear f16': 'linear_tiled 64x64', 'attention 16': 'attention_tiled' }
    const other = await FlagReranker.load(folder, { kernels })
    expect(other.info.kernels).toEqual(kernels)
    const pair: [string, string] = ['what is panda?', 'The giant panda is a bear species.']
    const [found, expected] = [await other.computeScore(pair), await reranker.computeScore(pair)]
    expect(Math.abs(found - expected)).toBeLessThan(1e-4)
    other.dispose()
    await expect(
      FlagReranker.load(folder, { kernels: { 'linear f16': 'linear' } }),
    ).rejects.toThrow(
      /kernels: found "linear" for linear f16; here it may be .*"linear_tiled 64x64"/,
    )
    await expect(
      FlagReranker.load(folder, { kernels: { linear: 'linear_tiled 64x64' } }),
    ).rejects.toThrow('kernels: "linear" is no operation of this model')
  })
})

describe('loadReranker', () => {
  it('takes the class from config.json', async () => {
    const reranker = await loadReranker(fixtureFolder('xlm-roberta-8194'))
    expect(reranker).toBeInstanceOf(FlagReranker)
    reranker.dispose()
  })

  it('lists the known architectures where it has none for the model', async () => {
    const files = { 'config.json': new Blob(['{"architectures": ["T5ForConditionalGeneration"]}']) }
    await expect(loadReranker(files)).rejects.toThrow(
      /blobs\/config.json: architectures is \["T5ForConditionalGeneration"\]; known are XLMRobertaForSequenceClassification, .*GemmaForCausalLM, .*LayerWiseMiniCPMForCausalLM/,
    )
  })
})
