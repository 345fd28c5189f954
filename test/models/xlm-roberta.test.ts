import { describe, expect, it } from 'vitest'
import { Checkpoint, Config } from '../../src/checkpoint/index.ts'
import { Gpu } from '../../src/gpu/device.ts'
import { packBatch } from '../../src/models/batch.ts'
import { type DtypeOption, WeightLoader } from '../../src/models/loader.ts'
import { XlmRoberta, xlmRobertaConfig } from '../../src/models/xlm-roberta.ts'
import { openFolder } from '../../src/platform/server.ts'
import { Engine } from '../../src/rerankers/engine.ts'
import { RecordTape } from '../../src/tensor/tape.ts'
import { fixtureFolder, fixtureNames, readFixtures } from '../fixtures.ts'
import { expectClose, withoutSubgroups } from '../tensor/harness.ts'

async function open(name: string, dtype: DtypeOption, activations: 'f32' | 'f16', plain = false) {
  const checkpoint = await Checkpoint.open(await openFolder(fixtureFolder(name)))
  const own = await Gpu.open()
  const gpu = plain ? withoutSubgroups(own) : own
  const loader = new WeightLoader(gpu, checkpoint, dtype)
  const model = new XlmRoberta(xlmRobertaConfig(checkpoint.config), loader)
  const engine = new Engine(gpu, model, activations)
  await Promise.all([gpu.compile(engine.plan(64).kernels), loader.load()])
  await checkpoint.close()
  return { gpu, model, engine, dispose: () => own.dispose() }
}

/** The largest difference to the reference over all cases, relative to max(1, |score|). */
async function worstDifference(engine: Engine, name: string): Promise<number> {
  const fixtures = readFixtures(name)
  const cases = fixtures.cases.flatMap(({ flag, plain, settings }) => [
    ...(settings.normalize ? [] : [flag]),
    ...(plain ? [plain] : []),
  ])
  expect(cases.length).toBeGreaterThan(100)
  const [scores] = (await engine.score(
    cases.map(({ input_ids }) => Uint32Array.from(input_ids)),
  )) as [Float32Array]
  const off = cases.map(
    ({ score }, i) => Math.abs((scores[i] as number) - score) / Math.max(1, Math.abs(score)),
  )
  return Math.max(...off)
}

for (const name of fixtureNames) {
  describe(name, () => {
    it('has the hidden states of PyTorch after every layer', async () => {
      const { gpu, model, dispose } = await open(name, 'f32', 'f32')
      const found = readFixtures(name).cases.filter(({ id }) =>
        ['panda-bear', 'chinese', 'exact-16'].includes(id),
      )
      expect(found).toHaveLength(3)
      for (const { id, flag, trace } of found) {
        const batch = packBatch([Uint32Array.from(flag.input_ids)])
        for (let layer = 0; layer <= model.config.layers; layer++) {
          const tape = new RecordTape(gpu, 'f32', id)
          let states: Promise<ArrayBuffer[]> | undefined
          for (const state of model.states(tape, batch)) {
            if (state.layer !== layer) continue
            states = tape.read([state.x])
            break
          }
          const [bytes] = (await states) as [ArrayBuffer]
          const row = new Float32Array(bytes).subarray(0, 8)
          const name = layer === 0 ? 'embeddings' : `layer.${layer - 1}`
          const expected = trace.find((entry) => entry.name === name)
          expectClose(row, expected?.first ?? [], 2e-5, `${id}, ${name}`)
        }
      }
      dispose()
    })

    it('has the scores of PyTorch: weights and activations in f32', async () => {
      const { engine, dispose } = await open(name, 'f32', 'f32')
      expect(await worstDifference(engine, name)).toBeLessThan(1e-4)
      dispose()
    })

    it('has the scores of PyTorch with the kernels of adapters without subgroups', async () => {
      const { engine, dispose } = await open(name, 'f32', 'f32', true)
      expect(await worstDifference(engine, name)).toBeLessThan(1e-4)
      dispose()
    })

    it('comes close with f16 activations', async ({ skip }) => {
      const { gpu, engine, dispose } = await open(name, 'f16', 'f16')
      if (!gpu.facts.shaderF16) return skip()
      expect(await worstDifference(engine, name)).toBeLessThan(1e-2)
      dispose()
    })
  })
}

it('scores f16 weights as they are stored', async () => {
  const { engine, dispose } = await open('xlm-roberta-8194', 'auto', 'f32')
  expect(await worstDifference(engine, 'xlm-roberta-8194')).toBeLessThan(1e-4)
  dispose()
})

it('refuses ids outside the vocabulary and sequences past the position table', async () => {
  const { engine, dispose } = await open('xlm-roberta-514', 'f32', 'f32')
  const score = (ids: number[]) => engine.score([Uint32Array.from(ids)])
  await expect(score([0, 1002])).rejects.toThrow(
    "token id 1002; the model's vocabulary has 1002 rows",
  )
  await expect(score(Array(513).fill(5))).rejects.toThrow(
    'a sequence of 513 tokens; the model has positions for 512',
  )
  expect((await score(Array(512).fill(5)))[0]).toHaveLength(1)
  dispose()
})

describe('config', () => {
  const published = {
    architectures: ['XLMRobertaForSequenceClassification'],
    hidden_size: 64,
    num_attention_heads: 4,
    intermediate_size: 128,
    num_hidden_layers: 2,
    vocab_size: 100,
    max_position_embeddings: 514,
    type_vocab_size: 1,
    layer_norm_eps: 1e-5,
    pad_token_id: 1,
    id2label: { 0: 'LABEL_0' },
  }
  const read = (change: Record<string, unknown>) =>
    xlmRobertaConfig(new Config('config.json', { ...published, ...change }))

  it('gives the sizes', () => {
    expect(read({})).toMatchObject({ hidden: 64, heads: 4, layers: 2, positions: 514, padId: 1 })
  })

  it.each([
    [{ id2label: { 0: 'a', 1: 'b', 2: 'c' } }, 'the model has 3 labels; a reranker has one'],
    [{ id2label: undefined }, 'the model has 2 labels'],
    [{ hidden_act: 'relu' }, 'hidden_act'],
    [{ position_embedding_type: 'relative_key' }, 'position_embedding_type'],
    [{ num_attention_heads: 5 }, 'hidden_size 64 with 5 heads'],
    [{ num_hidden_layers: 0 }, 'num_hidden_layers'],
    [{ vocab_size: '100' }, 'vocab_size'],
    [{ pad_token_id: 513 }, 'pad_token_id'],
  ])('refuses %o', (change, message) => {
    expect(() => read(change)).toThrow(message)
  })
})
