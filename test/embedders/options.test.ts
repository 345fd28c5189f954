import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Embedder } from '../../src/embedders/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { folderWith, modulesOf, readEmbeddingFixtures } from './fixtures.ts'

const base = 'embed-bert-mean'
let embedder: Embedder
beforeAll(async () => {
  embedder = await Embedder.load(fixtureFolder(base))
})
afterAll(() => embedder.dispose())

describe('prompts', () => {
  const ids = (text: string) => embedder.tokenize(text)

  it.each<[object, string]>([
    [{}, ''],
    [{ kind: 'query' }, 'query: '],
    [{ kind: 'passage' }, 'passage: '],
    [{ kind: 'query', prompt: '' }, ''],
    [{ kind: 'query', prompt: 'find ' }, 'find '],
  ])('%j puts %j before a text', (options, prompt) => {
    expect(embedder.tokenize('a panda', options)).toEqual(ids(`${prompt}a panda`))
  })

  it.each<[object, object, string]>([
    [{ web_search_query: 'w ', document: 'd ' }, { kind: 'query' }, 'w '],
    [{ web_search_query: 'w ', document: 'd ' }, { kind: 'passage' }, 'd '],
    [{ query: 'q ', web_search_query: 'w ' }, { kind: 'query' }, 'q '],
    [{ passage: 'p ', document: 'd ' }, { kind: 'passage' }, 'p '],
    [{ other: 'o ' }, { kind: 'query' }, ''],
  ])('of %j, %j takes %j', async (prompts, options, prompt) => {
    using own = await Embedder.load(
      await folderWith(base, { 'config_sentence_transformers.json': { prompts } }),
    )
    expect(own.tokenize('a', options)).toEqual(ids(`${prompt}a`))
  })

  it('the default prompt is put before texts of no kind, and where a kind has none', async () => {
    const stored = { prompts: { sts: 's ', passage: 'p ' }, default_prompt_name: 'sts' }
    using own = await Embedder.load(
      await folderWith(base, { 'config_sentence_transformers.json': stored }),
    )
    expect(own.tokenize('a')).toEqual(ids('s a'))
    expect(own.tokenize('a', { kind: 'query' })).toEqual(ids('s a'))
    expect(own.tokenize('a', { kind: 'passage' })).toEqual(ids('p a'))
  })

  it('the mean leaves the prompt out where the files say so', async () => {
    const pooling = { pooling_mode: 'mean', include_prompt: false }
    using own = await Embedder.load(await folderWith(base, modulesOf(pooling)))
    using each = await Embedder.load(
      await folderWith(base, modulesOf({ pooling_mode: 'lasttoken' })),
    )
    const options = { prompt: 'find ' }
    // Of an empty text [SEP] alone is left, so that the mean is its state.
    const [without] = await own.embed([''], options)
    const [last] = await each.embed([''], options)
    const [mean] = await embedder.embed([''], options)
    expect(own.similarity(without as Float32Array, last as Float32Array)).toBeGreaterThan(0.999999)
    expect(own.similarity(without as Float32Array, mean as Float32Array)).toBeLessThan(0.999)
    // Calls with prompts of other lengths share no batch.
    const [a, b] = await Promise.all([own.embed(['x'], options), own.embed(['x'])])
    expect(a).toEqual(await own.embed(['x'], options))
    expect(b).toEqual(await own.embed(['x']))
    await expect(own.embed(['x'], { ...options, maxLength: 3 })).rejects.toThrow('no tokens of its')
  })
})

describe('options of a call', () => {
  it('dimensions keeps the first numbers, normalized again', async () => {
    const [all] = await embedder.embed(['a panda'])
    const [some] = await embedder.embed(['a panda'], { dimensions: 16 })
    const length = Math.hypot(...(all as Float32Array).subarray(0, 16))
    expect(some?.length).toBe(16)
    some?.forEach((value, i) => {
      expect(value).toBeCloseTo((all?.[i] as number) / length, 6)
    })
  })

  it('maxLength counts special tokens; truncate: false is an error', async () => {
    const text = 'a panda is a bear of China'
    expect(embedder.tokenize(text, { maxLength: 5 }).length).toBe(5)
    expect(embedder.tokenize(text, { maxLength: 5 }).at(-1)).toBe(embedder.tokenizer.sepId)
    await expect(embedder.embed([text], { maxLength: 5, truncate: false })).rejects.toThrow(
      /texts\[0\]: \d+ tokens; 5 fit/,
    )
    using short = await Embedder.load(fixtureFolder(base), { maxLength: 7 })
    expect(short.info.limits.maxLength).toBe(7)
    expect(short.tokenize(text).length).toBe(7)
  })

  it.each<[unknown, object, string]>([
    ['a', {}, 'texts: found "a"; expected a list of strings'],
    [['a', 1], {}, 'texts[1]: found 1; expected a string'],
    [Object.assign([], { 1: 'a' }), {}, 'texts[0]: found undefined; expected a string'],
    [['a'], { dimensions: 49 }, 'dimensions: found 49; the embeddings of this model have 48'],
    [['a'], { dimensions: 0 }, 'dimensions: found 0; expected a whole number from 1 up'],
    [['a'], { kind: 'document' }, 'kind: found "document"; expected "query" or "passage"'],
    [['a'], { maxLength: 513 }, 'maxLength: found 513; the model takes 512 tokens'],
    [['a'], { maxLength: 1 }, 'the special tokens of a text alone are 2'],
    [
      ['a'],
      { normalize: true },
      'normalize: there is no such option; embed takes dimensions, kind',
    ],
    [['a'], null as never, 'options of embed: found null'],
  ])('%j with %j: %s', async (texts, options, message) => {
    await expect(embedder.embed(texts as string[], options)).rejects.toThrow(message)
  })

  it('no texts are no embeddings; progress and tokens are reported', async () => {
    expect(await embedder.embed([])).toEqual([])
    const seen: unknown[] = []
    const texts = ['a', 'b c']
    await embedder.embed(texts, {
      onProgress: (progress) => seen.push(progress),
      onTokens: (tokens) => seen.push(tokens),
    })
    const tokens = texts.reduce((sum, text) => sum + embedder.tokenize(text).length, 0)
    expect(seen).toEqual([{ done: 2, total: 2 }, tokens])
  })

  it('an aborted call rejects with the reason; the next one is served', async () => {
    const stop = new AbortController()
    const call = embedder.embed(Array(400).fill('a panda eats bamboo'), { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    expect((await embedder.embed(['a'])).length).toBe(1)
  })

  it('concurrent calls share batches', async () => {
    const batches: number[] = []
    using own = await Embedder.load(fixtureFolder(base), {
      onBatch: ({ calls }) => batches.push(calls),
    })
    const busy = [own.embed(['1']), own.embed(['2'])]
    const calls = [own.embed(['a']), own.embed(['b']), own.embed(['c'], { dimensions: 8 })]
    await Promise.all([...busy, ...calls])
    expect(Math.max(...batches)).toBeGreaterThan(1)
    expect(batches.reduce((sum, count) => sum + count)).toBe(5)
  })
})

describe('similarity', () => {
  const [a, b] = [Float32Array.of(1, 2, 2), Float32Array.of(2, 0, 0)]
  it.each<[string | null, number]>([
    [null, 1 / 3],
    ['cosine', 1 / 3],
    ['dot', 2],
    ['dot_product', 2],
    ['euclidean', -3],
    ['manhattan', -5],
  ])('by %s is %d', async (name, expected) => {
    using own = await Embedder.load(
      await folderWith(base, { 'config_sentence_transformers.json': { similarity_fn_name: name } }),
    )
    expect(own.similarity(a, b)).toBeCloseTo(expected, 6)
  })

  it('is of two of a kind', () => {
    expect(() => embedder.similarity(a, Float32Array.of(1))).toThrow('vectors of 3 and 1 numbers')
    const multi = { dense: a, sparse: {}, colbert: [a] }
    expect(() => embedder.similarity(a, multi as never)).toThrow('expected two embeddings of embed')
    expect(() => embedder.similarity(multi, multi, { dense: 0, sparse: 0, colbert: 0 })).toThrow(
      'a sum of 0',
    )
  })
})

describe('files', () => {
  const modules = modulesOf({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false })
  const list = modules['modules.json']

  it.each<[string, Record<string, object | undefined>, string]>([
    ['max pooling', modulesOf({ pooling_mode: 'max' }), 'the pooling is "max"; computed are'],
    ['two poolings', modulesOf({ pooling_mode_cls_token: true }), '"cls" and "mean"'],
    ['no pooling', modulesOf({ pooling_mode_mean_tokens: false }), 'the pooling is none'],
    ['a Dense module', modulesOf({}, ['Transformer', 'Pooling', 'Dense']), '"Dense"'],
    ['no list', { 'modules.json': {} }, 'modules.json: found an object; expected a list'],
    [
      'modules of no form',
      { 'modules.json': [{ type: 1 }] },
      'expected modules with type and path',
    ],
    [
      'a missing file',
      { ...modules, '1_Pooling/config.json': undefined },
      '1_Pooling/config.json is not there',
    ],
    [
      'a path out of the folder',
      { 'modules.json': list.map((one, i) => (i === 1 ? { ...one, path: '../x' } : one)) },
      'the path of Pooling is "../x"',
    ],
    [
      'a Transformer elsewhere',
      { 'modules.json': list.map((one, i) => (i === 0 ? { ...one, path: '0_T' } : one)) },
      'the Transformer is in "0_T"',
    ],
    [
      'another similarity',
      { 'config_sentence_transformers.json': { similarity_fn_name: 'tanimoto' } },
      'similarity_fn_name is "tanimoto"; computed are "cosine"',
    ],
    ['no JSON', { 'modules.json': new Blob(['[']) }, 'modules.json: not JSON'],
    [
      'an unknown architecture',
      { 'config.json': { architectures: ['T5EncoderModel'] } },
      'architectures is [T5EncoderModel]; known as backbones are BertModel',
    ],
  ])('%s is refused by name', async (_, files, message) => {
    await expect(Embedder.load(await folderWith(base, files))).rejects.toThrow(message)
  })

  it('without modules the embedding is the mean, not normalized, with a warning', async () => {
    using own = await Embedder.load(await folderWith(base, { 'modules.json': undefined }))
    expect(own.info).toMatchObject({ pooling: 'mean', normalize: false })
    expect(own.info.warnings[0]).toContain('no modules.json')
    const [vector] = await own.embed(['a panda'])
    const [normalized] = await embedder.embed(['a panda'])
    expect(Math.hypot(...(vector as Float32Array))).not.toBeCloseTo(1, 2)
    expect(own.similarity(vector as Float32Array, normalized as Float32Array)).toBeCloseTo(1, 6)
  })

  it('do_lower_case lowers texts before a tokenizer that does not', async () => {
    const name = 'embed-bge-m3'
    const { cases } = readEmbeddingFixtures(name)
    const text = cases.find((one) => /[A-Z]/.test(one.text))?.text as string
    using plain = await Embedder.load(fixtureFolder(name))
    using lower = await Embedder.load(
      await folderWith(name, { 'sentence_bert_config.json': { do_lower_case: true } }),
    )
    expect(lower.tokenize(text)).toEqual(plain.tokenize(text.toLowerCase()))
    expect(lower.tokenize(text)).not.toEqual(plain.tokenize(text))
  })
})

describe('load', () => {
  it.each<[object, string]>([
    [{ dtype: 'f8' }, 'dtype: found "f8"; expected "auto"'],
    [{ recipe: 'FlagReranker' }, 'recipe: there is no such option; load takes activations'],
    [{ revision: 'main' }, 'revision: found "main"; only models named'],
    [{ maxLength: 0 }, 'maxLength: found 0'],
    [{ device: {}, adapter: {} }, 'device and adapter: found both'],
  ])('%j: %s', async (options, message) => {
    await expect(Embedder.load(fixtureFolder(base), options)).rejects.toThrow(message)
  })

  it('after dispose every call rejects', async () => {
    const own = await Embedder.load(fixtureFolder(base))
    own.dispose()
    for (const texts of [['a'], []]) {
      await expect(own.embed(texts)).rejects.toMatchObject({ code: 'disposed' })
    }
  })
})
