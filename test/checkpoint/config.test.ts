import { describe, expect, it } from 'vitest'
import { Checkpoint, Config } from '../../src/checkpoint/index.ts'
import { openFolder } from '../../src/platform/server.ts'
import { expectFault, fixturePath, memoryFolder } from './folders.ts'

const config = new Config('config.json', {
  ...{ size: 64, eps: 1e-5, act: 'gelu', cache: true, dropout: null, big: 2 ** 53, half: 0.5 },
  ...{ architectures: ['A', 'B'], mixed: ['A', 1], id2label: { 0: 'x' }, rope: { theta: 1e4 } },
})

describe('Config', () => {
  it('gives values of their type', () => {
    expect(config.integer('size', { min: 64, max: 64 })).toBe(64)
    expect(config.number('eps', { min: 0 })).toBe(1e-5)
    expect(config.number('size')).toBe(64)
    expect(config.string('act')).toBe('gelu')
    expect(config.string('act', { allowed: ['relu', 'gelu'] })).toBe('gelu')
    expect(config.boolean('cache')).toBe(true)
    expect(config.strings('architectures')).toEqual(['A', 'B'])
    expect(config.size('id2label')).toBe(1)
    expect(config.size('architectures')).toBe(2)
    expect(config.section('rope')?.number('theta')).toBe(10000)
  })

  it('gives defaults for what is absent or null, and for nothing else', () => {
    expect(config.integer('none', { min: 5, default: 1 })).toBe(1)
    expect(config.number('dropout', { default: undefined })).toBeUndefined()
    expect(config.string('none', { default: 'x' })).toBe('x')
    expect(config.boolean('none', { default: false })).toBe(false)
    expect(config.strings('none', { default: [] })).toEqual([])
    expect(config.size('none', { default: 2 })).toBe(2)
    expect(config.section('none')).toBeUndefined()
    expect(config.integer('size', { default: 1 })).toBe(64)
    expect(() => config.integer('act', { default: 1 })).toThrow('"act" is "gelu"')
    expect([config.has('size'), config.has('dropout'), config.has('none')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it.each([
    [() => config.integer('none'), '"none" is missing; expected a whole number'],
    [() => config.integer('dropout'), '"dropout" is null; expected a whole number'],
    [() => config.integer('half'), '"half" is 0.5; expected a whole number'],
    [() => config.integer('big'), '"big" is 9007199254740992; expected a whole number'],
    [() => config.integer('act'), '"act" is "gelu"; expected a whole number'],
    [
      () => config.integer('size', { min: 65 }),
      '"size" is 64; expected a whole number of at least 65',
    ],
    [() => config.integer('size', { max: 63 }), 'expected a whole number of at most 63'],
    [() => config.integer('size', { min: 1, max: 9 }), 'expected a whole number from 1 to 9'],
    [() => config.number('half', { min: 1 }), '"half" is 0.5; expected a number of at least 1'],
    [() => config.number('id2label'), '"id2label" is an object; expected a number'],
    [() => config.string('size'), '"size" is 64; expected a string'],
    [() => config.string('act', { allowed: ['relu'] }), 'expected a string, one of "relu"'],
    [() => config.boolean('size'), '"size" is 64; expected true or false'],
    [() => config.strings('mixed'), '"mixed" is a list of 2; expected a list of strings'],
    [() => config.size('act'), '"act" is "gelu"; expected an object or a list'],
    [() => config.size('none'), '"none" is missing; expected an object or a list'],
    [() => config.section('act'), 'config.json > "act": found "gelu"; expected an object'],
    [() => config.section('rope')?.string('theta'), 'config.json > "rope": "theta" is 10000'],
  ])('names key, found and expected (%#)', async (ask, message) => {
    await expectFault(ask, 'config-invalid', 'config.json', message)
  })

  it('tells null from absence where that is asked', () => {
    const options = { default: 4096, null: 0 }
    expect(config.integer('dropout', options)).toBe(0)
    expect(config.integer('none', options)).toBe(4096)
    expect(config.boolean('dropout', { default: true, null: false })).toBe(false)
    expect(() => config.integer('none', { null: 0 })).toThrow('"none" is missing')
  })

  it('gives lists of whole numbers', () => {
    const lists = new Config('c', { ids: [3, 5], none: [], mixed: [1, 'a'], half: [0.5], one: 3 })
    expect(lists.integers('ids', { min: 3, max: 5 })).toEqual([3, 5])
    expect(lists.integers('none')).toEqual([])
    expect(lists.integers('absent', { default: [7] })).toEqual([7])
    const bounded = () => lists.integers('ids', { max: 4 })
    expect(bounded).toThrow('"ids" is a list of 2; expected a list of whole numbers of at most 4')
    for (const key of ['mixed', 'half', 'one', 'absent']) {
      expect(() => lists.integers(key), key).toThrow('expected a list of whole numbers')
    }
  })

  it('gives the keys of objects', () => {
    expect(config.keys('id2label')).toEqual(['0'])
    expect(config.keys('none', { default: undefined })).toBeUndefined()
    expect(() => config.keys('architectures')).toThrow(
      '"architectures" is a list of 2; expected an',
    )
  })

  it('knows what nothing asked for', () => {
    const rope = { theta: 1e4, factor: 2, type: null }
    const asked = new Config('c', { size: 1, act: 'x', none: null, rope, other: { a: 1 } })
    expect(asked.unread()).toEqual(['size', 'act', 'rope', 'other'])
    asked.integer('size')
    asked.has('act')
    asked.section('rope')?.number('theta')
    expect(asked.unread()).toEqual(['rope > factor', 'other'])
    asked.section('rope')?.number('factor')
    asked.keys('other')
    expect(asked.unread()).toEqual([])
  })

  it('keeps warnings, each once', () => {
    const warned = new Config('c', {})
    expect(warned.warnings).toEqual([])
    for (const text of ['a', 'b', 'a']) warned.warn(text)
    expect(warned.warnings).toEqual(['c: a', 'c: b'])
  })

  it('reads the numbers that Python writes and JSON has no words for', async () => {
    const text = '{"a":NaN,"b":[Infinity,{"c":-Infinity}],"d":"NaN","e":1}'
    const read = await Config.read(memoryFolder({ 'config.json': text }))
    expect(read?.raw).toEqual({ a: Number.NaN, b: [Infinity, { c: -Infinity }], d: 'NaN', e: 1 })
    expect(() => read?.number('a')).toThrow('"a" is NaN; expected a number')
  })

  it('does not take inherited properties for values', () => {
    const hostile = new Config('c', JSON.parse('{"__proto__":{"size":3},"a":1}'))
    expect(hostile.has('size')).toBe(false)
    expect(hostile.has('toString')).toBe(false)
    expect(hostile.size('__proto__')).toBe(1)
    expect(() => hostile.integer('constructor')).toThrow('"constructor" is missing')
  })

  it('refuses numbers beyond double precision', () => {
    const large = new Config('c', JSON.parse('{"x":1e999}'))
    expect(() => large.number('x')).toThrow('"x" is Infinity; expected a number')
  })

  it('quotes long texts in short', () => {
    const long = new Config('c', { x: 'y'.repeat(1e6) })
    const message = (() => {
      try {
        return String(long.integer('x'))
      } catch (fault) {
        return (fault as Error).message
      }
    })()
    expect(message).toMatch(/^c: "x" is "y{80}…"; expected a whole number$/)
  })

  it('reads the config.json of a folder', async () => {
    const folder = await openFolder(fixturePath('xlm-roberta-514'))
    const read = await Config.read(folder)
    expect(read?.strings('architectures')).toEqual(['XLMRobertaForSequenceClassification'])
    expect(read?.integer('max_position_embeddings', { min: 1 })).toBe(514)
    expect(read?.number('layer_norm_eps', { min: 0 })).toBe(1e-5)
    expect(read?.size('id2label')).toBe(1)
    expect(await Config.read(memoryFolder({}))).toBeUndefined()
  })

  it.each([
    ['', 'not JSON'],
    ['{"a":1', 'not JSON'],
    ['\ufeff{}', 'not JSON'],
    ['{"a":nan}', 'not JSON'],
    ['{"a":NaN,}', 'not JSON'],
    ['[]', 'found a list of 0; expected an object'],
    ['null', 'found null; expected an object'],
    ['"x"', 'found "x"; expected an object'],
    [Uint8Array.of(0x7b, 0xff, 0x7d), 'not UTF-8'],
    [' '.repeat(16 * 1024 * 1024 + 1), '16777217 bytes; expected at most 16777216'],
    ['['.repeat(100_000), 'not JSON'],
  ])('refuses a config.json that is no object (%#)', async (text, message) => {
    const folder = memoryFolder({ 'config.json': text })
    await expectFault(Checkpoint.open(folder), 'config-invalid', 'folder/config.json', message)
  })

  it('takes deep nesting', async () => {
    const text = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)},"b":1}`
    const read = await Config.read(memoryFolder({ 'config.json': text }))
    expect(read?.integer('b')).toBe(1)
    expect(() => read?.integer('a')).toThrow('"a" is a list of 1')
  })
})
