/** Damaged files: a TokenizerError, or a tokenizer that works. */
import { describe, expect, it } from 'vitest'
import { type Json, mutateBytes, mutateJson, Random } from '../mutations.ts'
import {
  fixture,
  fixtureJson,
  modelFolder,
  readVariants,
  Tokenizer,
  TokenizerError,
  withCharsmap,
} from './helpers.ts'

const { sequence, plain, 'bpe-llama': bpe, 'wordpiece-added': wordpiece } = readVariants()

const sampleTexts = [
  '',
  'a b',
  ' é\u0301 <s> abc  ',
  '\r\n\u{1F600}\ud800',
  'xyz'.repeat(50),
  'ﬁ\u2126\u0301',
] as const

/** What a tokenizer must do whatever it was made of; the outcome for the tally. */
function use(tokenizer: Tokenizer): string {
  let outcome = 'works'
  for (const text of sampleTexts) {
    try {
      const ids = tokenizer.encode(text, { specialTokens: true })
      const pieces = tokenizer.pieces(ids)
      expect(pieces.length).toBe(ids.length)
      const { length } = tokenizer.encode(text)
      const pairLength = 2 * length + tokenizer.pairOverhead
      expect(tokenizer.encodePair(text, text).length).toBe(pairLength)
      const types = tokenizer.pairTypes(length, length, 'template')
      expect(types?.length ?? pairLength).toBe(pairLength)
    } catch (fault) {
      outcome = codeOf(fault)
    }
  }
  return outcome
}

/** The code of a TokenizerError with a message fit to be read; anything else is thrown on. */
function codeOf(fault: unknown): string {
  if (!(fault instanceof TokenizerError)) throw fault
  expect(fault.message.length).toBeLessThan(1000)
  return fault.code
}

async function outcomeOf(open: () => Tokenizer | Promise<Tokenizer>): Promise<string> {
  let tokenizer: Tokenizer
  try {
    tokenizer = await open()
  } catch (fault) {
    return codeOf(fault)
  }
  return use(tokenizer)
}

/** How often each outcome came over `count` seeds. */
async function tally(
  count: number,
  open: (random: Random) => () => Tokenizer | Promise<Tokenizer>,
) {
  const outcomes: Record<string, number> = {}
  for (let seed = 0; seed < count; seed++) {
    try {
      const outcome = await outcomeOf(open(new Random(seed)))
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
  }
  return outcomes
}

describe('mutations', () => {
  // A small one, of which every field is hit, and a real one, most of which is vocabulary and charsmap.
  const small: Json = sequence!.tokenizer
  const real: Json = fixtureJson('xlm-roberta-514/model/tokenizer.json')
  const pairs: Json = bpe!.tokenizer
  const realPairs: Json = fixtureJson('gemma/model/tokenizer.json')
  const words: Json = wordpiece!.tokenizer
  const realWords: Json = fixtureJson('bert/model/tokenizer.json')
  const bytes: Json = fixtureJson('jina-bert/model/tokenizer.json')
  const moreBytes: Json = fixtureJson('qwen3/model/tokenizer.json')

  it('1,000 of the structure of a tokenizer.json', async () => {
    const outcomes = await tally(1000, (random) => {
      const json = mutateJson(
        random.pick([small, real, pairs, realPairs, words, realWords, bytes, moreBytes]),
        random,
      )
      return () => Tokenizer.from(json)
    })
    expect(outcomes['tokenizer-invalid']).toBeGreaterThan(200)
    expect(outcomes['tokenizer-unsupported']).toBeGreaterThan(0)
    expect(outcomes.works).toBeGreaterThan(50)
  })

  it('1,000 of the bytes of a tokenizer.json', async () => {
    const jsons = [
      plain!.tokenizer,
      small,
      real,
      pairs,
      realPairs,
      words,
      realWords,
      bytes,
      moreBytes,
    ]
    const texts = jsons.map((json) => new TextEncoder().encode(JSON.stringify(json)))
    const outcomes = await tally(1000, (random) => {
      const damaged = mutateBytes(random.pick(texts), random)
      return () => Tokenizer.load(new Blob([damaged]))
    })
    expect(outcomes['tokenizer-invalid']).toBeGreaterThan(200)
    expect(outcomes.works).toBeGreaterThan(50)
  })

  it('1,000 of a charsmap', async () => {
    const bytes = Uint8Array.from(atob(fixtureJson('tokenizers/variants.json.gz').charsmap), (c) =>
      c.charCodeAt(0),
    )
    // Most of the trie is empty: damage the units in use.
    const used = [...new Uint32Array(bytes.buffer, 0, bytes.length >> 2).entries()].flatMap(
      ([i, unit]) => (unit ? [i] : []),
    )
    const outcomes = await tally(1000, (random) => {
      const damaged = random.below(4) === 0 ? mutateBytes(bytes, random) : bytes.slice()
      for (let n = random.below(4); n > 0; n--)
        damaged[4 * random.pick(used) + random.below(4)] = random.below(256)
      return () => Tokenizer.from(withCharsmap(plain!.tokenizer, damaged))
    })
    expect(outcomes['tokenizer-invalid']).toBeGreaterThan(200)
    expect(outcomes.works).toBeGreaterThan(200)
  })

  it('500 of SentencePiece models and their configs', async () => {
    const unigram = [
      fixture('xlm-roberta-514/model/sentencepiece.bpe.model'),
      fixtureJson('xlm-roberta-514/model/tokenizer_config.json'),
    ] as const
    const mistral = [
      fixture('mistral/model/tokenizer.model'),
      fixtureJson('mistral/model/tokenizer_config.json'),
    ] as const
    // Half of the mutations go where the pieces are, in front of the charsmap.
    const outcomes = await tally(500, (random) => {
      const [model, config] = random.pick([unigram, mistral])
      const kind = random.below(8)
      const front = random.below(2) ? 12_000 : model.length
      const head = mutateBytes(model.subarray(0, front), random)
      const damaged = new Uint8Array([...head, ...model.subarray(front)])
      return () =>
        kind === 0
          ? Tokenizer.load(modelFolder(model, mutateJson(config, random)))
          : Tokenizer.load(modelFolder(damaged, config))
    })
    expect(outcomes['tokenizer-invalid']).toBeGreaterThan(50)
    expect(outcomes.works).toBeGreaterThan(50)
  })
})
