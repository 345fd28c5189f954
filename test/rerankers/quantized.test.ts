import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Checkpoint, quantizeCheckpoint } from '../../src/checkpoint/index.ts'
import { readWhole } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { FlagReranker, loadReranker, type Reranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, readFixtures } from '../fixtures.ts'

const quantized = ['int8', 'int4'] as const

/** A model's folder in memory, quantized. */
async function quantizedFolder(
  path: string,
  dtype: (typeof quantized)[number],
): Promise<Record<string, Blob>> {
  const folder = await openFolder(path)
  const checkpoint = await Checkpoint.open(folder)
  const plan = quantizeCheckpoint(checkpoint, dtype)
  const pieces: Uint8Array<ArrayBuffer>[] = []
  for await (const piece of plan.pieces()) pieces.push(piece)
  await checkpoint.close()
  const files: Record<string, Blob> = {
    'config.json': new Blob([plan.config]),
    'model.safetensors': new Blob(pieces),
  }
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']) {
    files[file] = new Blob([(await readWhole(folder, file)) as Uint8Array<ArrayBuffer>])
  }
  return files
}

/** Short pairs of a fixture. */
const pairsOf = (name: string, count: number): [string, string][] =>
  readFixtures(name)
    .cases.filter(({ passage }) => passage.length > 0 && passage.length < 200)
    .slice(0, count)
    .map(({ query, passage }) => [query, passage])

// Weights in f32, f16 and bf16, in one file and in several; inner sizes of 64, and of 72 and 48, which fill no group.
const models = [
  'xlm-roberta-514',
  'mistral',
  'gemma',
  'minicpm-layerwise',
  'gemma2-lightweight',
] as const

describe.each(models)('%s', (name) => {
  const pairs = pairsOf(name, 4)
  it.each(quantized)(
    'quantized ahead to %s has the same bits as quantized at load',
    async (dtype) => {
      const path = fixtureFolder(name)
      const scoresOf = async (reranker: Reranker) => {
        const { info } = reranker
        const scores = await reranker.computeScore(pairs)
        reranker.dispose()
        expect(info.dtype).toBe(dtype)
        return { scores, weights: info.memory.weights }
      }
      const atLoad = await scoresOf(await loadReranker(path, { dtype }))
      const ahead = await scoresOf(await loadReranker(await quantizedFolder(path, dtype)))
      expect(ahead).toEqual(atLoad)
    },
  )
})

describe('the embedded model', () => {
  const pairs = pairsOf('xlm-roberta-514', 12)
  let exact: number[]
  let weights: number
  beforeAll(async () => {
    const reranker = await FlagReranker.load(undefined, { dtype: 'f16' })
    exact = await reranker.computeScore(pairs)
    weights = reranker.info.memory.weights
    reranker.dispose()
  })

  // Six layers of 4 x 384 x 384 and 2 x 384 x 1536 weights.
  const numbers = 6 * (4 * 384 * 384 + 2 * 384 * 1536)

  describe.each([
    // These pairs, whose scores go from -2.3 to 5.4, were off by 0.037 and 1.05 at most, by 0.010 and 0.48 in the mean;
    // 60 pairs of SQuAD by 0.044 and 1.38, 0.011 and 0.47.
    { dtype: 'int8', bits: 9, most: 0.08, mean: 0.03 },
    { dtype: 'int4', bits: 5, most: 1.6, mean: 0.8 },
  ] as const)('in $dtype', ({ dtype, bits, most, mean }) => {
    let reranker: FlagReranker
    let together: number[]
    beforeAll(async () => {
      reranker = await FlagReranker.load(undefined, { dtype, selfTest: true })
      together = await reranker.computeScore(pairs)
    })
    afterAll(() => reranker.dispose())

    it('scores near f16, not as it', () => {
      const off = together.map((score, i) => Math.abs(score - exact[i]!))
      expect(Math.max(...off)).toBeLessThan(most)
      expect(off.reduce((sum, one) => sum + one) / off.length).toBeLessThan(mean)
      expect(Math.min(...off)).toBeGreaterThan(0)
    })

    it(`has ${bits} bits for each weight of the layers on the device`, () => {
      expect(reranker.info.memory.weights).toBe(weights - (numbers * (16 - bits)) / 8)
    })

    it('gives a pair the same bits alone, and in reverse', async () => {
      const [reversed, ...alone] = await Promise.all([
        reranker.computeScore(pairs.toReversed()),
        ...pairs.map((pair) => reranker.computeScore(pair)),
      ])
      expect(reversed.toReversed()).toEqual(together)
      expect(alone).toEqual(together)
    })
  })
})

describe('dtype', () => {
  it('may not be another than that of a quantized folder', async () => {
    const folder = await quantizedFolder(fixtureFolder('xlm-roberta-514'), 'int8')
    await expect(FlagReranker.load(folder, { dtype: 'int4' })).rejects.toMatchObject({
      code: 'option-invalid',
      message:
        'dtype: found "int4"; blobs is quantized to int8. Leave it out, or load the folder that this one was made from',
    })
    const reranker = await FlagReranker.load(folder, { dtype: 'int8' })
    expect(reranker.info.dtype).toBe('int8')
    reranker.dispose()
  })

  it('names what there is', async () => {
    const load = FlagReranker.load(undefined, { dtype: 'int2' as 'int4' })
    await expect(load).rejects.toThrow(
      'dtype: found "int2"; expected "auto", "f32", "f16", "bf16", "int8", "int4"',
    )
  })
})
