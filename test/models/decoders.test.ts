import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Checkpoint, Config } from '../../src/checkpoint/index.ts'
import { Gpu } from '../../src/gpu/device.ts'
import { packBatch } from '../../src/models/batch.ts'
import { CausalModel, causalArchitectures } from '../../src/models/causal.ts'
import { WeightLoader } from '../../src/models/loader.ts'
import { MiniCpm, minicpmArchitecture, minicpmConfig } from '../../src/models/minicpm.ts'
import { openFolder } from '../../src/platform/server.ts'
import { Engine } from '../../src/rerankers/engine.ts'
import { RecordTape } from '../../src/tensor/tape.ts'
import { decoderFixtures, fixtureFolder, readFixtures } from '../fixtures.ts'
import { expectClose, withoutSubgroups } from '../tensor/harness.ts'

async function open(
  name: string,
  { plain = false, share = true, activations = 'f32' as 'f32' | 'f16' } = {},
) {
  const checkpoint = await Checkpoint.open(await openFolder(fixtureFolder(name)))
  const own = await Gpu.open()
  const gpu = plain ? withoutSubgroups(own) : own
  const loader = new WeightLoader(gpu, checkpoint, activations === 'f16' ? 'f16' : 'f32')
  const [architecture] = checkpoint.config.strings('architectures') as [string]
  const { yes_ids: yesIds = [] } = readFixtures(name).tokenizer
  const model =
    architecture === minicpmArchitecture
      ? new MiniCpm(minicpmConfig(checkpoint.config), loader)
      : new CausalModel(causalArchitectures[architecture]!(checkpoint.config), loader, yesIds[0]!)
  const engine = new Engine(gpu, model, activations, share)
  const layers = model instanceof MiniCpm ? model.scoredLayers : undefined
  await Promise.all([gpu.compile(engine.plan(64, layers).kernels), loader.load()])
  await checkpoint.close()
  return { gpu, model, engine, layers, dispose: () => own.dispose() }
}

/** The ids and scores, by layer, of every case, in both of the reference's forms. */
const casesOf = (name: string) =>
  readFixtures(name).cases.flatMap(({ flag, plain, settings }) =>
    [...(settings.normalize ? [] : [flag]), ...(plain ? [plain] : [])].map(
      ({ input_ids, score, scores }) => ({
        ids: Uint32Array.from(input_ids),
        scores: scores ? Object.values(scores) : [score],
      }),
    ),
  )

for (const name of decoderFixtures) {
  describe(name, () => {
    const cases = casesOf(name)

    it('has the hidden states of PyTorch after every layer', async () => {
      const { gpu, model, dispose } = await open(name)
      const found = readFixtures(name).cases.filter(({ id }) =>
        ['panda-bear', 'chinese'].includes(id),
      )
      expect(found).toHaveLength(2)
      for (const { id, flag, trace } of found) {
        const batch = packBatch([Uint32Array.from(flag.input_ids)])
        const { decoder } = model
        for (let layer = 0; layer <= decoder.layers; layer++) {
          const tape = new RecordTape(gpu, 'f32', id)
          let states: Promise<ArrayBuffer[]> | undefined
          for (const state of decoder.states(tape, batch, decoder.layers)) {
            if (state.layer !== layer) continue
            states = tape.read([
              decoder.scoredStates(tape, state.x, batch, layer === decoder.layers),
            ])
            break
          }
          const [bytes] = (await states) as [ArrayBuffer]
          const at = layer === 0 ? 'embeddings' : `layer.${layer - 1}`
          const expected = trace.find((entry) => entry.name === at)
          const row = new Float32Array(bytes).subarray(0, 8)
          expectClose(row, expected?.first ?? [], 5e-5, `${id}, ${at}`)
        }
      }
      dispose()
    })

    for (const plain of [false, true]) {
      it(`has the scores of PyTorch at every head, ${plain ? 'without subgroups' : 'own kernels'}`, async () => {
        const { engine, layers, dispose } = await open(name, { plain })
        expect(cases.length).toBeGreaterThan(100)
        const scores = await engine.score(
          cases.map(({ ids }) => ids),
          { layers },
        )
        cases.forEach((expected, i) => {
          const found = scores.map((layer) => layer[i]!)
          expectClose(found, expected.scores, 1e-4, `case ${i}`)
        })
        dispose()
      })
    }

    it('gives the same bits with and without shared prefixes, alone and together', async () => {
      const shared = await open(name)
      const apart = await open(name, { share: false })
      const { layers } = shared
      // Neighbours that begin alike: each case with its end cut and changed.
      const sequences = cases
        .slice(0, 30)
        .flatMap(({ ids }) => [ids, ids.slice(0, -3), ids.with(ids.length - 1, 5)])
      const { runs } = packBatch(sequences, true)
      expect(runs.filter(({ prefix }) => prefix).length).toBeGreaterThan(60)
      const together = await shared.engine.score(sequences, { layers })
      expect(await apart.engine.score(sequences, { layers })).toEqual(together)
      for (const i of [0, 1, 40, 80]) {
        const alone = await apart.engine.score([sequences[i]!], { layers })
        expect(alone.map(([score]) => score)).toEqual(together.map((scores) => scores[i]))
      }
      shared.dispose()
      apart.dispose()
    })

    it('comes close with f16 activations', async ({ skip }) => {
      const { gpu, engine, layers, dispose } = await open(name, { activations: 'f16' })
      if (!gpu.facts.shaderF16) return skip()
      const scores = await engine.score(
        cases.map(({ ids }) => ids),
        { layers },
      )
      cases.forEach((expected, i) => {
        expectClose(
          scores.map((layer) => layer[i]!),
          expected.scores,
          3e-2,
          `case ${i}`,
        )
      })
      dispose()
    })
  })
}

it('layers asked for one by one have the bits of all in one pass', async () => {
  const { engine, layers = [], dispose } = await open('minicpm-layerwise')
  const sequences = casesOf('minicpm-layerwise')
    .slice(0, 10)
    .map(({ ids }) => ids)
  const all = await engine.score(sequences, { layers })
  for (const [i, layer] of layers.entries()) {
    const [own] = await engine.score(sequences, { layers: [layer] })
    expect(own).toEqual(all[i])
  }
  expect(await engine.score(sequences, { layers: [6, 2, 6] })).toEqual([all[4], all[0], all[4]])
  dispose()
})

const published = () =>
  JSON.parse(readFileSync(join(fixtureFolder('minicpm-layerwise'), 'config.json'), 'utf8'))

it.each([
  ['simple', 4],
  ['raw', 1],
])('takes the config of a model with %s heads trained in %i parts', (head_type, pretraining_tp) => {
  const config = { ...published(), head_type, pretraining_tp }
  expect(minicpmConfig(new Config('config.json', config)).headType).toBe(head_type)
})

it.each(['raw', 'complex'])(
  'refuses split %s heads, whose scale the reference forgets',
  (head_type) => {
    const config = { ...published(), head_type, pretraining_tp: 2 }
    expect(() => minicpmConfig(new Config('config.json', config))).toThrow('pretraining_tp')
  },
)
