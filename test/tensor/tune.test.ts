import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { forgetKernels, keepKernels, tunedKernels } from '../../src/gpu/tuned.ts'
import { linearKernel } from '../../src/tensor/linear.ts'
import { fastest, tune } from '../../src/tensor/tune.ts'

let cache: string
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'dawnrank-tune-'))
  vi.stubEnv('XDG_CACHE_HOME', cache)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(cache, { recursive: true })
})

const adapter = { vendor: 'Mesa', architecture: '', description: 'llvmpipe: Mesa 25.0.7 (LLVM)' }

describe('tuned kernels', () => {
  it('are kept for an adapter, and forgotten', async () => {
    expect(await tunedKernels(adapter)).toEqual({})
    const place = await keepKernels(adapter, { 'linear f16': 'linear_tiled 64x64' })
    // The version of the package, the adapter, the processor.
    expect(place.startsWith(join(cache, 'dawnrank', 'kernels-'))).toBe(true)
    expect(place).toMatch(/kernels-\d[\w.]*-mesa-llvmpipe-mesa-25\.0\.7-llvm[-\w.]*\.json$/)
    expect(await tunedKernels(adapter)).toEqual({ 'linear f16': 'linear_tiled 64x64' })
    expect(await tunedKernels({ ...adapter, vendor: 'Other' })).toEqual({})
    expect(await forgetKernels(adapter)).toBe(place)
    expect(await tunedKernels(adapter)).toEqual({})
  })

  it('are none where the file is no JSON or says something else', async () => {
    const place = await keepKernels(adapter, {})
    for (const [text, expected] of [
      ['{"kernels": {"linear f16"', {}],
      ['[]', {}],
      ['null', {}],
      ['{"kernels": {"a": 1, "b": "two"}}', { b: 'two' }],
    ] as const) {
      await writeFile(place, text)
      expect(await tunedKernels(adapter)).toEqual(expected)
    }
  })

  it('serve the next device of the adapter', async () => {
    const before = await Gpu.open()
    const name = linearKernel(before, 'f16', 64).name === 'linear_tiled 64x64' ? '128x128' : '64x64'
    await keepKernels(before.facts, { 'linear f16': `linear_tiled ${name}` })
    before.dispose()
    const after = await Gpu.open()
    expect(linearKernel(after, 'f16', 64).name).toBe(`linear_tiled ${name}`)
    after.dispose()
    const asked = await Gpu.open({ kernels: { 'linear f16': 'no such kernel' } })
    expect(() => linearKernel(asked, 'f16', 64)).toThrow('here it may be')
    asked.dispose()
  })
})

describe('fastest', () => {
  it('leaves the first kernel only for one that is clearly faster', () => {
    const measured = (operation: string, speeds: number[]) =>
      speeds.map((gflops, i) => ({ operation, kernel: `kernel ${i}`, gflops }))
    expect(fastest(measured('linear', [10, 10.9, 9]))).toEqual({ linear: 'kernel 0' })
    expect(fastest([...measured('linear', [10, 9, 12]), ...measured('other', [1])])).toEqual({
      linear: 'kernel 2',
      other: 'kernel 0',
    })
  })
})

describe('tune', () => {
  it('stops when it is told to, and keeps nothing', async () => {
    const controller = new AbortController()
    const running = tune({ signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 300)
    await expect(running).rejects.toThrow('enough')
    await expect(readFile(join(cache, 'dawnrank'))).rejects.toThrow('ENOENT')
  })
})
