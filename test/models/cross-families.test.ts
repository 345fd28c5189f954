import { describe, expect, it } from 'vitest'
import { spearman } from '../../src/eval/correlation.ts'
import { packBatch } from '../../src/models/batch.ts'
import { RecordTape } from '../../src/tensor/tape.ts'
import { readCrossFixtures } from '../fixtures.ts'
import { expectClose } from '../tensor/harness.ts'
import { crossCasesOf, openModel } from './open-model.ts'

// The forward passes of the families whose reference is not a class of FlagEmbedding, on recorded ids. A case of some 4,400
// tokens is left out where a shorter one shows the same.

/** How the reference names the output of a layer. */
const layerNames: Readonly<Record<string, string>> = {
  qwen3: 'model.layers.',
  'qwen3-seq-cls': 'model.layers.',
  'mxbai-rerank-v2': 'model.layers.',
  'jina-xlmr': 'roberta.encoder.layers.',
  'gte-new': 'new.encoder.layer.',
  modernbert: 'model.layers.',
  'jina-bert': 'bert.encoder.layer.',
  'jina-bert-qk': 'bert.encoder.layer.',
  roberta: 'roberta.encoder.layer.',
  electra: 'electra.encoder.layer.',
  'bert-with-similarity': 'bert.encoder.layer.',
  'xlm-roberta-with-similarity': 'layer.',
  // Made without a tokenizer.
  'deberta-v2-embedding': 'deberta.encoder.layer.',
}

/**
 * How far logits may be off with f16 activations, where it is more than 1e-2. Rounding the results of one operation alone to f16
 * moves the logits by up to: JinaBERT, linear layers 2.7e-2, layer norms 2.3e-2, embeddings 1.1e-2; GTE, linear layers 1.6e-2,
 * attention 1.3e-2, rotary 0.9e-2; ModernBERT, linear layers and layer norms 1.5e-2 each; deberta-v2-embedding, embeddings 2.7e-2,
 * queries and keys 1.7e-2; ELECTRA at most 0.7e-2 by any one, and 1.2e-2 by all; the logit and 2.5 cosines together 1.06e-2.
 */
const f16Tolerances: Readonly<Record<string, number>> = {
  'gte-new': 5e-2,
  'jina-bert': 4e-2,
  modernbert: 2e-2,
  electra: 2e-2,
  'bert-with-similarity': 1.5e-2,
  'deberta-v2-embedding': 5e-2,
}

describe.each(Object.entries(layerNames))('%s', (name, layerName) => {
  const all = crossCasesOf(name)
  const cases = all.filter(({ ids }) => ids.length < 1500)

  it('has the hidden states of PyTorch after every layer', async () => {
    const { gpu, model, dispose } = await openModel(name)
    const { backbone } = model
    const traced = readCrossFixtures(`${name}/fixtures.json`).cases.filter(({ trace }) => trace)
    expect(traced.length).toBeGreaterThan(5)
    for (const { id, reference, trace = [] } of traced.slice(0, 3)) {
      const types = reference.token_type_ids && Uint8Array.from(reference.token_type_ids)
      const batch = packBatch([{ ids: Uint32Array.from(reference.input_ids), types }])
      for (let to = 0; to <= backbone.layers; to++) {
        const tape = new RecordTape(gpu, 'f32', id)
        let states: Promise<ArrayBuffer[]> | undefined
        for (const state of backbone.states(tape, batch, { to })) {
          if (state.layer === to) states = tape.read([state.scored()])
        }
        const [scored] = (await states)!.map((bytes) => new Float32Array(bytes))
        const at = to === 0 ? 'embeddings' : `${layerName}${to - 1}`
        const { first } = trace.find((entry) => entry.name === at)!
        expectClose(scored!.subarray(0, 8), first, 5e-5, `${id}, ${at}`)
      }
    }
    dispose()
  })

  it.each([false, true])('has the logits of PyTorch; without subgroups: %s', async (plain) => {
    const { score, dispose } = await openModel(name, { plain })
    expect(cases.length).toBeGreaterThan(50)
    // The kernels without subgroups take too long there for the longest.
    const scored = plain ? cases : all
    const [found] = await score(scored)
    scored.forEach(({ id, logit }, i) => {
      expectClose([found![i]!], [logit], 1e-4, id)
    })
    dispose()
  })

  it('gives the same bits alone and together', async () => {
    const { score, dispose } = await openModel(name)
    const [together] = await score(cases)
    for (const i of [0, 7, 23, 41]) {
      const [alone] = await score([cases[i]!])
      expect(alone![0], cases[i]!.id).toBe(together![i])
    }
    dispose()
  })

  it('comes close with f16 activations', async ({ skip }) => {
    const { gpu, score, dispose } = await openModel(name, { activations: 'f16' })
    if (!gpu.facts.shaderF16) return skip()
    const [found] = await score(cases)
    cases.forEach(({ id, logit }, i) => {
      expectClose([found![i]!], [logit], f16Tolerances[name] ?? 1e-2, id)
    })
    const order = spearman(
      found!,
      cases.map(({ logit }) => logit),
    )
    expect(order).toBeGreaterThan(0.999)
    dispose()
  })
})
