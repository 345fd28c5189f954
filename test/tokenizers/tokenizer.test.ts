/** What the class does beside giving the right ids. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { blobFolder } from '../../src/platform/files.ts'
import {
  faultOf,
  largeJson,
  readVariants,
  rejectionOf,
  Tokenizer,
  vocabularies,
} from './helpers.ts'

const plain = readVariants().plain!.tokenizer
const small = () => Tokenizer.from(structuredClone(plain))

describe('load', () => {
  const config = { pad_token: '<pad>', mask_token: { content: '<unk>' }, cls_token: 'nowhere' }
  const check = (tokenizer: Tokenizer, padId: number | undefined) => {
    expect(tokenizer.pieces(tokenizer.encode('ab c'))).toEqual(['▁a', 'b', '▁', 'c'])
    expect(tokenizer.padId).toBe(padId)
  }

  it('takes a path, a URL, a file, a folder and a Blob', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dawnrank-'))
    try {
      const path = join(folder, 'tokenizer.json')
      writeFileSync(path, JSON.stringify(plain))
      check(await Tokenizer.load(folder), undefined)
      writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
      check(await Tokenizer.load(folder), 1)
      check(await Tokenizer.load(path), 1)
      check(await Tokenizer.load(pathToFileURL(folder)), 1)
      check(await Tokenizer.load(pathToFileURL(path)), 1)
      check(await Tokenizer.load(String(pathToFileURL(path))), 1)
      const blob = new Blob([JSON.stringify(plain)])
      check(await Tokenizer.load(blob), undefined)
      check(await Tokenizer.load(blobFolder({ 'tokenizer.json': blob })), undefined)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('prefers tokenizer.json to a SentencePiece model', async () => {
    const blobs = { 'tokenizer.json': new Blob([JSON.stringify(plain)]), 'spm.model': new Blob() }
    check(await Tokenizer.load(blobFolder(blobs)), undefined)
  })

  it('names what is missing', async () => {
    expect(await rejectionOf(Tokenizer.load(blobFolder({}, 'the/folder')))).toBe(
      'tokenizer-missing: the/folder: no tokenizer; expected tokenizer.json or one of sentencepiece.bpe.model, spm.model, tokenizer.model, vocab.txt, vocab.json',
    )
    expect(await rejectionOf(Tokenizer.load('/no/such/tokenizer.json'))).toBe(
      'tokenizer-missing: /no/such/tokenizer.json: there is no such file',
    )
  })

  it('takes the ids of named tokens from tokenizer_config.json', () => {
    expect(Tokenizer.from(plain, config)).toMatchObject({
      padId: 1,
      maskId: 3,
      clsId: undefined,
      bosId: undefined,
      unkId: 3,
    })
  })
})

describe('vocab.json', () => {
  const files = (edits: Record<string, string>) => {
    const all = {
      'vocab.json': JSON.stringify({ '<s>': 0, '</s>': 1, a: 2, b: 3, ab: 4 }),
      'merges.txt': '#version: 0.2\na b\n',
      'tokenizer_config.json': JSON.stringify({ tokenizer_class: 'RobertaTokenizer' }),
      ...edits,
    }
    const present = Object.entries(all).filter(([, text]) => text !== '')
    return blobFolder(
      Object.fromEntries(present.map(([name, text]) => [name, new Blob([text])])),
      'folder',
    )
  }

  it('with merges.txt', async () => {
    const tokenizer = await Tokenizer.load(files({}))
    expect([...tokenizer.encode('abba', { specialTokens: true })]).toEqual([0, 4, 3, 2, 1])
    // The last line needs its end in this class.
    const cut = await Tokenizer.load(files({ 'merges.txt': '#version: 0.2\na b' }))
    expect([...cut.encode('ab')]).toEqual([2, 3])
  })

  it.each<[string, Record<string, string>]>([
    ['tokenizer-missing: folder/vocab.json: merges.txt is not beside it', { 'merges.txt': '' }],
    [
      'tokenizer-unsupported: folder/vocab.json: the tokenizer_class is null, which is not supported; vocab.json and merges.txt need one of RobertaTokenizer, GPT2Tokenizer, Qwen2Tokenizer',
      { 'tokenizer_config.json': '' },
    ],
    [
      'tokenizer-unsupported: folder/vocab.json: the tokenizer_class is "BertTokenizer", which',
      { 'tokenizer_config.json': '{"tokenizer_class": "BertTokenizer"}' },
    ],
    ['tokenizer-invalid: folder/vocab.json is no JSON', { 'vocab.json': 'x' }],
    [
      'tokenizer-invalid: folder/vocab.json:  is an array of 0; expected an object',
      { 'vocab.json': '[]' },
    ],
    [
      'tokenizer-invalid: folder/vocab.json:  is an object; expected an object with the cls_token, "<s>", which stands around texts',
      { 'vocab.json': '{"a": 0}' },
    ],
    [
      'tokenizer-invalid: folder/vocab.json: model.merges[0] is "[\\"a\\"]"; expected two pieces',
      { 'merges.txt': '#version\na\n' },
    ],
  ])('%s', async (fault, edits) => {
    expect((await rejectionOf(Tokenizer.load(files(edits)))).slice(0, fault.length)).toBe(fault)
  })
})

describe('special_tokens_map.json', () => {
  const load = (config: unknown, map: unknown) => {
    const files = { 'tokenizer.json': plain, 'special_tokens_map.json': map }
    const all = config === undefined ? files : { ...files, 'tokenizer_config.json': config }
    const blobs = Object.entries(all).map(([name, json]) => [
      name,
      new Blob([JSON.stringify(json)]),
    ])
    return Tokenizer.load(blobFolder(Object.fromEntries(blobs), 'folder'))
  }
  const map = { pad_token: { content: '<pad>' }, bos_token: '<s>' }

  it('names the tokens of old folders', async () => {
    expect(await load(undefined, map)).toMatchObject({ padId: 1, bosId: 0, eosId: undefined })
    const config = { pad_token: '<unk>', eos_token: '</s>' }
    expect(await load(config, map)).toMatchObject({ padId: 1, bosId: 0, eosId: 2 })
  })

  it('does not count where tokenizer_config.json lists the added tokens', async () => {
    const config = { added_tokens_decoder: {}, pad_token: '<unk>' }
    expect(await load(config, map)).toMatchObject({ padId: 3, bosId: undefined })
    expect(await load(config, 'damaged')).toMatchObject({ padId: 3 })
  })

  it('is refused where it is damaged', async () => {
    expect(await rejectionOf(load({}, 'damaged'))).toBe(
      'tokenizer-invalid: folder/special_tokens_map.json:  is "damaged"; expected an object',
    )
  })
})

it('a class has names for its tokens where no file tells them', () => {
  const ids = (config: unknown) => {
    const { bosId, eosId, padId, sepId } = Tokenizer.from(plain, config)
    return [bosId, eosId, padId, sepId]
  }
  expect(ids({ tokenizer_class: 'LlamaTokenizer' })).toEqual([0, 2, undefined, undefined])
  expect(ids({ tokenizer_class: 'XLMRobertaTokenizerFast' })).toEqual([0, 2, 1, 2])
  // What is no piece follows the pieces, as transformers adds it.
  const size = plain.model.vocab.length
  expect(ids({ tokenizer_class: 'GemmaTokenizer' })).toEqual([size, size + 1, 1, undefined])
  expect(faultOf(() => ids({ tokenizer_class: 'LlamaTokenizer', bos_token: null }))).toBe(
    'tokenizer-invalid: tokenizer_config.json: bos_token is null; expected a token, since it is to be added to a text',
  )
  expect(ids({ tokenizer_class: 'OtherTokenizer' })).toEqual(new Array(4).fill(undefined))
})

describe('pieces and ids', () => {
  it('pieces of ids, added tokens included', () => {
    const tokenizer = Tokenizer.from(largeJson('xlm-roberta'))
    const ids = tokenizer.encodePair('what is panda?', 'hi <mask>')
    expect([...ids]).toEqual([0, 2367, 83, 6, 85407, 32, 2, 2, 1274, 250001, 2])
    expect(tokenizer.pieces(ids)).toEqual([
      ...['<s>', '▁what', '▁is', '▁', 'panda', '?', '</s>', '</s>', '▁hi', '<mask>', '</s>'],
    ])
    expect(tokenizer.idOf('▁what')).toBe(2367)
    expect(tokenizer.idOf('<mask>')).toBe(250001)
    expect(tokenizer.idOf('▁whatnot')).toBe(undefined)
    expect(tokenizer.idOf('')).toBe(undefined)
    expect(tokenizer.vocabSize).toBe(250002)
  })

  it('an added token above the vocabulary', () => {
    const json = structuredClone(plain)
    const size = json.model.vocab.length
    json.added_tokens.push({ ...json.added_tokens[0], id: size, content: '<new>' })
    const tokenizer = Tokenizer.from(json)
    expect(tokenizer.vocabSize).toBe(size + 1)
    expect(tokenizer.idOf('<new>')).toBe(size)
    expect(tokenizer.pieces([size])).toEqual(['<new>'])
  })

  it('joinPair fills the template with ids cut by the caller', () => {
    const tokenizer = small()
    expect([...tokenizer.joinPair(Uint32Array.of(7), Uint32Array.of(8, 9))]).toEqual([
      ...[0, 7, 2, 2, 8, 9, 2],
    ])
    expect([...tokenizer.joinPair(new Uint32Array(), new Uint32Array())]).toEqual([0, 2, 2, 2])
    expect(tokenizer.pairOverhead).toBe(4)
  })

  it('gives arrays of their own', () => {
    const tokenizer = small()
    const first = tokenizer.encode('a')
    tokenizer.encode('b')
    expect(tokenizer.pieces(first)).toEqual(['▁a'])
    expect(first.buffer.byteLength).toBe(4)
  })
})

it.each(vocabularies)('a lone surrogate is U+FFFD: %s', (name) => {
  const tokenizer = Tokenizer.from(largeJson(name))
  const texts = [
    '\ud83d',
    '\ude00',
    'a\ud83d',
    'a\ud83db',
    '\ude00\ud83d',
    '\ud83d\ud83d\ude00',
    'x\udc00y',
  ]
  for (const text of texts) {
    const mended = text.replace(/\p{Surrogate}/gu, '\ufffd')
    expect([text, tokenizer.encode(text)]).toEqual([text, tokenizer.encode(mended)])
  }
  // BERT has a piece for neither.
  if (name !== 'bert-uncased')
    expect(tokenizer.encode('\ud83d\ude00')).not.toEqual(tokenizer.encode('\ufffd\ufffd'))
})

it('a text of many megabytes is refused, not cut', () => {
  const tokenizer = small()
  const text = 'a'.repeat(2 ** 24 + 1)
  expect(() => tokenizer.encode(text)).toThrow('cut it into passages')
  expect(tokenizer.encode('a').length).toBe(1)
})

it('a file is read as UTF-8, with or without a byte order mark', async () => {
  const bytes = new TextEncoder().encode(`\ufeff${JSON.stringify(plain)}`)
  expect((await Tokenizer.load(new Blob([bytes]))).idOf('▁a')).toBe(8)
  const broken = bytes.with(100, 0xff)
  expect(await rejectionOf(Tokenizer.load(new Blob([broken])))).toMatch(/^tokenizer-invalid: /)
})
