import { readdir, rm } from 'node:fs/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Gpu } from '../../src/gpu/device.ts'
import { checkedMatrices, keepChecked, keepKernels, tunedKernels } from '../../src/gpu/tuned.ts'
import { Embedder, Reranker } from '../../src/index.ts'
import { compareMatrices } from '../../src/inference/check-matrices.ts'
import { declareChecked } from '../../src/inference/first-check.ts'
import { attentionKernel } from '../../src/tensor/attention.ts'
import { matrixAttention } from '../../src/tensor/attention-matrix.ts'
import { linearKernel } from '../../src/tensor/linear.ts'
import { matrixKernels } from '../../src/tensor/linear-matrix.ts'
import type { LinearDtype } from '../../src/tensor/tensor.ts'
import { fixtureFolder } from '../fixtures.ts'
import { on, ownCache } from '../own-cache.ts'
import { withFacts } from '../tensor/harness.ts'

// Subgroup matrices are tested where the adapter has them, such as lavapipe of Mesa 26 (CONTRIBUTING.md).

/** A change that makes a shader wrong: what stands in a file, and what is there instead. */
type Change = readonly [file: string, from: string, to: string]

const broken = vi.hoisted(() => ({ by: [] as unknown as Change | [] }))
vi.mock('../../shaders/index.ts', async (original) => {
  const shaders = await original<typeof import('../../shaders/index.ts')>()
  const shaderText: typeof shaders.shaderText = async (name) => {
    const text = await shaders.shaderText(name)
    const [file, from = '', to = ''] = broken.by
    if (name !== file) return text
    expect(text).toContain(from)
    return text.replace(from, to)
  }
  return { ...shaders, shaderText }
})

const cache = ownCache()
afterEach(() => {
  broken.by = []
})

type Skip = (why: string) => never

/** Kernels for what processors compile in a short time, and those of a load that asks for them. */
async function kernelsHere(dtype: LinearDtype, headDim: number, skip: Skip) {
  return on({}, async ({ facts }) => {
    const linear = matrixKernels(facts, dtype).at(-1)
    const [heads] = matrixAttention(facts, headDim)
    if (!linear || !heads) return skip(`${facts.description}: no subgroup matrices`)
    return [
      [`linear ${dtype}`, linear.name],
      [`attention ${headDim}`, heads.name],
    ] as const
  })
}

describe('kernels of subgroup matrices', { timeout: 900_000 }, () => {
  it.for(['f16', 'bf16', 'int8', 'int4'] as const)(
    'agree with the others, %s weights, and leave no memory acquired',
    async (dtype, { skip }) => {
      const kernels = await kernelsHere(dtype, 16, skip)
      await on({}, async (gpu) => {
        const found = await compareMatrices(gpu, kernels)
        expect(found).toEqual(Object.fromEntries(kernels.map((kernel) => [kernel.join(' '), ''])))
        expect(gpu.memory.acquired).toBe(0)
      })
    },
  )

  it.for<[string, 0 | 1, Change]>([
    ['numbers of x 2 further', 0, ['linear_matrix', '(&a, (', '(&a, 2u + (']],
    ['weights 8 further', 0, ['linear_matrix', '(&b, (', '(&b, 8u + (']],
    [
      'a row of results too far, with few rows',
      0,
      ['linear_matrix', 'row + i / N,', 'row + i / N + select(0u, 1u, ROWS == 1u),'],
    ],
    ['one lane too few', 0, ['linear_matrix', 'var i = lane;', 'var i = max(lane, 1u);']],
    [
      'the scale of the next group',
      0,
      ['weight_chunk_int8', 'weight[group]', 'weight[group + 9u]'],
    ],
    ['queries 2 further', 1, ['attention_matrix', '(&queries, own', '(&queries, 2u + own']],
    ['weights 2 further', 1, ['attention_matrix', '(&weights, own', '(&weights, 2u + own']],
    [
      'values of another key',
      1,
      ['attention_matrix', '(&staged, $su * K', '(&staged, (STEPS - 1u - $su) * K'],
    ],
    ['sums that are not rescaled', 1, ['attention_matrix', '*= kept', '*= 1.0']],
    ['no mask', 1, ['attention_matrix', 'key < seen.y', 'key < end']],
    [
      'results that are not finite',
      1,
      ['attention_matrix', 'sum / total', 'sum / (total - total)'],
    ],
  ])('are caught: %s', async ([, which, change], { skip }) => {
    const dtype = change[0] === 'weight_chunk_int8' ? 'int8' : 'f16'
    const kernels = await kernelsHere(dtype, 16, skip)
    const [operation, kernel] = kernels[which]
    broken.by = change
    await on({}, async (gpu) => {
      const found = await compareMatrices(gpu, [[operation, kernel]])
      expect(found[`${operation} ${kernel}`]).toMatch(/are wrong: .* gives .* where .* gives /)
    })
  })

  it.for<[0 | 1, Change]>([
    [0, ['linear_matrix', 'var i = lane;', 'var i = missing;']],
    [1, ['attention_matrix', 'sum / total', 'sum / missing']],
  ])(
    'are caught where they do not compile, and the others are checked: %s',
    async ([which, change], { skip }) => {
      const kernels = await kernelsHere('f16', 16, skip)
      broken.by = change
      await on({}, async (gpu) => {
        const found = await compareMatrices(gpu, kernels)
        const [refused = '', right] = [which, 1 - which].map((at) => found[kernels[at]!.join(' ')])
        expect(refused).toMatch(
          new RegExp(`for ${kernels[which][0]}, shader ${change[0]} does not compile.*missing`),
        )
        expect(right).toBe('')
        expect(gpu.memory.acquired).toBe(0)
        expect(await compareMatrices(gpu, [kernels[which]])).toEqual({
          [kernels[which].join(' ')]: refused,
        })
      })
    },
  )
})

/** Declares what has a layer in f16 and heads of 16, and counts how often. */
function declaration() {
  const declare = vi.fn((gpu: Gpu) => [
    linearKernel(gpu, 'f16', 64, 'f16').name,
    attentionKernel(gpu, 16, 'f16').name,
  ])
  return declare
}

/** Has these kernels come first on the adapter, where processors have others. */
async function preferMatrices(skip: Skip): Promise<readonly string[]> {
  const kernels = await kernelsHere('f16', 16, skip)
  const tuned = Object.fromEntries(
    kernels.map(([operation, name]) => [`${operation} of f16`, name]),
  )
  await on({}, (gpu) => keepKernels(gpu.facts, tuned))
  return kernels.map(([, name]) => name)
}

const wrongRow: Change = ['attention_matrix', 'sum / total', 'sum / (total + total)']

describe('the first load with subgroup matrices', { timeout: 900_000 }, () => {
  it('checks once, and keeps the answer beside tuned kernels', async ({ skip }) => {
    const names = await preferMatrices(skip)
    const declare = declaration()
    await on({}, async (gpu) => {
      expect(await declareChecked(gpu, declare)).toEqual(names)
      expect(Object.values(await checkedMatrices(gpu.facts))).toEqual(['', ''])
      expect(Object.values(await tunedKernels(gpu.facts))).toEqual(names)
      expect(gpu.memory.acquired).toBe(0)
    })
    await on({}, async (gpu) => {
      const submit = vi.spyOn(gpu.device.queue, 'submit')
      expect(await declareChecked(gpu, declare)).toEqual(names)
      expect(submit).not.toHaveBeenCalled()
    })
    expect(declare).toHaveBeenCalledTimes(2)
  })

  it('leaves matrices out where one kernel is wrong, and at later loads', async ({ skip }) => {
    await preferMatrices(skip)
    broken.by = wrongRow
    const declare = declaration()
    const expectLeftOut = (gpu: Gpu, names: readonly string[]) => {
      expect(names.filter((name) => name.includes('_matrix'))).toEqual([])
      expect(gpu.facts.subgroupMatrices).toEqual([])
      const [warning, ...others] = gpu.choices.warnings('f16')
      expect(warning).toMatch(
        /attention_matrix for attention 16 gives .*report this.*matrices: false/,
      )
      expect([others, gpu.choices.warnings('f32')]).toEqual([[], []])
    }
    await on({}, async (gpu) => expectLeftOut(gpu, await declareChecked(gpu, declare)))
    expect(declare).toHaveBeenCalledTimes(2)
    broken.by = []
    await on({}, async (gpu) => expectLeftOut(gpu, await declareChecked(gpu, declare)))
    expect(declare).toHaveBeenCalledTimes(3)
    const asked = { kernels: { 'attention 16': 'attention_matrix' } }
    await on(asked, (gpu) =>
      expect(declareChecked(gpu, declare)).rejects.toThrow(/found "attention_matrix".*are wrong/),
    )
    await on({ matrices: false }, async (gpu) => {
      await declareChecked(gpu, declare)
      expect(gpu.choices.warnings('f16')).toEqual([])
    })
  })

  it('says so where the wrong kernel is asked for', async ({ skip }) => {
    await kernelsHere('f16', 16, skip)
    broken.by = wrongRow
    await on({ kernels: { 'attention 16': 'attention_matrix' } }, (gpu) =>
      expect(declareChecked(gpu, declaration())).rejects.toThrow(
        /found "attention_matrix" for attention 16; here it may be .*are wrong: attention_matrix/,
      ),
    )
  })

  it('checks each time with DAWNRANK_TUNE=0, and keeps nothing', async ({ skip }) => {
    const kernels = Object.fromEntries(await kernelsHere('f16', 16, skip))
    vi.stubEnv('DAWNRANK_TUNE', '0')
    for (let load = 0; load < 2; load++) {
      await on({ kernels }, async (gpu) => {
        const submit = vi.spyOn(gpu.device.queue, 'submit')
        await declareChecked(gpu, declaration())
        expect(submit).toHaveBeenCalled()
      })
    }
    expect(await readdir(cache())).toEqual([])
  })

  it('checks each time where the adapter does not tell its driver', async ({ skip }) => {
    const kernels = Object.fromEntries(await kernelsHere('f16', 16, skip))
    await on({ kernels }, async (gpu) => {
      const facts = { ...gpu.facts, description: '' }
      await declareChecked(withFacts(gpu, { description: '' }), declaration())
      expect(await checkedMatrices(facts)).toEqual({})
    })
  })

  it('stops when it is aborted, keeps nothing and leaves nothing acquired', async ({ skip }) => {
    const kernels = Object.fromEntries(await kernelsHere('f16', 16, skip))
    await on({ kernels }, async (gpu) => {
      const early = declareChecked(gpu, declaration(), AbortSignal.abort())
      await expect(early).rejects.toThrow('abort')
      const controller = new AbortController()
      const late = declareChecked(gpu, declaration(), controller.signal)
      setTimeout(() => controller.abort(), 20)
      await expect(late).rejects.toThrow('abort')
      expect(gpu.memory.acquired).toBe(0)
    })
    expect(await readdir(cache())).toEqual([])
  })

  it('serves two loads at once', async ({ skip }) => {
    const names = await preferMatrices(skip)
    const load = () => on({}, (gpu) => declareChecked(gpu, declaration()))
    expect(await Promise.all([load(), load()])).toEqual([names, names])
    await on({}, async ({ facts }) => {
      expect(Object.values(await checkedMatrices(facts))).toEqual(['', ''])
      expect(Object.values(await tunedKernels(facts))).toEqual(names)
    })
  })

  it.for([
    ['Reranker', 'xlm-roberta-514'],
    ['Embedder', 'embed-bert-cls'],
  ] as const)('warns in info: %s', async ([kind, name], { skip }) => {
    const names = await preferMatrices(skip)
    const load = () =>
      kind === 'Reranker'
        ? Reranker.load(fixtureFolder(name), { activations: 'f16', dtype: 'f16' })
        : Embedder.load(fixtureFolder(name), { activations: 'f16', dtype: 'f16' })
    const kernelsOf = async () => {
      const model = await load()
      model.dispose()
      return model.info
    }
    const right = await kernelsOf()
    expect(right.warnings).toEqual([])
    expect(Object.values(right.kernels)).toEqual(expect.arrayContaining([...names]))
    await rm(cache(), { recursive: true })
    await preferMatrices(skip)
    broken.by = wrongRow
    const { warnings, kernels } = await kernelsOf()
    expect(warnings).toEqual([expect.stringContaining('attention_matrix for attention 16')])
    expect(JSON.stringify(kernels)).not.toContain('_matrix')
  })
})

it('checks nothing where no such kernel is in use', async () => {
  await on({}, async (gpu) => {
    const submit = vi.spyOn(gpu.device.queue, 'submit')
    const declare = declaration()
    await declareChecked(withFacts(gpu, { subgroupMatrices: [] }), declare)
    expect(declare).toHaveBeenCalledTimes(1)
    expect(submit).not.toHaveBeenCalled()
  })
  expect(await readdir(cache())).toEqual([])
})

it.each([
  ['right', '', 1],
  ['wrong', 'they are wrong', 2],
])('takes what an earlier check found: %s', async (_, found, times) => {
  await on({}, async (gpu) => {
    const declare = vi.fn(({ choices }: Gpu) =>
      choices.pick('linear f16', [{ name: 'linear_matrix 64x64' }]),
    )
    const { maxInvocations, maxWorkgroupMemory } = gpu.facts
    const limits = `${maxInvocations} invocations, ${maxWorkgroupMemory} bytes`
    await keepChecked(gpu.facts, { [`linear f16 linear_matrix 64x64, ${limits}`]: found })
    await declareChecked(gpu, declare)
    expect(declare).toHaveBeenCalledTimes(times)
    expect(gpu.choices.warnings('f16')).toEqual(found ? [found] : [])
  })
})
