import { describe, expect, it } from 'vitest'
import { largeJson, Tokenizer } from './helpers.ts'

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
  const tokenizers = [json, whole, bpe, uncut, words, oneWord, composed].map((json) =>
    Tokenizer.from(json),
  )

  /** CPU time in milliseconds, which other programs on the machine do not lengthen. */
  const timeOf = (tokenizer: Tokenizer, text: string): number => {
    const before = process.cpuUsage()
    tokenizer.encode(text)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }

  // Engines sort marks in quadratic time; U+302E is one that BertNormalizer keeps.
  const marks = ['\u0301\u0323', '\u302E\u0301\u0323\u0591']
  it.each(['a', '一', ' ', '\u0301', '\u{1F600}', 'ﬁ', '\u{10FFFD}', 'a ', ...marks])(
    'runs of %j',
    (unit) => {
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
    },
  )
})
