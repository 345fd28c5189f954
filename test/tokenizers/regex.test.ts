/**
 * Regular expressions cut texts where Oniguruma does in Hugging Face's tokenizers, and in linear time whatever they are;
 * the cases are recorded by test/fixtures/tokenizers/make_expressions.py.
 */
import { describe, expect, it } from 'vitest'
import { unitsOf } from '../../src/tokenizers/buffers.ts'
import type { Find } from '../../src/tokenizers/find.ts'
import { findRegex } from '../../src/tokenizers/regex.ts'
import { fixtureJson, TokenizerError } from './helpers.ts'

interface Case {
  readonly source: string
  /** null stands for `every`. */
  readonly texts: readonly string[] | null
  /** Where each text is cut, the end included. */
  readonly ends: readonly (readonly number[])[]
}

const { every, cases } = fixtureJson('tokenizers/expressions.json.gz') as {
  every: string[]
  cases: Case[]
}

/** The ends of the matches and of what is between them. */
function endsOf(find: Find, text: string): number[] {
  const found: number[] = []
  find(unitsOf(text), 0, text.length, found)
  const ends = new Set([...found, text.length])
  ends.delete(0)
  return [...ends].sort((a, b) => a - b)
}

it('400 expressions', () => {
  const refused = new Map<string, number>()
  for (const { source, texts, ends } of cases) {
    try {
      const find = findRegex(source)
      const got = (texts ?? every).map((text) => [source, text, endsOf(find, text)])
      expect(got).toEqual((texts ?? every).map((text, i) => [source, text, ends[i]]))
    } catch (fault) {
      if (!(fault instanceof TokenizerError)) throw fault
      const why = fault.message.replace(/ at \d+$/, '')
      refused.set(why, (refused.get(why) ?? 0) + 1)
    }
  }
  // Random expressions alone are refused.
  expect(Object.fromEntries(refused)).toEqual({
    'an expression that may match nothing': 90,
    'repetition of what may be empty': 46,
    'an expression with over 512 states': 8,
  })
})

describe('time in proportion to the length of the text', () => {
  // Backtracking takes quadratic or exponential time with most of these.
  it.each([
    ...[
      '(a+)+$',
      '(?:a|aa)+b',
      '(?:a|a)+b',
      '(?:a+)+(?:b+)+c',
      'a+b|a',
      '(?=(?:a|b)+c)a',
      '(?:a|b)*?c',
    ],
    ...['\\s+(?!\\S)|\\s+x', '\\s*[\\r\\n]+', '[^c]+c|a', '(?:(?!a+c)a)+'],
  ])('%s', (source) => {
    const find = findRegex(source)
    const began = performance.now()
    for (const unit of ['a', 'ab', ' ', ' \n'])
      for (const end of ['', 'x']) {
        const text = unit.repeat(50_000) + end
        endsOf(find, text)
      }
    expect(performance.now() - began).toBeLessThan(3000)
  })

  it('an expression itself', () => {
    const began = performance.now()
    const sources = [
      '(?:[ab]{20}a){9}',
      '[ab]{100}a',
      '(?:(?!x)|(?!y))'.repeat(100),
      '(?:a|b|[a-c]|.)'.repeat(60),
    ]
    for (const source of sources) expect(() => findRegex(source)).toThrow(TokenizerError)
    expect(performance.now() - began).toBeLessThan(3000)
  })
})
