import { expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { matrixAttention } from '../../src/tensor/attention-matrix.ts'
import { matrixKernels } from '../../src/tensor/linear-matrix.ts'
import { expectClose } from '../tensor/harness.ts'
import { casesOf, openModel, spread } from './open-model.ts'

// Models by subgroup matrices, where the adapter has them, such as lavapipe of Mesa 26 (CONTRIBUTING.md). In processors other
// kernels come first: these are asked for.

/**
 * Where the order of sums turns the rounding of a result to f16, the score of this model moves by as much as f16 activations
 * move it at all (rms 4.6e-3 of 5.1e-3), so that the worst case of either kernel is chance: 0.9e-2 and 1.2e-2.
 */
const ofBert = 1.5e-2

it.for([
  ['xlm-roberta-514', 'f16', 16, 1e-2],
  ['bert', 'f16', 16, ofBert],
  ['gemma', 'f16', 32, 1e-2],
  ['gemma', 'bf16', 32, 1e-2],
  ['mistral', 'f16', 16, 1e-2],
] as const)(
  '%s in %s, heads of %i, has the scores of PyTorch, the same bits alone and together',
  { timeout: 600_000 },
  async ([name, dtype, headDim, tolerance], { skip }) => {
    const adapter = await Gpu.open()
    const kernel = matrixKernels(adapter.facts, dtype).at(-1)
    const [heads] = matrixAttention(adapter.facts, headDim)
    adapter.dispose()
    if (!kernel || !heads)
      return skip(`${adapter.facts.description}: no subgroup matrices for ${dtype}`)
    const kernels = { [`linear ${dtype}`]: kernel.name, [`attention ${headDim}`]: heads.name }
    const cases = casesOf(name)
    const options = { dtype, activations: 'f16' } as const
    const { gpu, score, dispose } = await openModel(name, { ...options, kernels })
    expect(gpu.choices.used).toMatchObject(kernels)
    const scores = await score(cases)
    for (const one of spread(cases, 12)) {
      const found = scores.map((layer) => layer[cases.indexOf(one)]!)
      expectClose(found, one.scores, tolerance, `${one.ids.length} tokens`)
    }
    for (const i of [0, 1, cases.length - 1]) {
      const alone = await score([cases[i]!])
      expect(alone.map(([first]) => first)).toEqual(scores.map((layer) => layer[i]))
    }
    dispose()
    const others = await openModel(name, options)
    const off = (found: readonly Float32Array[]) => {
      const errors = cases.flatMap((one, i) => found.map((layer, l) => layer[i]! - one.scores[l]!))
      return Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length)
    }
    expect(off(scores)).toBeLessThan(1.25 * off(await others.score(cases)))
    others.dispose()
  },
)
