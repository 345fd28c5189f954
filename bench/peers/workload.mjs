// @ts-check
// The texts of the benchmark: questions with passages cut to seeded lengths, as a first stage would give them.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const workloadSeed = 20261123
const shortest = 24
const longest = 256
/** Lognormal lengths: about 94 tokens in the mean. */
const median = 95
const spread = 0.6

/** @param {string} file of test/fixtures/beir */
function readText(file) {
  const path = fileURLToPath(new URL(`../../test/fixtures/beir/${file}`, import.meta.url))
  const data = readFileSync(path)
  return (file.endsWith('.gz') ? gunzipSync(data) : data).toString('utf8').trim()
}

/** @param {string} file of test/fixtures/beir */
const readRows = (file) =>
  readText(file)
    .split('\n')
    .map((line) => /** @type {{ _id: string, title?: string, text: string }} */ (JSON.parse(line)))

/**
 * Numbers in [0, 1) from a seed: the generator mulberry32.
 * @param {number} seed
 */
export function generator(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * A normally distributed number: the method of Box and Muller.
 * @param {() => number} random
 */
const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/**
 * The longest beginning of a text, cut between words, that makes a pair of at most `limit` tokens.
 * @param {string} text
 * @param {number} limit
 * @param {(passage: string) => number} countTokens
 */
function cutTo(text, limit, countTokens) {
  const words = text.split(' ')
  let fits = 1
  let fails = words.length + 1
  while (fails - fits > 1) {
    const middle = (fits + fails) >> 1
    if (countTokens(words.slice(0, middle).join(' ')) <= limit) fits = middle
    else fails = middle
  }
  return words.slice(0, fits).join(' ')
}

/**
 * The same pairs on every machine, with their ids, and the token types where the tokenizer gives any.
 * @param {{
 *   encode: (text: string) => ArrayLike<number>,
 *   encodePair: (query: string, passage: string) => ArrayLike<number>,
 *   pairTypes: (query: number, passage: number, by: 'template') => ArrayLike<number> | undefined,
 * }} tokenizer
 * @param {number} count how many
 * @returns {{ pairs: [string, string][], ids: number[][], types?: number[][] }}
 */
export function makeWorkload(tokenizer, count = 32) {
  const queries = readRows('squad-dev-hard/queries.jsonl')
  const passages = readRows('squad-dev-hard/corpus.jsonl.gz')
  const random = generator(workloadSeed)
  /** @template T @param {T[]} list */
  const pick = (list) => /** @type {T} */ (list[Math.floor(random() * list.length)])
  /** @type {[string, string][]} */
  const pairs = []
  while (pairs.length < count) {
    const length = Math.round(median * Math.exp(spread * normal(random)))
    const limit = Math.min(longest, Math.max(shortest, length))
    const query = pick(queries).text
    const text = `${pick(passages).text} ${pick(passages).text}`
    const passage = cutTo(text, limit, (part) => tokenizer.encodePair(query, part).length)
    pairs.push([query, passage])
  }
  const ids = pairs.map(([query, passage]) => Array.from(tokenizer.encodePair(query, passage)))
  const types = pairs.map(([query, passage]) => {
    const lengths = [query, passage].map((text) => tokenizer.encode(text).length)
    return Array.from(tokenizer.pairTypes(lengths[0] ?? 0, lengths[1] ?? 0, 'template') ?? [])
  })
  return types.some(({ length }) => length > 0) ? { pairs, ids, types } : { pairs, ids }
}

/**
 * Pairs of texts that are long enough to be cut to any number of tokens, the same on every machine.
 * @param {number} count how many
 * @param {number} words of each text at least
 * @returns {[string, string][]}
 */
export function makeLongPairs(count, words) {
  const passages = readRows('squad-dev-hard/corpus.jsonl.gz').map(({ text }) => text)
  let next = 0
  const longText = () => {
    let text = ''
    for (let found = 0; found < words; found = text.split(' ').length) {
      text += `${passages[next++ % passages.length]} `
    }
    return text
  }
  return Array.from({ length: count }, () => [longText(), longText()])
}

/**
 * A question and the passages that BM25 has for it, each cut to a number of tokens, the same on every machine.
 * @param {{ encode: (text: string) => ArrayLike<number> }} tokenizer
 * @param {{ count: number, limit: number }} options how many passages, and the most tokens of each
 * @returns {{ query: string, passages: string[] }}
 */
export function makeRanking(tokenizer, { count, limit }) {
  const run = readText('squad-dev-hard/bm25.trec').split('\n')
  const [id = ''] = run[0]?.split(' ') ?? []
  const wanted = run
    .map((line) => line.split(/\s+/))
    .filter(([query]) => query === id)
    .slice(0, count)
  const query = readRows('squad-dev-hard/queries.jsonl').find(({ _id }) => _id === id)
  const corpus = new Map(readRows('squad-dev-hard/corpus.jsonl.gz').map((row) => [row._id, row]))
  const passages = wanted.map(([, , passage = '']) =>
    cutTo(corpus.get(passage)?.text ?? '', limit, (part) => tokenizer.encode(part).length),
  )
  return { query: query?.text ?? '', passages }
}
