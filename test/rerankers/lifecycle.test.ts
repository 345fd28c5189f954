import { cpSync, mkdtempSync, openAsBlob, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { webgpu } from '../../src/platform/server.ts'
import { FlagReranker } from '../../src/rerankers/index.ts'
import { countBuffers, fixtureFolder, openDevice, readFixtures } from '../fixtures.ts'

const folder = fixtureFolder('xlm-roberta-514')
const pairs = readFixtures('xlm-roberta-514')
  .cases.slice(0, 20)
  .map(({ query, passage }) => [query, passage])

const collectGarbage = globalThis.gc as () => void

describe('memory', () => {
  let device: GPUDevice
  let alive: { buffers: number; bytes: number }
  beforeAll(async () => {
    device = await openDevice()
    alive = countBuffers(device)
  })
  afterAll(() => device.destroy())

  it('does not grow over 200 calls, and goes back with dispose, ten times over', async () => {
    expect(collectGarbage, 'the tests run with --expose-gc').toBeTypeOf('function')
    const reranker = await FlagReranker.load(folder, { device })
    const first = await reranker.computeScore(pairs)
    const before = { ...alive }
    expect(before.buffers).toBeGreaterThan(50)
    for (let call = 0; call < 200; call++) {
      const scores = await reranker.computeScore(call % 2 === 0 ? pairs : pairs.slice(call % 19))
      expect(scores.at(-1)).toBe(first.at(-1))
      if (call % 50 === 0) collectGarbage()
    }
    expect(alive).toEqual(before)
    expect(reranker.info.memory).toMatchObject(before)
    reranker.dispose()
    expect(alive).toEqual({ buffers: 0, bytes: 0 })
    for (let turn = 0; turn < 10; turn++) {
      const again = await FlagReranker.load(folder, { device })
      expect(await again.computeScore(pairs)).toEqual(first)
      again.dispose()
      collectGarbage()
      expect(alive).toEqual({ buffers: 0, bytes: 0 })
    }
  })

  it('is given back where loading fails or is stopped', async () => {
    const broken = mkdtempSync(join(tmpdir(), 'dawnrank-'))
    try {
      cpSync(folder, broken, { recursive: true })
      const config = JSON.parse(readFileSync(join(broken, 'config.json'), 'utf8'))
      writeFileSync(
        join(broken, 'config.json'),
        JSON.stringify({ ...config, num_hidden_layers: 99 }),
      )
      await expect(FlagReranker.load(broken, { device })).rejects.toThrow(/encoder\.layer\.\d+/)
      expect(alive).toEqual({ buffers: 0, bytes: 0 })

      const stop = new AbortController()
      const stopped = FlagReranker.load(folder, {
        device,
        signal: stop.signal,
        onProgress: ({ done, total }) => {
          if (done > total / 2) stop.abort(new Error('no longer wanted'))
        },
      })
      await expect(stopped).rejects.toThrow('no longer wanted')
      expect(alive).toEqual({ buffers: 0, bytes: 0 })
    } finally {
      rmSync(broken, { recursive: true })
    }
  })

  it('leaves a device of the caller as it was', async () => {
    const reranker = await FlagReranker.load(folder, { device })
    reranker.dispose()
    const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.COPY_DST })
    device.queue.writeBuffer(buffer, 0, new Uint32Array(1))
    await device.queue.onSubmittedWorkDone()
    buffer.destroy()
  })
})

describe('the end of a reranker', () => {
  it('rejects pending and later calls once disposed of', async () => {
    const reranker = await FlagReranker.load(folder, { maxBatchTokens: 64 })
    const many = Array.from({ length: 500 }, () => ['panda', 'bear '.repeat(40)])
    const calls = [
      reranker.computeScore(many),
      reranker.computeScore(many),
      reranker.rank('a', ['b']),
    ]
    const settled = Promise.allSettled(calls)
    reranker.dispose()
    reranker.dispose()
    for (const result of await settled) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { name: 'GpuError', code: 'disposed' },
      })
    }
    const later = [reranker.computeScore(['a', 'b']), reranker.computeScore([])]
    for (const call of [...later, reranker.rank('a', [])]) {
      await expect(call).rejects.toMatchObject({ code: 'disposed' })
    }
  })

  it('rejects pending calls with a typed error when the device is lost, and loads again', async () => {
    const device = await openDevice()
    const reranker = await FlagReranker.load(folder, { device, maxBatchTokens: 64 })
    const many = Array.from({ length: 500 }, () => ['panda', 'bear '.repeat(40)])
    const pending = reranker.computeScore(many)
    pending.catch(() => {})
    device.destroy()
    await expect(pending).rejects.toMatchObject({ name: 'GpuError', code: 'device-lost' })
    await expect(reranker.computeScore(['a', 'b'])).rejects.toMatchObject({ code: 'device-lost' })
    reranker.dispose()
    const again = await FlagReranker.load(folder)
    expect(await again.computeScore(['a', 'b'])).toBeTypeOf('number')
    again.dispose()
  })

  it('is called by the disposal protocol', async () => {
    const reranker = await FlagReranker.load(folder)
    reranker[Symbol.dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose)]()
    await expect(reranker.computeScore(['a', 'b'])).rejects.toMatchObject({ code: 'disposed' })
  })
})

describe('errors of the device', () => {
  it('name the operation that caused them', async () => {
    const device = await openDevice()
    const reranker = await FlagReranker.load(folder, { device })
    // A weight that is gone, as a driver's fault would have it.
    const created = vi.spyOn(device, 'createBindGroup')
    const [buffer] = [
      device.createBuffer({ label: 'gone', size: 16, usage: GPUBufferUsage.STORAGE }),
    ]
    created.mockImplementationOnce((descriptor) => {
      const entries = [...descriptor.entries]
      entries[1] = { binding: 1, resource: { buffer } }
      buffer.destroy()
      created.mockRestore()
      return device.createBindGroup({ ...descriptor, entries })
    })
    const call = reranker.computeScore(['a longer query than before', 'and a passage '.repeat(30)])
    await expect(call).rejects.toMatchObject({ name: 'GpuError', code: 'operation-failed' })
    await expect(call).rejects.toThrow(/forward pass: .*gone/s)
    reranker.dispose()
    device.destroy()
  })

  it('say which option is wrong', async () => {
    await expect(FlagReranker.load(folder, { dtype: 'f64' as never })).rejects.toThrow(
      'dtype: found "f64"; expected "auto", "f32", "f16", "bf16"',
    )
    await expect(FlagReranker.load(folder, { maxBatchTokens: 0 })).rejects.toThrow(
      'maxBatchTokens: found 0',
    )
    await expect(FlagReranker.load('no/such/folder')).rejects.toThrow(
      'no/such/folder: does not exist',
    )
    const plain = await (await (await webgpu()).requestAdapter())!.requestDevice()
    await expect(FlagReranker.load(folder, { device: plain, activations: 'f16' })).rejects.toThrow(
      'no shader-f16',
    )
    await expect(
      FlagReranker.load(folder, { device: plain, maxBatchTokens: 2 ** 20 }),
    ).rejects.toThrow('Lower maxBatchTokens')
    plain.destroy()
  })
})

describe('where a model comes from', () => {
  it('may be a URL, or files by name, with the same scores', async () => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors']
    const files = Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, await openAsBlob(join(folder, name))] as const),
      ),
    )
    const places = [folder, new URL(`file://${folder}/`), files]
    const scores = []
    for (const place of places) {
      const reranker = await FlagReranker.load(place)
      scores.push(await reranker.computeScore(pairs))
      reranker.dispose()
    }
    expect(scores[1]).toEqual(scores[0])
    expect(scores[2]).toEqual(scores[0])
  })
})

describe('profile', () => {
  it('tells the time of each operation', async ({ skip }) => {
    const gpu = await Gpu.open()
    gpu.dispose()
    if (!gpu.facts.timestamps) return skip()
    const reranker = await FlagReranker.load(folder, { profile: true })
    await reranker.computeScore(pairs)
    expect(reranker.profile()).toMatch(
      /linear_\w+ +roberta\.encoder\.layer\.\*\.intermediate\.dense +\d+ +[\d.]+/,
    )
    reranker.dispose()
  })
})
