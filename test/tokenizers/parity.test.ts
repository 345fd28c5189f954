/** Ids equal to those of Hugging Face's tokenizers, transformers 4 and SentencePiece. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SentencePieceProcessor } from 'sentencepiece-js'
import { describe, expect, it } from 'vitest'
import {
  differences,
  fixture,
  fixtureJson,
  largeJson,
  modelFolder,
  readLines,
  readVariants,
  Tokenizer,
  type Vocabulary,
  vocabularies,
} from './helpers.ts'

// Of these two, half of the texts are kept.
const halved: readonly Vocabulary[] = ['roberta-base', 'modernbert-standin']

describe.each(vocabularies)('%s', (name) => {
  const tokenizer = Tokenizer.from(largeJson(name))
  const lines = readLines(`tokenizers/${name}/fixtures.jsonl.gz`)

  it('2,889 texts', () => {
    expect(lines.length).toBe(halved.includes(name) ? 1445 : 2889)
    expect(differences((text) => tokenizer.encode(text), lines)).toEqual([])
  })

  it('2,889 texts with special tokens', () => {
    const cases = lines.map(({ text, ids_with_specials: ids }) => ({ text, ids }))
    const encode = (text: string) => tokenizer.encode(text, { specialTokens: true })
    expect(differences(encode, cases)).toEqual([])
  })

  it('2,861 pairs', () => {
    const texts = new Map(lines.map(({ i, text }) => [i, text]))
    let pairs = 0
    for (const { text, pair_with, pair_ids, pair_types } of lines) {
      const second = texts.get(pair_with ?? -1)
      if (!pair_ids || second === undefined) continue
      pairs++
      const [a, b] = [tokenizer.encode(text), tokenizer.encode(second)]
      expect([text, second, ...tokenizer.joinPair(a, b)]).toEqual([text, second, ...pair_ids])
      const types = tokenizer.pairTypes(a.length, b.length, 'template')
      expect(types ?? new Uint8Array(pair_ids.length)).toEqual(
        Uint8Array.from(pair_types!.flatMap(([type, length]) => new Array(length).fill(type))),
      )
    }
    expect(pairs).toBe(halved.includes(name) ? 718 : 2861)
  })
})

it('random texts and random changes of small tokenizers', () => {
  const { cases } = fixtureJson('tokenizers/random.json.gz')
  for (const { base, changes, texts, ids } of cases) {
    const { ignore_merges, ...members } = changes
    const json = { ...fixtureJson(`${base}/model/tokenizer.json`), ...members }
    if (ignore_merges) json.model.ignore_merges = true
    const tokenizer = Tokenizer.from(json)
    const wanted = texts.map((text: string, i: number) => ({ text, ids: ids[i] }))
    expect([base, changes, differences((text) => tokenizer.encode(text), wanted)]).toEqual([
      base,
      changes,
      [],
    ])
  }
})

describe('a raw SentencePiece model of type unigram', () => {
  const model = fixture('tokenizers/xlm-roberta/sentencepiece.bpe.model.gz')
  const config = fixtureJson('tokenizers/xlm-roberta/tokenizer_config.json')

  it('gives what transformers 4 makes of it', async () => {
    const tokenizer = await Tokenizer.load(modelFolder(model, config))
    const lines = readLines('tokenizers/xlm-roberta-replace/fixtures.jsonl.gz')
    const others = fixtureJson('tokenizers/xlm-roberta/sentencepiece.json').ids
    const cases = lines.map(({ i, text, ids }) => ({ text, ids: others[i] ?? ids }))
    expect(differences((text) => tokenizer.encode(text), cases)).toEqual([])
    expect([...tokenizer.encodePair('hi', 'hi')]).toEqual([0, 1274, 2, 2, 1274, 2])
    expect(tokenizer.vocabSize).toBe(250002)
    expect([tokenizer.padId, tokenizer.unkId, tokenizer.maskId]).toEqual([1, 3, 250001])
  })

  it('gives what is in the tokenizer.json of DeBERTa-v3, which is such a conversion', async () => {
    const path = 'tokenizers/deberta-v3-standin'
    const model = fixture(`${path}/spm.model.gz`)
    const told = fixtureJson(`${path}/tokenizer_config.json`)
    const tokenizer = await Tokenizer.load(modelFolder(model, told))
    const lines = readLines(`${path}/fixtures.jsonl.gz`)
    expect(differences((text) => tokenizer.encode(text), lines)).toEqual([])
    const pair = lines.find(({ pair_ids }) => pair_ids)!
    const second = lines[pair.pair_with!]!.text
    expect([...tokenizer.encodePair(pair.text, second)]).toEqual(pair.pair_ids)
  })

  it('of the small fixture too, whose tokenizer.json is such a conversion', async () => {
    const folder = new URL('../fixtures/xlm-roberta-8194/model/', import.meta.url)
    const tokenizer = await Tokenizer.load(new URL('sentencepiece.bpe.model', folder))
    const { tokenization } = fixtureJson('xlm-roberta-8194/fixtures.json')
    expect(differences((text) => tokenizer.encode(text), tokenization)).toEqual([])
  })

  it('is read by sentencepiece-js alike, where SentencePiece and the reference agree', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dawnrank-'))
    try {
      const path = join(folder, 'sentencepiece.bpe.model')
      writeFileSync(path, model)
      const processor = new SentencePieceProcessor()
      await processor.load(path)
      // The same pieces, one place earlier, and the unknown piece first. It adds scores in float32, so that
      // of two ways that cost the same it may take the other.
      const lines = readLines('tokenizers/xlm-roberta/fixtures.jsonl.gz')
      const agreed = lines.filter(({ ids_spm, text }) => !ids_spm && !text.includes('\0'))
      expect(agreed.length).toBeGreaterThan(2700)
      const { vocab } = fixtureJson('tokenizers/xlm-roberta/tokenizer.json.gz').model
      const scoreOf = (ids: readonly number[]) => ids.reduce((sum, id) => sum + vocab[id][1], 0)
      let ties = 0
      for (const { text, ids } of agreed) {
        const theirs = processor.encodeIds(text).map((id) => (id === 0 ? 3 : id + 1))
        if (String(theirs) === String(ids)) continue
        ties++
        expect([text, theirs.length]).toEqual([text, ids.length])
        expect(Math.abs(scoreOf(theirs) / scoreOf(ids) - 1)).toBeLessThan(1e-5)
      }
      expect(ties).toBeLessThan(30)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('a raw SentencePiece model of type BPE', () => {
  const model = fixture('tokenizers/mistral-v1/tokenizer.model.gz')
  const lines = readLines('tokenizers/mistral-v1/fixtures.jsonl.gz')
  const { cases } = fixtureJson('tokenizers/mistral-v1/sentencepiece.json')

  it.each(Object.keys(cases))('gives what transformers 4 makes of it: %s', async (name) => {
    const { config, special, size, lines: some, ids: others, single, pair } = cases[name]
    const tokenizer = await Tokenizer.load(modelFolder(model, config))
    const texts = some ? lines.filter(({ i }) => some.includes(i)) : lines
    expect(texts.length).toBe(some ? some.length : 2889)
    const wanted = texts.map(({ i, text, ids }) => ({ text, ids: others[i] ?? ids }))
    expect(differences((text) => tokenizer.encode(text), wanted)).toEqual([])
    expect([...tokenizer.encode('a b', { specialTokens: true })]).toEqual(single)
    expect([...tokenizer.encodePair('a b', 'c')]).toEqual(pair)
    expect(tokenizer).toMatchObject({
      vocabSize: size,
      bosId: special.bos,
      eosId: special.eos,
      unkId: special.unk,
      padId: special.pad ?? undefined,
    })
  })

  it.each(['gemma', 'mistral'])('of the small fixture %s too', async (name) => {
    const folder = new URL(`../fixtures/${name}/model/`, import.meta.url)
    const tokenizer = await Tokenizer.load(new URL('tokenizer.model', folder))
    const { tokenization, tokenizer: told } = fixtureJson(`${name}/fixtures.json`)
    expect(differences((text) => tokenizer.encode(text), tokenization)).toEqual([])
    const { bos_id: bosId, eos_id: eosId, pad_id: padId, length: vocabSize } = told
    expect(tokenizer).toMatchObject({ bosId, eosId, padId, vocabSize })
    const alone = { tokenizer_class: told.class }
    const again = await Tokenizer.load(modelFolder(fixture(`${name}/model/tokenizer.model`), alone))
    expect(differences((text) => again.encode(text), tokenization)).toEqual([])
    expect(again).toMatchObject({ bosId, eosId, vocabSize })
  })
})

it.each([
  ...['xlm-roberta-514', 'xlm-roberta-8194'],
  ...['gemma', 'mistral', 'minicpm-layerwise', 'minicpm-layerwise-gqa', 'gemma2-lightweight'],
  ...['bert', 'bert-minilm'],
])('the tokenizer of %s', async (name) => {
  const tokenizer = await Tokenizer.load(new URL(`../fixtures/${name}/model`, import.meta.url))
  const { tokenization, tokenizer: told } = fixtureJson(`${name}/fixtures.json`)
  expect(tokenization.length).toBeGreaterThan(90)
  expect(differences((text) => tokenizer.encode(text), tokenization)).toEqual([])
  expect(tokenizer).toMatchObject({
    vocabSize: told.length,
    padId: told.pad_id,
    bosId: told.bos_id ?? undefined,
    eosId: told.eos_id ?? undefined,
    unkId: told.unk_id,
    clsId: told.cls_id ?? undefined,
    sepId: told.sep_id ?? undefined,
    ...(told.mask_id && { maskId: told.mask_id }),
    pairOverhead: name.startsWith('xlm-roberta') ? 4 : name.startsWith('bert') ? 3 : 2,
  })
  if (told.newline_ids) expect([...tokenizer.encode('\n')]).toEqual(told.newline_ids)
})

const variants = readVariants()
describe.each(Object.keys(variants))('variant %s', (name) => {
  const { tokenizer: json, cases, pair } = variants[name]!
  const tokenizer = Tokenizer.from(json)

  it('gives the ids of the reference', () => {
    expect(cases.length).toBeGreaterThan(0)
    expect(differences((text) => tokenizer.encode(text), cases)).toEqual([])
  })

  it('puts special tokens around one text and a pair', () => {
    const [first, second] = pair.texts
    expect([...tokenizer.encode(first, { specialTokens: true })]).toEqual(pair.single)
    expect([...tokenizer.encodePair(first, second)]).toEqual(pair.ids)
    const plain = tokenizer.encode(first).length + tokenizer.encode(second).length
    expect(tokenizer.pairOverhead).toBe(pair.ids.length - plain)
  })
})
