import { describe, expect, it } from 'vitest'
import { defaultModel } from '../../src/cli/default-model.ts'
import type { Io } from '../../src/cli/io.ts'
import { Sink, session } from './helpers.ts'

const spanish = '¿Dónde se encuentra la ciudad de París?'
describe('the default model', () => {
  // A folder that is there stands for that of the English model.
  const models = { en: 'all-minilm-l6-v2' }
  const io = (stderr = new Sink()) => ({ stderr }) as unknown as Io
  const english = 'what is a panda?'

  it.each<[string, { queries: string[]; passages?: string[] }, boolean]>([
    ['an English query', { queries: [english] }, true],
    [
      'English passages, and those too short to tell',
      { queries: [english], passages: ['hi', 'The panda is a bear.'] },
      true,
    ],
    [
      'passages in two languages',
      {
        queries: [english],
        passages: ['The panda is a bear.', 'Der große Panda ist ein Bär aus China.'],
      },
      false,
    ],
    ['a German query', { queries: ['Wo lebt der große Panda?'] }, false],
    ['queries in two languages', { queries: [english, 'Wo lebt der große Panda?'] }, false],
    ['a query too short to tell', { queries: ['panda'] }, false],
    ['no query', { queries: [] }, false],
  ])('for %s', async (_, { queries, passages = [] }, isEnglish) => {
    const place = await defaultModel({}, io(), models).choose(() => ({ queries, passages }))
    if (isEnglish) expect(place).toMatch(/weights\/all-minilm-l6-v2\/?$/)
    else expect(place).toBeUndefined()
  })

  it('is that of the library while the folder of the English one is not there', async () => {
    const byDefault = defaultModel({}, io(), { en: 'nowhere' })
    expect(await byDefault.choose(() => ({ queries: [english], passages: [] }))).toBeUndefined()
  })

  it.each([
    { model: 'mine' },
    { recipe: 'FlagLLMReranker' },
    { cutoffLayer: 3 },
    { cascade: [{ layer: 4 }] },
  ] as const)('gives way to %j, without a warning', async (options) => {
    const stderr = new Sink()
    const byDefault = defaultModel(options, io(stderr), models)
    const asked = 'model' in options ? options.model : undefined
    expect(await byDefault.choose(() => ({ queries: [english], passages: [] }))).toBe(asked)
    await byDefault.warn(['Где находится Париж?'])
    expect(stderr.text).toBe('')
  })

  it('warns once, of a language in which it was measured to do harm', async () => {
    const stderr = new Sink()
    const byDefault = defaultModel({}, io(stderr), {})
    await byDefault.warn([
      english,
      'Где находится Париж?',
      'panda',
      'Où se trouve la tour Eiffel ?',
    ])
    expect(stderr.text).toBe('')
    await byDefault.warn([english, spanish])
    await byDefault.warn(['大熊猫是什么动物？'])
    expect(stderr.text).toBe(
      'dawnrank: warning: a query is in Spanish, in which the embedded xlm-roberta-6x384 ranks worse than BM25 (nDCG@10 0.953, BM25 0.960); name another model with --model\n',
    )
  })
})

describe('rerank', () => {
  const records = [
    { query: 'what is a panda?', passages: ['1', '2'] },
    { query: spanish, passage: '3' },
    { query: '大熊猫是什么动物？', passage: '4' },
  ]

  it('warns of the language of a query', async () => {
    const on = session()
    expect(await on.run('rerank', spanish, '1', '2')).toBe(0)
    expect(on.stderr.text).toContain('a query is in Spanish')
    expect(on.loads[0]?.place).toBeUndefined()
  })

  it('warns once of the languages of records', async () => {
    const on = session()
    on.stdin.end(records.map((record) => JSON.stringify(record)).join('\n'))
    expect(await on.run('rerank')).toBe(0)
    expect(on.stderr.text.match(/warning/g)).toHaveLength(1)
    expect(on.stdout.text.trim().split('\n')).toHaveLength(3)
  })

  it('does not of those of a model that is named', async () => {
    const on = session()
    expect(await on.run('rerank', '-m', 'mine', spanish, '1', '2')).toBe(0)
    expect(on.stderr.text).toBe('')
    expect(on.loads[0]?.place).toBe('mine')
  })
})
