import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { Pace } from '../../src/gpu/pace.ts'
import { linear, linearKernel } from '../../src/tensor/linear.ts'
import type { Tape } from '../../src/tensor/tape.ts'
import { activation, linearLayer, randomNumbers, runOn } from './harness.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

describe('a pass in several submits', () => {
  const [rows, width] = [5, 16]
  /** More than the uniform blocks of one page. */
  const layers = 300
  const flops = 2 * rows * width * width
  const chain = (tape: Tape) => {
    const kernel = linearKernel(gpu, 'f32', width)
    const layer = linearLayer(gpu, kernel, randomNumbers(1, width * width), [width, width], 'f32')
    const first = activation(tape, randomNumbers(2, rows * width), [rows, width])
    let x = linear(tape, first, layer)
    for (let i = 1; i < layers; i++)
      x = linear(tape, x, layer, { activation: 'tanh', scale: 1 + i / layers })
    return x
  }

  it.each([
    [1, layers],
    [7, Math.ceil(layers / 7)],
    [layers, 1],
  ])('has the same bits with %i operations a submit', async (operations, submits) => {
    const whole = await runOn(gpu, 'f32', chain)
    const submit = vi.spyOn(gpu.device.queue, 'submit')
    const pace = vi.spyOn(gpu.pace, 'submitFlops', 'get').mockReturnValue(operations * flops)
    try {
      expect(await runOn(gpu, 'f32', chain)).toEqual(whole)
      expect(submit).toHaveBeenCalledTimes(submits)
    } finally {
      submit.mockRestore()
      pace.mockRestore()
    }
  })
})

describe('Pace', () => {
  it('takes the rate from passes that took long enough, less the time that others held the device', () => {
    const pace = new Pace()
    const first = pace.submitFlops
    pace.note(1e9, 0, 19)
    expect(pace.submitFlops).toBe(first)
    pace.note(1e9, 100, 200)
    expect(pace.submitFlops).toBe((80 * 1e9) / 100)
    pace.note(1e9, 150, 250)
    expect(pace.submitFlops).toBe((80 * 1e9) / 50)
  })
})
