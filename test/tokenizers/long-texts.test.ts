import { describe, expect, it } from 'vitest'
import { fixtureJson, largeJson, Tokenizer } from './helpers.ts'

describe('long texts take time in proportion to their length', () => {
  const json = largeJson('xlm-roberta')
  const whole = { ...json, pre_tokenizer: { ...json.pre_tokenizer.pretokenizers[1], split: false } }
  // Neither of these cuts before the model; the last one cannot cut within it.
  const bpe = largeJson('mistral-v1')
  const uncut = { ...bpe, model: { ...bpe.model, byte_fallback: false } }
  const words = largeJson('bert-uncased')
  const long = { ...words.model, max_input_chars_per_word: 2 ** 30 }
  const oneWord = { ...words, pre_tokenizer: null, model: long }
  const composed = { ...words, normalizer: { type: 'NFC' } }
  // Byte-level BPE by GPT-2's expression, by Qwen2's, and without one.
  const bytes = largeJson('roberta-base')
  const byteWord = { ...bytes, pre_tokenizer: { ...bytes.pre_tokenizer, use_regex: false } }
  const qwen = fixtureJson('qwen3/model/tokenizer.json')
  const all = [json, whole, bpe, uncut, words, oneWord, composed, bytes, byteWord, qwen]
  const tokenizers = all.map((one) => Tokenizer.from(one))

  /** CPU time in milliseconds, which other programs on the machine do not lengthen. */
  const timeOf = (tokenizer: Tokenizer, text: string): number => {
    const before = process.cpuUsage()
    tokenizer.encode(text)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }

  // Engines sort marks in quadratic time; U+302E is one that BertNormalizer keeps.
  const marks = ['\u0301\u0323', '\u302E\u0301\u0323\u0591']
  it.each([
    'a',
    '一',
    ' ',
    '\n',
    ' \n',
    "'s",
    '1',
    '\u0301',
    '\u{1F600}',
    'ﬁ',
    '\u{10FFFD}',
    'a ',
    ...marks,
  ])('runs of %j', (unit) => {
    for (const tokenizer of tokenizers) {
      const part = unit.repeat(20_000 / unit.length)
      const full = part.repeat(4)
      let [shorter, longer] = [Infinity, Infinity]
      // Four times the length: 4 where time is linear, 16 where it is quadratic. Some rounds more where it seems not to be.
      const isLinear = () => longer < 9 * shorter + 5
      for (let round = 0; round < 3 || (round < 9 && !isLinear()); round++) {
        shorter = Math.min(shorter, timeOf(tokenizer, part))
        longer = Math.min(longer, timeOf(tokenizer, full))
      }
      expect(isLinear(), `${longer} ms; ${shorter} ms for a quarter of it`).toBe(true)
    }
  })
})
