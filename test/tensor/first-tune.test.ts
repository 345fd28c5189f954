import { readdir } from 'node:fs/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { keepKernels, tunedKernels } from '../../src/gpu/tuned.ts'
import { clearlyFastest, tuneFirst } from '../../src/tensor/first-tune.ts'
import { linearKernels } from '../../src/tensor/linear.ts'
import { on, ownCache } from '../own-cache.ts'

/** A file, and a line at its end which some of its sizes do not meet. */
const refused = vi.hoisted(() => ({ by: ['', ''] }))
vi.mock('../../shaders/index.ts', async (original) => {
  const shaders = await original<typeof import('../../shaders/index.ts')>()
  const shaderText: typeof shaders.shaderText = async (name) => {
    const text = await shaders.shaderText(name)
    const [file, line] = refused.by
    return name === file ? `${text}\n${line}` : text
  }
  return { ...shaders, shaderText }
})

const cache = ownCache()
afterEach(() => {
  refused.by = ['', '']
})

it.each([
  [
    'one that is clearly faster each time',
    [
      [10, 12],
      [10, 15],
      [20, 23],
    ],
    1,
  ],
  [
    'not one that is slower once',
    [
      [10, 20],
      [10, 20],
      [10, 10.5],
    ],
    0,
  ],
  [
    'of two the faster',
    [
      [10, 12, 13],
      [10, 12, 14],
    ],
    2,
  ],
  ['not by one round alone', [[10, 20]], 0],
  ['the first where nothing was measured', [], 0],
])('takes %s', (_, measured, expected) => expect(clearlyFastest(measured)).toBe(expected))

describe('the first load on an adapter', () => {
  it('measures once, keeps the answer, and leaves no buffer of weights behind', async () => {
    const first = await on({}, async (gpu) => {
      await tuneFirst(gpu, 'f16', 'f32')
      const known = linearKernels(gpu.facts, 'f16').map(({ name }) => name)
      expect(known).toContain(gpu.choices.tuned['linear f16'])
      return gpu.choices.tuned
    })
    await on({}, async (gpu) => {
      expect(gpu.choices.tuned).toEqual(first)
      const submit = vi.spyOn(gpu.device.queue, 'submit')
      await tuneFirst(gpu, 'f16', 'f32')
      expect(submit).not.toHaveBeenCalled()
      // Another dtype was not measured yet, and does not touch the first.
      await tuneFirst(gpu, 'int8', 'f32')
      expect(await tunedKernels(gpu.facts)).toEqual({
        ...first,
        'linear int8': gpu.choices.tuned['linear int8'],
      })
    })
  })

  it.each([
    ['a kernel is asked for', { kernels: { 'linear f16': 'linear_tiled 64x64' } }, undefined],
    ['DAWNRANK_TUNE is 0', {}, '0'],
  ])('measures nothing where %s', async (_, options, tuneOf) => {
    vi.stubEnv('DAWNRANK_TUNE', tuneOf)
    await on(options, (gpu) => tuneFirst(gpu, 'f16', 'f32'))
    expect(await readdir(cache())).toEqual([])
  })

  it('takes over what another process kept meanwhile', async () => {
    await on({}, async (gpu) => {
      await keepKernels(gpu.facts, { 'linear f16': 'linear_subgroup 16x4' })
      await tuneFirst(gpu, 'f16', 'f32')
      expect(gpu.choices.tuned).toEqual({ 'linear f16': 'linear_subgroup 16x4' })
    })
  })

  it('leaves out a kernel that the driver does not compile', async () => {
    const [first, second] = await on({}, async ({ facts }) => linearKernels(facts, 'f16'))
    expect(first.name).toMatch(/^linear_subgroup .*x8$/)
    refused.by = ['linear_subgroup', 'const_assert COLS != 8u;']
    await on({}, async (gpu) => {
      await tuneFirst(gpu, 'f16', 'f32')
      expect(gpu.choices.tuned).toEqual({ 'linear f16': second?.name })
      expect(gpu.memory.acquired).toBe(0)
    })
  })

  it('keeps nothing where the driver compiles none', async () => {
    refused.by = ['linear_subgroup', 'const_assert false;']
    await on({}, (gpu) => tuneFirst(gpu, 'f16', 'f32'))
    expect(await readdir(cache())).toEqual([])
  })

  it('goes on without a folder that can be written', async () => {
    vi.stubEnv('XDG_CACHE_HOME', '/dev/null')
    await on({}, async (gpu) => {
      await tuneFirst(gpu, 'f16', 'f32')
      expect(gpu.choices.tuned).toHaveProperty('linear f16')
    })
  })

  it('stops when it is aborted, and keeps nothing', async () => {
    await on({}, async (gpu) => {
      await expect(tuneFirst(gpu, 'f16', 'f32', AbortSignal.abort())).rejects.toThrow('abort')
      expect(gpu.choices.tuned).toEqual({})
    })
    expect(await readdir(cache())).toEqual([])
  })
})
