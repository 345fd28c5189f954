/**
 * BERT's tokenizer: token types, vocab.txt, and what tokenizer_config.json changes, as transformers 4.46.3 does it; the
 * folders and their ids are recorded by test/fixtures/tokenizers/make_files.py.
 */
import { describe, expect, it } from 'vitest'
import { blobFolder } from '../../src/platform/files.ts'
import { type Template, textPlaces } from '../../src/tokenizers/post-processors.ts'
import { editedFolder } from '../edited-folder.ts'
import {
  differences,
  type FolderCase,
  fixture,
  fixtureJson,
  largeJson,
  readLines,
  readVariants,
  rejectionOf,
  Tokenizer,
  typesOf,
} from './helpers.ts'

interface Case extends FolderCase {
  /** What FlagEmbedding builds, whole and cut. */
  readonly flag?: readonly number[][]
  readonly flag_types?: readonly number[] | null
}

/** A pair's ids and token types, by the template and by the class. */
function pairOf(tokenizer: Tokenizer, first: string, second: string) {
  const [a, b] = [tokenizer.encode(first), tokenizer.encode(second)]
  const types = (by: 'template' | 'class') => typesOf(tokenizer.pairTypes(a.length, b.length, by))
  const [ids, built] = [[...tokenizer.joinPair(a, b)], [...tokenizer.buildPair(a, b)]]
  for (const [by, joined] of [['template', ids] as const, ['class', built] as const]) {
    const places = tokenizer.pairPlaces(a.length, b.length, by)
    expect(joined.slice(places.first.start, places.first.end)).toEqual([...a])
    expect(joined.slice(places.second.start, places.second.end)).toEqual([...b])
  }
  return { ids, types: types('template'), built, builtTypes: types('class') }
}

it.each<[Template, number[]]>([
  [
    [1, 'A', 2, 2, 'B', 2],
    [1, 4, 6, 8],
  ],
  [
    ['A', 'B'],
    [0, 3, 3, 5],
  ],
  [
    [1, 'B', 2, 'A'],
    [4, 7, 1, 3],
  ],
])('in the template %j texts of 3 and 2 tokens stand at %j', (template, expected) => {
  const { first, second } = textPlaces(template, 3, 2)
  expect([first.start, first.end, second.start, second.end]).toEqual(expected)
})

describe('several files', () => {
  const { texts, cases } = fixtureJson('tokenizers/files.json') as {
    texts: Record<string, [string, string, string]>
    cases: Case[]
  }
  const [first, second, third] = texts.bert!

  it.each(cases.filter(({ base }) => base === 'bert'))('$name', async (want) => {
    const tokenizer = await Tokenizer.load(editedFolder('bert', want.edits))
    const pair = pairOf(tokenizer, first, second)
    expect({
      ids: [first, second, third].map((text) => [...tokenizer.encode(text)]),
      single: [...tokenizer.encode(first, { specialTokens: true })],
      pair: pair.ids,
      types: pair.types,
    }).toEqual({
      ids: want.ids,
      single: want.single,
      pair: want.pair,
      types: typesOf(want.types),
    })
    if (want.flag)
      expect([pair.built, pair.builtTypes]).toEqual([want.flag[0], typesOf(want.flag_types)])
  })
})

it.each([
  ['bert/fixtures.json', 'flag'],
  ['bert/cross-encoder.json', 'reference'],
  ['bert-minilm/fixtures.json', 'reference'],
])('the inputs of %s', async (path, of) => {
  const { cases } = fixtureJson(path)
  const tokenizer = await Tokenizer.load(new URL(`../fixtures/${path}/../model`, import.meta.url))
  let whole = 0
  for (const { query, passage, settings, [of]: want } of cases) {
    const pair = pairOf(tokenizer, query, passage)
    if (Object.keys(settings).length > 0 || pair.ids.length > 512) continue
    whole++
    const got = { ids: pair.ids, types: pair.types ?? pair.ids.map(() => 0) }
    expect({ query, ...got }).toEqual({
      query,
      ids: want.input_ids,
      types: want.token_type_ids,
    })
    expect([pair.built, pair.builtTypes]).toEqual([pair.ids, pair.types])
  }
  expect(whole).toBeGreaterThan(40)
})

it('token types of 2,861 pairs', () => {
  const tokenizer = Tokenizer.from(largeJson('bert-uncased'))
  const lines = readLines('tokenizers/bert-uncased/fixtures.jsonl.gz')
  let pairs = 0
  for (const { text, pair_with, pair_types } of lines) {
    if (pair_with === null) continue
    const types = pairOf(tokenizer, text, lines[pair_with]!.text).types
    const runs = pair_types!.flatMap(([type, count]) => new Array(count).fill(type))
    expect(types).toEqual(runs)
    pairs++
  }
  expect(pairs).toBe(2861)
})

it.each(Object.entries(readVariants()))('token types of variant %s', (_name, variant) => {
  const { texts, types } = variant.pair
  const got = pairOf(Tokenizer.from(variant.tokenizer), ...texts)
  expect(got.types).toEqual(typesOf(types))
})

describe('vocab.txt', () => {
  const { vocab } = largeJson('bert-uncased').model
  const pieces = Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b])
  const config = fixtureJson('tokenizers/bert-uncased/tokenizer_config.json')
  const folder = (text: string | Uint8Array<ArrayBuffer>, config?: unknown) =>
    blobFolder(
      {
        'vocab.txt': new Blob([text]),
        ...(config !== undefined && {
          'tokenizer_config.json': new Blob([JSON.stringify(config)]),
        }),
      },
      'folder',
    )

  it('gives what tokenizer.json gives', async () => {
    const tokenizer = await Tokenizer.load(folder(pieces.join('\n'), config))
    const lines = readLines('tokenizers/bert-uncased/fixtures.jsonl.gz')
    expect(differences((text) => tokenizer.encode(text), lines)).toEqual([])
    expect(tokenizer).toMatchObject({ vocabSize: 30522, pairOverhead: 3, padId: 0, maskId: 103 })
  })

  it('is opened by its path too', async () => {
    const tokenizer = await Tokenizer.load(
      new URL('../fixtures/bert/model/vocab.txt', import.meta.url),
    )
    const { tokenization } = fixtureJson('bert/fixtures.json')
    expect(differences((text) => tokenizer.encode(text), tokenization)).toEqual([])
  })

  const bert = { tokenizer_class: 'BertTokenizer' }
  it.each<[string, string | Uint8Array<ArrayBuffer>, unknown]>([
    ['tokenizer-unsupported: folder/vocab.txt: the tokenizer_class is null, which', 'a', undefined],
    [
      'tokenizer-unsupported: folder/vocab.txt: the tokenizer_class is "RobertaTokenizer", which',
      'a',
      { tokenizer_class: 'RobertaTokenizer' },
    ],
    ['tokenizer-invalid: folder/vocab.txt is not UTF-8', Uint8Array.of(0x61, 0xff), bert],
    [
      'tokenizer-invalid: folder/vocab.txt: there is no line for the cls_token, "[CLS]"',
      '[UNK]\n[SEP]',
      bert,
    ],
    [
      'tokenizer-invalid: folder/vocab.txt: there is no line for the sep_token, null',
      '[UNK]\n[CLS]\n[SEP]',
      { ...bert, sep_token: null },
    ],
    [
      'tokenizer-invalid: folder/vocab.txt: model.unk_token is missing; expected a string',
      '[UNK]\n[CLS]\n[SEP]',
      { ...bert, unk_token: null },
    ],
    [
      'tokenizer-invalid: folder/tokenizer_config.json: do_lower_case is "no"; expected true or false',
      '[UNK]\n[CLS]\n[SEP]',
      { ...bert, do_lower_case: 'no' },
    ],
    [
      'tokenizer-invalid: piece 3 is 2000 UTF-16 code units long',
      `[UNK]\n[CLS]\n[SEP]\n${'x'.repeat(2000)}`,
      bert,
    ],
  ])('%s', async (message, text, config) => {
    const fault = await rejectionOf(Tokenizer.load(folder(text, config)))
    expect(fault.slice(0, message.length)).toBe(message)
  })
})

it('a text without pieces and an unk_token that is no piece', () => {
  const { tokenizer: json } = readVariants().wordpiece!
  json.model.unk_token = 'nowhere'
  const tokenizer = Tokenizer.from(json)
  expect(tokenizer.unkId).toBe(undefined)
  expect(tokenizer.encode('ab').length).toBe(1)
  expect(() => tokenizer.encode('ab zz')).toThrow(
    'the text holds "zz", for which there are no pieces, and model.unk_token is no piece',
  )
})

it('the fixture of vocab.txt is the vocabulary of its tokenizer.json', () => {
  const { vocab } = fixtureJson('bert/model/tokenizer.json').model
  const lines = new TextDecoder().decode(fixture('bert/model/vocab.txt')).trimEnd().split('\n')
  expect(Object.fromEntries(lines.map((line, id) => [line, id]))).toEqual(vocab)
})
