import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { RecordTape } from '../../src/tensor/tape.ts'

describe('the arena', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await Gpu.open()
  })
  afterAll(() => gpu.dispose())

  it('throws where a block is released twice, which would then serve two tensors', () => {
    const { memory } = gpu
    for (const purpose of ['activation', 'upload'] as const) {
      const block = memory.acquire(1000, purpose)
      memory.release(block)
      expect(() => memory.release(block)).toThrow(/internal: .* is released, but not acquired/)
      const [one, other] = [memory.acquire(1000, purpose), memory.acquire(1000, purpose)]
      expect(one).toBe(block)
      expect(other).not.toBe(block)
      memory.release(one)
      memory.release(other)
    }
    expect(memory.acquired).toBe(0)
  })

  it('frees what was kept once, however often its handle is released', () => {
    const { memory } = gpu
    const tape = new RecordTape(gpu, 'f32', 'test')
    const before = memory.used.buffers
    const kept = tape.keep(tape.tensor([100, 10]))
    tape.discard()
    expect(memory.acquired).toBe(0)
    expect(memory.used.buffers).toBe(before + 2)
    kept.release()
    kept.release()
    expect(memory.used.buffers).toBe(before + 1)
  })

  it('throws where a tensor of another tape is freed', () => {
    const tape = new RecordTape(gpu, 'f32', 'test')
    const tensor = tape.tensor([4])
    tape.scope([tensor], () => tape.tensor([4]))
    expect(() => tape.scope([tensor], () => tape.tensor([4]))).toThrow('not acquired')
    tape.discard()
  })

  it('has nothing left to free after its end', async () => {
    const own = await Gpu.open()
    const block = own.memory.acquire(1000, 'activation')
    own.dispose()
    own.memory.release(block)
    expect(own.memory.used).toEqual({ buffers: 0, bytes: 0 })
  })
})
