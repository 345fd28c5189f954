/**
 * Several files make a tokenizer: folders with edits, and the ids that transformers gives with them, recorded by
 * test/fixtures/tokenizers/make_files.py. Scores are FlagEmbedding 1.4.2's on transformers 4.46.3 in float32.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FlagReranker, loadReranker } from '../../src/rerankers/index.ts'
import { type ResolvedSettings, resolveSettings } from '../../src/rerankers/options.ts'
import { recipes } from '../../src/rerankers/recipes.ts'
import { inputBuilder } from '../../src/rerankers/templates.ts'
import { Tokenizer } from '../../src/tokenizers/index.ts'
import { type Edit, editedFolder } from '../edited-folder.ts'
import { rejectionOf } from '../tokenizers/helpers.ts'

interface Case {
  readonly base: string
  readonly name: string
  readonly edits: readonly Edit[]
  /** What the reference says where it refuses the folder. */
  readonly error?: string
  /** Of each text, without special tokens. */
  readonly ids: readonly number[][]
  /** Of the first text, and of the first two, with the template's special tokens. */
  readonly single: readonly number[]
  readonly pair: readonly number[]
  readonly bos: number | null
  readonly pad: number | null
  /** The pair as FlagEmbedding builds it, with a maxLength of 512 and of 12. */
  readonly flag?: readonly number[][]
  /** The pair as the plain recipe cuts it to 12. */
  readonly plain?: readonly number[]
}

const { texts, cases } = JSON.parse(
  readFileSync(new URL('../fixtures/tokenizers/files.json', import.meta.url), 'utf8'),
) as { texts: Record<string, string[]>; cases: Case[] }

const settings = (inputs: 'flag' | 'plain', maxLength: number): ResolvedSettings =>
  resolveSettings(
    {
      name: 'a recipe',
      inputs,
      maxLength: { [inputs]: maxLength },
      activation: 'identity',
      prompt: 'Yes?',
    },
    {},
    {},
  )

describe.each(['xlm-roberta-514', 'mistral', 'gemma'])('%s', (base) => {
  const [query = '', passage = '', other = ''] = texts[base] ?? []

  it.each(cases.filter((one) => one.base === base))('$name', async (want) => {
    const folder = editedFolder(base, want.edits)
    if (want.error !== undefined) {
      expect(await rejectionOf(Tokenizer.load(folder))).toMatch(/bos_token is null/)
      return
    }
    const tokenizer = await Tokenizer.load(folder)
    const build = (inputs: 'flag' | 'plain', maxLength: number): number[] => {
      const of = settings(inputs, maxLength)
      const { templates } =
        base === 'xlm-roberta-514' ? recipes.FlagReranker : recipes.FlagLLMReranker
      const inputsOf = inputBuilder(templates[inputs], tokenizer, of)
      return [...inputsOf(query, passage).ids]
    }
    expect({
      ids: [query, passage, other].map((text) => [...tokenizer.encode(text)]),
      single: [...tokenizer.encode(query, { specialTokens: true })],
      pair: [...tokenizer.encodePair(query, passage)],
      bos: tokenizer.bosId ?? null,
      pad: tokenizer.padId ?? null,
      flag: want.flag && [512, 12].map((maxLength) => build('flag', maxLength)),
      plain: want.plain && build('plain', 12),
    }).toEqual({
      ids: want.ids,
      single: want.single,
      pair: want.pair,
      bos: want.bos,
      pad: want.pad,
      flag: want.flag,
      plain: want.plain,
    })
  })
})

describe('scores', () => {
  const pairs: [string, string][] = [
    ['what is panda?', 'hi'],
    ['what is panda?', '[TITLE] The giant panda </s> is a bear.'],
    [
      'Wo liegt Paris?',
      'Paris ist die Hauptstadt von Frankreich und liegt an der Seine. Die Stadt hat zwei Millionen Einwohner.',
    ],
  ]
  const marked: [string, string][] = [
    ['what is panda?', 'hi'],
    ['what is panda?', '[TITLE] The giant panda </s> is a bear. x <mask>y'],
    ['  Wo </s> liegt <s>Paris?', 'Paris ist die\nHauptstadt'],
  ]
  const roberta = { type: 'RobertaProcessing', trim_offsets: true, add_prefix_space: true }
  const gemma = [-1.170091, -0.971648, -0.501685]
  const mistral = [2.943329, 2.774211, 4.137541]

  it.each<[string, string, Edit[], [string, string][], number[]]>([
    [
      'the class of model_type has bos',
      'gemma',
      [['tokenizer_config.json'], ['special_tokens_map.json']],
      pairs,
      gemma,
    ],
    [
      'an id is left out',
      'mistral',
      [['tokenizer.json', ['model', 'vocab', '。']]],
      pairs,
      mistral,
    ],
    [
      'an id is left out, and tokenizer.json counts',
      'mistral',
      [
        ['tokenizer.json', ['model', 'vocab', '。']],
        ['tokenizer_config.json', ['add_prefix_space']],
      ],
      pairs,
      mistral,
    ],
    [
      'special tokens are split',
      'xlm-roberta-514',
      [['tokenizer_config.json', ['split_special_tokens'], true]],
      marked,
      [7.860009, 6.023396, 8.0318],
    ],
    [
      'the class builds the pair without a post-processor',
      'xlm-roberta-514',
      [['tokenizer.json', ['post_processor'], null]],
      marked,
      [7.860009, 7.699883, 5.131572],
    ],
    [
      'RobertaProcessing',
      'xlm-roberta-514',
      [['tokenizer.json', ['post_processor'], { ...roberta, sep: ['</s>', 2], cls: ['<s>', 0] }]],
      marked,
      [7.860009, 7.699883, 5.131572],
    ],
  ])('%s', async (_name, base, edits, given, want) => {
    const reranker = await loadReranker(editedFolder(base, edits), { dtype: 'f32' })
    try {
      const scores = await reranker.computeScore(given)
      const far = scores.map((score, i) => Math.abs(score - (want[i] as number)))
      expect(far.every((difference) => difference <= 2e-4)).toBe(true)
    } finally {
      reranker.dispose()
    }
  })

  it.each<[string, Edit[]]>([
    ['no file names it', [['tokenizer_config.json'], ['special_tokens_map.json']]],
    [
      'it is no token',
      [
        ['tokenizer_config.json', ['bos_token'], '<start>'],
        ['tokenizer_config.json', ['tokenizer_class']],
      ],
    ],
    [
      'no file names it, and the class is not known',
      [
        ['tokenizer_config.json', ['bos_token']],
        ['tokenizer_config.json', ['tokenizer_class'], 'OtherTokenizer'],
      ],
    ],
  ])('never begin without bos unseen: %s', async (_name, edits) => {
    const folder = editedFolder('gemma', [...edits, ['config.json', ['model_type'], 'other']])
    const { bosId, bosIsKnown } = await Tokenizer.load(folder)
    expect({ bosId, bosIsKnown }).toEqual({ bosId: undefined, bosIsKnown: false })
    const reranker = await loadReranker(folder)
    try {
      await expect(reranker.computeScore(pairs)).rejects.toMatchObject({
        code: 'option-invalid',
        message: expect.stringContaining('names no bos_token'),
      })
    } finally {
      reranker.dispose()
    }
  })

  it('are refused where the class needs a token without a name', async () => {
    const edits: Edit[] = [['tokenizer_config.json', ['cls_token'], null]]
    const reranker = await FlagReranker.load(editedFolder('xlm-roberta-514', edits))
    try {
      await expect(reranker.computeScore(pairs)).rejects.toThrow('cls_token is null')
      expect(await reranker.computeScore(pairs, { inputs: 'plain' })).toHaveLength(3)
    } finally {
      reranker.dispose()
    }
  })
})
