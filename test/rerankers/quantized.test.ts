import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Checkpoint,
  type FloatDtype,
  isLayerMatrix,
  quantizeCheckpoint,
  safetensorsLayout,
  storedToF32,
} from '../../src/checkpoint/index.ts'
import { Embedder } from '../../src/embedders/index.ts'
import { blobFolder, readWhole } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import {
  FlagReranker,
  loadReranker,
  type ModelPlace,
  type Reranker,
} from '../../src/rerankers/index.ts'
import { fixtureFolder, readFixtures } from '../fixtures.ts'
import { safetensors } from '../mutations.ts'
import { dequantized } from '../tensor/harness.ts'

const quantized = ['int8', 'int4'] as const

/** A model's folder in memory, quantized. */
async function quantizedFolder(
  path: string,
  dtype: (typeof quantized)[number],
  words?: (typeof quantized)[number],
): Promise<Record<string, Blob>> {
  const folder = await openFolder(path)
  const checkpoint = await Checkpoint.open(folder)
  const plan = quantizeCheckpoint(checkpoint, dtype, words)
  const pieces: Uint8Array<ArrayBuffer>[] = []
  for await (const piece of plan.pieces()) pieces.push(piece)
  await checkpoint.close()
  const files: Record<string, Blob> = {
    'config.json': new Blob([plan.config]),
    'model.safetensors': new Blob(pieces),
  }
  for (const file of tokenizerFiles) {
    const bytes = await readWhole(folder, file)
    if (bytes) files[file] = new Blob([bytes])
  }
  return files
}

const tokenizerFiles = [
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'],
  ...['vocab.txt', 'tokenizer.model', 'sentencepiece.bpe.model', 'spm.model'],
  ...['vocab.json', 'merges.txt'],
]

/** Where a quantized folder's numbers stand for weights: all of them, or those of the words. */
const everywhere = () => true
const ofWords = (name: string) => !isLayerMatrix(name)

/** A quantized folder with the weights that its whole numbers stand for in f32, where `which` says so. */
async function dequantizedFolder(
  files: Record<string, Blob>,
  which: (name: string) => boolean,
): Promise<Record<string, Blob>> {
  const checkpoint = await Checkpoint.open(blobFolder(files))
  const { quantization, tensors, config } = checkpoint
  const floats = new Map<string, { shape: readonly number[]; values: Float32Array<ArrayBuffer> }>()
  const kept = new Map<string, Uint8Array<ArrayBuffer>>()
  const isOf = (name: string, end = '') => tensors.has(`${name}${end}`) && which(name)
  for (const info of tensors.values()) {
    const { name, dtype, shape } = info
    const bytes = await checkpoint.read(info)
    if (isOf(name, '.scales')) {
      const scales = tensors.get(`${name}.scales`)!
      const pairs = new Uint16Array((await checkpoint.read(scales)).buffer)
      const own = isLayerMatrix(name) ? quantization!.layers : quantization!.words!
      // Of the rows of four bits the last byte may be half full: the models' inner sizes are even.
      const inner = own === 'int8' ? shape[1]! : 2 * shape[1]!
      const values = Float32Array.from(dequantized({ numbers: bytes, scales: pairs }, inner, own))
      floats.set(name, { shape: [shape[0]!, inner], values })
    } else if (name.endsWith('.scales') && which(name.slice(0, -'.scales'.length))) {
      // Read with its numbers.
    } else if (which === everywhere && dtype !== 'i64') {
      floats.set(name, {
        shape,
        values: Float32Array.from(storedToF32(bytes, dtype as FloatDtype)),
      })
    } else kept.set(name, bytes)
  }
  await checkpoint.close()
  const entries = [
    ...Array.from(floats, ([name, { shape }]) => ({ name, dtype: 'f32' as const, shape })),
    ...Array.from(kept.keys(), (name) => tensors.get(name)!),
  ]
  const { header } = safetensorsLayout(entries)
  const data = [...floats.values()].map(({ values }) => new Uint8Array(values.buffer))
  const file = safetensors(
    header.subarray(8),
    new Uint8Array(Buffer.concat([...data, ...kept.values()])),
  )
  const { quantization_config: written, ...raw } = config.raw
  const { embedding_bits: _, ...older } = Object(written) as Record<string, unknown>
  const section = which === everywhere ? {} : { quantization_config: older }
  return {
    ...files,
    'config.json': new Blob([JSON.stringify({ ...raw, ...section })]),
    'model.safetensors': new Blob([file]),
  }
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
  'electra',
  'qwen3',
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

/** A pair of models' scores may be apart by so much of the larger of 1 and a score. */
function expectNear(found: readonly number[], expected: readonly number[], tolerance: number) {
  expect(found.length).toBe(expected.length)
  const off = found.map((score, i) => Math.abs(score - expected[i]!) / Math.max(1, Math.abs(score)))
  const far = off.filter((one) => !(one <= tolerance))
  expect(far, `${found} for ${expected}`).toEqual([])
}

// One of each kind of words: with positions, with types and of a width of their own, with neither; with a head that is theirs, one
// of its own, a difference of two, heads by layer; of two encoders.
const wordKinds = [
  ...['xlm-roberta-514', 'electra', 'modernbert', 'gemma', 'mistral', 'qwen3'],
  ...['minicpm-layerwise-gqa', 'xlm-roberta-with-similarity'],
]

const shortPairs: [string, string][] = [
  ['what is panda?', 'hi'],
  ['Wo liegt Paris?', 'Paris ist die Hauptstadt von Frankreich und liegt an der Seine.'],
]

/** The scores of short pairs, which must be the same in reverse. */
async function scoresOf(place: ModelPlace, dtype?: 'f32'): Promise<number[]> {
  const reranker = await loadReranker(place, { dtype })
  const scores = await reranker.computeScore(shortPairs)
  expect(await reranker.computeScore(shortPairs.toReversed())).toEqual(scores.toReversed())
  reranker.dispose()
  return scores
}

it.each(wordKinds)('%s in int8 scores as its dequantized weights do in f32', async (name) => {
  const files = await quantizedFolder(fixtureFolder(name), 'int8')
  const exact = await dequantizedFolder(files, everywhere)
  expectNear(await scoresOf(files), await scoresOf(exact, 'f32'), 1e-5)
})

it.each(['xlm-roberta-514', 'gemma', 'qwen3', 'xlm-roberta-with-similarity'])(
  '%s with words in int4 scores as its dequantized weights do in f32',
  async (name) => {
    const files = await quantizedFolder(fixtureFolder(name), 'int8', 'int4')
    const exact = await dequantizedFolder(files, everywhere)
    expectNear(await scoresOf(files), await scoresOf(exact, 'f32'), 1e-5)
  },
)

it.each(['xlm-roberta-514', 'gemma'])(
  '%s is read as it was written before words were quantized',
  async (name) => {
    const files = await quantizedFolder(fixtureFolder(name), 'int8')
    const older = await dequantizedFolder(files, ofWords)
    // Its words are in f16.
    expectNear(await scoresOf(older), await scoresOf(files), 2e-3)
  },
)

describe('damaged words', () => {
  const name = 'roberta.embeddings.word_embeddings.weight'
  const withConfig = async (files: Record<string, Blob>, edit: (section: object) => object) => {
    const config = JSON.parse(await files['config.json']!.text())
    const quantization_config = edit(config.quantization_config)
    return {
      ...files,
      'config.json': new Blob([JSON.stringify({ ...config, quantization_config })]),
    }
  }

  it.each<[string, string, string, (files: Record<string, Blob>) => Promise<Record<string, Blob>>]>(
    [
      [
        'a scale that is not a number',
        'weights-not-finite',
        `tensor "${name}.scales" has a scale or an offset that is infinite or not a number`,
        async (files) => {
          const checkpoint = await Checkpoint.open(blobFolder(files))
          const { start } = checkpoint.tensors.get(`${name}.scales`)!
          await checkpoint.close()
          const file = files['model.safetensors']!
          const parts = [file.slice(0, start), Uint8Array.of(0xc0, 0x7f), file.slice(start + 2)]
          return { ...files, 'model.safetensors': new Blob(parts) }
        },
      ],
      [
        'floats where the config says whole numbers',
        'tensor-dtype',
        `tensor "${name}" is stored as f32; expected u8`,
        async (files) =>
          withConfig(await dequantizedFolder(files, ofWords), (section) => ({
            ...section,
            embedding_bits: 8,
          })),
      ],
      [
        'whole numbers where the config says nothing',
        'tensor-dtype',
        `tensor "${name}" is stored as u8; expected f32, f16, bf16, f64`,
        (files) => withConfig(files, (section) => ({ ...section, embedding_bits: undefined })),
      ],
      [
        'other bits than the config says',
        'tensor-shape',
        `tensor "${name}" is [`,
        (files) => withConfig(files, (section) => ({ ...section, embedding_bits: 4 })),
      ],
    ],
  )('%s', async (_, code, message, damaged) => {
    const files = await damaged(await quantizedFolder(fixtureFolder('xlm-roberta-514'), 'int8'))
    const load = loadReranker(files)
    await expect(load).rejects.toMatchObject({ code })
    await expect(load).rejects.toThrow(message)
  })
})

describe('trained weights, of the embedded embedder', () => {
  const texts = pairsOf('xlm-roberta-514', 12).flat()
  let exact: Float32Array[]
  let weights: number
  beforeAll(async () => {
    using embedder = await Embedder.load(undefined, { dtype: 'f16' })
    exact = await embedder.embed(texts)
    weights = embedder.info.memory.weights
  })

  // Six layers of 4 x 384 x 384 and 2 x 384 x 1536 weights.
  const numbers = 6 * (4 * 384 * 384 + 2 * 384 * 1536)

  describe.each([
    // The cosines of these texts with their own vectors in f16 were at least 0.99968 and 0.9257.
    { dtype: 'int8', bits: 9, least: 0.9995 },
    { dtype: 'int4', bits: 5, least: 0.92 },
  ] as const)('in $dtype', ({ dtype, bits, least }) => {
    let embedder: Embedder
    let together: Float32Array[]
    beforeAll(async () => {
      embedder = await Embedder.load(undefined, { dtype })
      together = await embedder.embed(texts)
    })
    afterAll(() => embedder.dispose())

    it('has vectors near those of f16, not the same', () => {
      const cosines = together.map((vector, i) => embedder.similarity(vector, exact[i]!))
      expect(Math.min(...cosines)).toBeGreaterThan(least)
      expect(Math.max(...cosines)).toBeLessThan(1 - 1e-7)
    })

    it(`has ${bits} bits for each weight of the layers on the device`, () => {
      expect(embedder.info.memory.weights).toBe(weights - (numbers * (16 - bits)) / 8)
    })

    it('gives a text the same bits alone, and in reverse', async () => {
      const [reversed, ...alone] = await Promise.all([
        embedder.embed(texts.toReversed()),
        ...texts.map((text) => embedder.embed([text])),
      ])
      expect(reversed.toReversed()).toEqual(together)
      expect(alone.flat()).toEqual(together)
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
