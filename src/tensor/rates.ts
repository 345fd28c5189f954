import type { Gpu } from '../gpu/device.ts'
import { attentionKernel } from './attention.ts'
import { linearKernel } from './linear.ts'
import type { LinearDtype } from './tensor.ts'
import {
  type AttentionShape,
  attentionTask,
  type LinearShape,
  linearTask,
  type Measured,
  measure,
  prepare,
} from './tune.ts'

/** What the kernel in use reaches at a shape. */
export interface Rate extends Measured {
  readonly shape: string
}

const rounds = 3

/**
 * GFLOP/s of the kernels in use, at shapes of linear layers with weights and activations of these dtypes, and of attention; the
 * best of three.
 */
export async function measureRates(
  gpu: Gpu,
  { dtype, activations }: { dtype: LinearDtype; activations: 'f32' | 'f16' },
  { linear, attention }: { linear: readonly LinearShape[]; attention: readonly AttentionShape[] },
  signal?: AbortSignal,
): Promise<Rate[]> {
  const layers = linear.map((shape) => {
    const kernel = linearKernel(gpu, dtype, shape[1], activations)
    const named = { operation: `linear ${dtype}`, kernel: kernel.name, shape: shape.join('x') }
    return { ...named, task: () => linearTask(gpu, kernel, dtype, shape, activations) }
  })
  const heads = attention.map((shape) => {
    const operation = `attention ${shape.headDim}`
    const kernel = attentionKernel(gpu, shape.headDim, activations)
    const { sequences, length, heads } = shape
    const named = {
      operation,
      kernel: kernel.name,
      shape: `${sequences}x${length}, ${heads} heads`,
    }
    return { ...named, task: () => attentionTask(gpu, kernel, shape, activations) }
  })
  const rates: Rate[] = []
  for (const { task: make, ...named } of [...layers, ...heads]) {
    const task = make()
    await prepare(task)
    await measure(task)
    let gflops = 0
    for (let round = 0; round < rounds; round++) {
      signal?.throwIfAborted()
      gflops = Math.max(gflops, await measure(task))
    }
    rates.push({ ...named, gflops })
  }
  return rates
}
