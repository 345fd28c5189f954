import { describe, expect, it } from 'vitest'
import { type ResolvedSettings, resolveSettings } from '../../src/rerankers/options.ts'
import { inputBuilder, type Template } from '../../src/rerankers/templates.ts'
import type { Tokenizer } from '../../src/tokenizers/index.ts'

// The lengths and the order of inputs, with a tokenizer of one token a letter. The recorded cases have real tokenizers.

interface Fake {
  readonly truncationSide?: 'left' | 'right'
  readonly bosId?: number | undefined
  readonly padId?: number
  readonly bosIsKnown?: boolean
}

const ids = (text: string) => Uint32Array.from(text, (letter) => letter.codePointAt(0)!)
const textOf = (found: Iterable<number>) => String.fromCodePoint(...found)

/** A tokenizer whose pairs are `<A|B>` by the template and `[A|B]` by the class; `^` is bos. It counts what it encodes. */
function tokenizerOf({ truncationSide = 'right', bosIsKnown = false, ...given }: Fake = {}) {
  const encoded: string[] = []
  const between = (open: string, close: string) => (a: Uint32Array, b: Uint32Array) =>
    ids(`${open}${textOf(a)}|${textOf(b)}${close}`)
  const fake = {
    encode: (text: string) => {
      encoded.push(text)
      return ids(text)
    },
    pairOverhead: 3,
    joinPair: between('<', '>'),
    buildPair: between('[', ']'),
    pairTypes: (a: number, b: number, framing: string) => [a, b, framing],
    pairPlaces: (a: number, b: number) => ({
      first: { start: 1, end: 1 + a },
      second: { start: 2 + a, end: 2 + a + b },
    }),
    bosId: '^'.codePointAt(0),
    padId: 0,
    truncationSide,
    bosIsKnown,
    ...given,
  }
  return { tokenizer: fake as unknown as Tokenizer, encoded }
}

const defaults = {
  name: 'a recipe',
  inputs: 'flag',
  maxLength: { flag: 12 },
  activation: 'identity',
  prompt: '?',
} as const

const settingsOf = (given: Partial<ResolvedSettings>): ResolvedSettings => ({
  ...resolveSettings(defaults, {}, {}),
  ...given,
})

const pair = (truncation: 'passage' | 'longest', framing: 'class' | 'template' = 'class') =>
  ({ form: 'pair', framing, truncation }) as const

const prompt = (suffixIsExtra: boolean, alwaysBos = true) =>
  ({
    form: 'prompt',
    parts: ['bos', 'query', { text: '/' }, 'passage', { text: '/' }, 'prompt'],
    limits: suffixIsExtra ? 'all and a suffix' : 'all before the suffix',
    alwaysBos,
  }) as const

/** What a template makes of two texts, as text, with a star where it was shortened. */
function built(
  template: Template,
  texts: string,
  given: Partial<ResolvedSettings> = {},
  fake?: Fake,
) {
  const [query, passage] = texts.split(' ') as [string, string]
  const { tokenizer } = tokenizerOf(fake)
  const found = inputBuilder(template, tokenizer, settingsOf(given))(query, passage)
  return `${textOf(found.ids)}${found.truncated ? '*' : ''}`
}

describe('a pair', () => {
  it.each([
    // The passage alone is shortened, to 12 with three special tokens.
    ['passage', 'abc 123456', {}, '[abc|123456]'],
    ['passage', 'abc 1234567', {}, '[abc|123456]*'],
    ['passage', 'abc 123456789012345', {}, '[abc|123456]*'],
    // The query has its own length.
    ['passage', 'abcdefghi 1', {}, '[abcdefghi|1]'],
    ['passage', 'abcdefghij 1', {}, '[abcdefghi|1]*'],
    ['passage', 'abcdef 12', { queryMaxLength: 4 }, '[abcd|12]*'],
    // As much as all of the passage would have to go: none does, beyond its own length.
    ['passage', 'abcdefgh 12', {}, '[abcdefgh|1]*'],
    ['passage', 'abcdefghi 12', {}, '[abcdefghi|12]'],
    ['passage', 'abcdefghi 123456789012345', {}, '[abcdefghi|123456789012]*'],
    // The longer one first.
    ['longest', 'abc 123456', {}, '[abc|123456]'],
    ['longest', 'abc 1234567', {}, '[abc|123456]*'],
    ['longest', 'abcdefg 123', {}, '[abcdef|123]*'],
    ['longest', 'abcdefgh 12345678', {}, '[abcd|12345]*'],
    ['longest', 'abcdefgh 1234567', {}, '[abcde|1234]*'],
    ['longest', 'abcd 12345678', {}, '[abcd|12345]*'],
    ['longest', 'abcde 12345678', { maxLength: 11 }, '[abcd|1234]*'],
    ['longest', 'abcde 12345678', { maxLength: 2 }, '[|]*'],
  ] as const)('shortened by %s: %s %j gives %s', (truncation, texts, given, expected) => {
    expect(built(pair(truncation), texts, given)).toBe(expected)
  })

  it('is shortened on the left where the tokenizer does so', () => {
    const left = { truncationSide: 'left' } as const
    expect(built(pair('passage'), 'abcdefghij 1', {}, left)).toBe('[bcdefghij|1]*')
    expect(built(pair('passage'), 'abc 123456789', {}, left)).toBe('[abc|456789]*')
  })

  it('is framed by the class or the template, with token types alike', () => {
    for (const [framing, expected] of [
      ['class', '[ab|1]'],
      ['template', '<ab|1>'],
    ] as const) {
      const template = pair('passage', framing)
      expect(built(template, 'ab 1')).toBe(expected)
      const build = inputBuilder(template, tokenizerOf().tokenizer, settingsOf({}))
      const { types, texts } = build('ab', '1')
      expect(types).toEqual([2, 1, framing])
      expect(texts).toEqual({ query: { start: 1, end: 3 }, passage: { start: 4, end: 5 } })
    }
  })

  it('has its instructions', () => {
    const query = { text: 'Q:', format: '{}{}' }
    const passage = { text: 'P:', format: '{1}{0}' }
    expect(built(pair('passage'), 'ab 1', { query, passage })).toBe('[Q:ab|1P:]')
  })
})

describe('a prompt', () => {
  it.each([
    // What comes before the suffix has 12 tokens, or 12 and as many as the suffix.
    [true, 'abc 123456789', {}, '^abc/123456789/?'],
    [true, 'abc 1234567890', {}, '^abc/123456789/?*'],
    [false, 'abc 1234567', {}, '^abc/1234567/?'],
    [false, 'abc 12345678', {}, '^abc/1234567/?*'],
    [true, 'abcdefghij 1', {}, '^abcdefghi/1/?*'],
    // The passage is shortened with what stands before it, unless both would go.
    [true, 'abcdefghi 12345678', {}, '^abcdefghi/123/?*'],
    [true, 'abcdefgh 123456', { maxLength: 8 }, '^abcdefgh//?*'],
    [true, 'abcdefgh 123456', { maxLength: 7 }, '^abcdefgh/123456/?'],
    [true, 'abcdefgh 123456', { maxLength: 5 }, '^abcdefgh/12345/?*'],
  ] as const)(
    'with more room by the suffix: %s: %s %j gives %s',
    (extra, texts, given, expected) => {
      expect(built(prompt(extra), texts, given)).toBe(expected)
    },
  )

  it('is shortened on the left where the tokenizer does so', () => {
    const left = { truncationSide: 'left' } as const
    expect(built(prompt(true), 'abc 12345678901', {}, left)).toBe('^abc2345678901/?*')
  })

  it.each([
    [false, {}, '^ab/1/?'],
    [true, {}, '^ab/1/?'],
    // The padding token too.
    [false, { padId: 94 }, 'ab/1/?'],
    [true, { padId: 94 }, '^ab/1/?'],
    [false, { bosId: undefined, bosIsKnown: true }, 'ab/1/?'],
  ] as const)('begins with bos, always: %s, of %j: %s', (always, fake, expected) => {
    expect(built(prompt(true, always), 'ab 1', {}, fake)).toBe(expected)
  })

  it('needs a bos where nothing says that there is none', () => {
    const fault = { code: 'option-invalid', message: expect.stringContaining('no bos_token') }
    for (const [always, bosIsKnown] of [
      [true, true],
      [true, false],
      [false, false],
    ] as const) {
      const build = () => built(prompt(true, always), 'ab 1', {}, { bosId: undefined, bosIsKnown })
      expect(build).toThrow(expect.objectContaining(fault))
    }
  })
})

it.each([pair('passage'), prompt(true)])('a query is encoded once in a row: $form', (template) => {
  const { tokenizer, encoded } = tokenizerOf()
  const build = inputBuilder(template, tokenizer, settingsOf({}))
  encoded.length = 0
  for (const [query, passage] of ['a1', 'a2', 'b2', 'a2']) build(query!, passage!)
  expect(encoded).toEqual(['a', '1', '2', 'b', '2', 'a', '2'])
})
