import { describe, expect, it } from 'vitest'
import { packBatch } from '../../src/models/batch.ts'
import { RecordTape } from '../../src/tensor/tape.ts'
import { decoderFixtures, fixtureNames, readFixtures } from '../fixtures.ts'
import { expectClose } from '../tensor/harness.ts'
import { casesOf, openModel, spread } from './open-model.ts'

/**
 * How far hidden states may be off, and scores with f16 activations, relative to max(1, |value|). Rounding what the embedding
 * step of minicpm-layerwise gives, rows times scale_emb, to f16 moves its scores by 4e-3; in the others these products are f16
 * numbers already. Its norms (5e-3) and linear layers (5e-3) lose what they do in the others, and all together 1.4e-2. In
 * gemma2-lightweight rounding the norms before attention and MLP moves scores by 9e-3, queries, keys and values by 10e-3,
 * embeddings by 7e-3, all by 2.6e-2 (in these cases 1.2e-2). Rounding
 * queries and keys moves the scores of deberta-v2-variant by 1.4e-2, and of deberta-v2 by more in cases other than the few.
 */
const tolerances: Readonly<Record<string, { states: number; f16: number }>> = {
  ...Object.fromEntries(fixtureNames.map((name) => [name, { states: 2e-5, f16: 1e-2 }])),
  bert: { states: 2e-5, f16: 1e-2 },
  'deberta-v2': { states: 2e-5, f16: 1e-2 },
  'deberta-v2-variant': { states: 2e-5, f16: 1.5e-2 },
  ...Object.fromEntries(decoderFixtures.map((name) => [name, { states: 5e-5, f16: 1e-2 }])),
  'minicpm-layerwise': { states: 5e-5, f16: 1.5e-2 },
  'gemma2-lightweight': { states: 5e-5, f16: 1.5e-2 },
}

function expectScores(
  scores: readonly Float32Array[],
  cases: readonly { readonly scores: readonly number[] }[],
  tolerance: number,
): void {
  for (const [i, expected] of cases.entries()) {
    const found = scores.map((layer) => layer[i]!)
    expectClose(found, expected.scores, tolerance, `case ${i}`)
  }
}

for (const [name, tolerance] of Object.entries(tolerances)) {
  describe(name, () => {
    const cases = casesOf(name)
    const few = spread(cases, 12)

    it('has the hidden states of PyTorch after every layer', async () => {
      const { gpu, model, dispose } = await openModel(name)
      const { backbone } = model
      const traced = readFixtures(name).cases.filter(({ id }) =>
        ['panda-bear', 'chinese'].includes(id),
      )
      expect(traced).toHaveLength(2)
      for (const { id, flag, trace } of traced) {
        const ids = Uint32Array.from(flag.input_ids)
        const types = flag.token_type_ids && Uint8Array.from(flag.token_type_ids)
        const batch = packBatch([{ ids, types }])
        for (let to = 0; to <= backbone.layers; to++) {
          const tape = new RecordTape(gpu, 'f32', id)
          let states: Promise<ArrayBuffer[]> | undefined
          for (const state of backbone.states(tape, batch, { to })) {
            if (state.layer === to) states = tape.read([state.scored(), state.x])
          }
          const [scored, every] = (await states)!.map((bytes) => new Float32Array(bytes))
          const at = to === 0 ? 'embeddings' : `layer.${to - 1}`
          // Recorded before the convolution, which is a part of our first layer.
          if (name === 'deberta-v2-variant' && to === 1) continue
          const { first } = trace.find((entry) => entry.name === at)!
          expectClose(scored!.subarray(0, 8), first, tolerance.states, `${id}, ${at}`)
          const row = backbone.causal ? ids.length - 1 : 0
          const { hidden } = backbone.config
          const own = every!.subarray(row * hidden, row * hidden + 8)
          expectClose(own, first, tolerance.states, `${id}, ${at}, among all tokens`)
        }
      }
      dispose()
    })

    it('has the scores of PyTorch at every head', async () => {
      const { score, dispose } = await openModel(name)
      expect(cases.length).toBeGreaterThan(60)
      expectScores(await score(cases), cases, 1e-4)
      dispose()
    })

    it('has them without subgroups', async () => {
      const { score, dispose } = await openModel(name, { plain: true })
      expectScores(await score(few), few, 1e-4)
      dispose()
    })

    it('gives the same bits alone and together, with and without shared prefixes', async () => {
      const { model, score, dispose } = await openModel(name)
      // Neighbours that begin alike: each case with its end cut and changed.
      const sequences = cases.slice(0, 30).flatMap(({ ids }) => {
        return [ids, ids.slice(0, -3), ids.with(ids.length - 1, 5)].map((own) => ({ ids: own }))
      })
      const together = await score(sequences)
      for (const i of [0, 1, 40, 80]) {
        const alone = await score([sequences[i]!])
        expect(alone.map(([first]) => first)).toEqual(together.map((scores) => scores[i]))
      }
      dispose()
      if (!model.backbone.causal) return
      const { runs } = packBatch(sequences, true)
      expect(runs.filter(({ prefix }) => prefix).length).toBeGreaterThan(60)
      const apart = await openModel(name, { share: false })
      expect(await apart.score(sequences)).toEqual(together)
      apart.dispose()
    })

    it('comes close with f16 activations, and has the same top result', async ({ skip }) => {
      const { gpu, score, dispose } = await openModel(name, { dtype: 'f16', activations: 'f16' })
      if (!gpu.facts.shaderF16) return skip()
      const scores = await score(few)
      expectScores(scores, few, tolerance.f16)
      for (const [layer, found] of scores.entries()) {
        const expected = few.map((one) => one.scores[layer]!)
        expect(found.indexOf(Math.max(...found))).toBe(expected.indexOf(Math.max(...expected)))
      }
      dispose()
    })
  })
}

it('scores f16 weights as they are stored', async () => {
  const { score, dispose } = await openModel('xlm-roberta-8194', { dtype: 'auto' })
  const cases = casesOf('xlm-roberta-8194')
  const [scores] = await score(cases)
  expectClose(
    scores!,
    cases.flatMap((expected) => expected.scores),
    1e-4,
    'scores',
  )
  dispose()
})

it('refuses ids, token types and sequences outside of the tables', async () => {
  const { score, dispose } = await openModel('xlm-roberta-514')
  const ids = Uint32Array.from([0, 1002])
  await expect(score([{ ids }])).rejects.toThrow("token id 1002; the model's table has 1002 rows")
  const types = Uint8Array.from([0, 1])
  await expect(score([{ ids: Uint32Array.from([0, 2]), types }])).rejects.toThrow(
    "token type 1; the model's table has 1 rows",
  )
  await expect(score([{ ids: new Uint32Array(513).fill(5) }])).rejects.toThrow(
    'a sequence of 513 tokens; the model has positions for 512',
  )
  expect((await score([{ ids: new Uint32Array(512).fill(5) }]))[0]).toHaveLength(1)
  dispose()
})

it('layers asked for one by one have the bits of all in one pass', async () => {
  const { score, layers, dispose } = await openModel('minicpm-layerwise')
  const sequences = casesOf('minicpm-layerwise').slice(0, 10)
  const all = await score(sequences)
  for (const [i, layer] of layers.entries()) {
    const [own] = await score(sequences, [layer])
    expect(own).toEqual(all[i])
  }
  expect(await score(sequences, [6, 2, 6])).toEqual([all[4], all[0], all[4]])
  dispose()
})
