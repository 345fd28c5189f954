/**
 * The best matmul that this adapter is known to do: every linear kernel of dawnrank in the weight formats asked for,
 * on the shapes of the model. As a contestant its values are GFLOP/s.
 */
import { Gpu } from '../src/gpu/device.ts'
import { type LinearWeight, linear, linearBytes, linearKernels } from '../src/tensor/linear.ts'
import { PlanTape, RecordTape, type Tape } from '../src/tensor/tape.ts'
import type { Tensor } from '../src/tensor/tensor.ts'
import { serve } from './contestant.mjs'

type Dtype = LinearWeight['dtype']
type Shape = readonly [rows: number, inner: number, columns: number]

/** A submission has as many dispatches as take this long, so that its fixed costs do not count. */
const ENOUGH_MS = 50
const MOST_REPEATS = 256

/**
 * 1.0 in f16, a small normal number in f32, small numbers or a scale in int8 and int4: values do not matter, denormals
 * would.
 */
const FILLER = 0x3c003c00

function makeWeight(
  gpu: Gpu,
  kernel: LinearWeight['kernel'],
  dtype: Dtype,
  shape: readonly [columns: number, inner: number],
): LinearWeight {
  const bytes = linearBytes(kernel, dtype, shape)
  const block = gpu.memory.take(bytes, 'upload')
  gpu.device.queue.writeBuffer(block.buffer, 0, new Uint32Array(bytes / 4).fill(FILLER))
  return { name: 'matmul', shape, dtype, block, kernel }
}

/** The same layer several times over the same input. */
function repeat(tape: Tape, weight: LinearWeight, [rows, inner]: Shape, times: number): Tensor[] {
  const data = new Float32Array(rows * inner).fill(0.5)
  const x = tape.upload(data, [rows, inner], 'f32')
  return Array.from({ length: times }, () => linear(tape, x, { weight }))
}

/** Milliseconds of some dispatches of one shape, from recording to the end of the device's work. */
async function time(gpu: Gpu, weight: LinearWeight, shape: Shape, times: number): Promise<number> {
  const tape = new RecordTape(gpu, 'f32', 'matmul')
  await gpu.device.queue.onSubmittedWorkDone()
  const start = performance.now()
  const [output] = repeat(tape, weight, shape, times)
  if (output) await tape.read([{ ...output, shape: [1] }])
  return performance.now() - start
}

/** GFLOP/s of one shape. */
async function measure(gpu: Gpu, weight: LinearWeight, shape: Shape): Promise<number> {
  const [rows, inner, columns] = shape
  for (let times = 1; ; times *= 4) {
    const ms = await time(gpu, weight, shape, times)
    if (ms >= ENOUGH_MS || times >= MOST_REPEATS) {
      return (2 * rows * inner * columns * times) / ms / 1e6
    }
  }
}

serve(async ({ shapes, dtypes }: { shapes: Shape[]; dtypes: Dtype[] }) => {
  const gpu = await Gpu.open()
  const plans = dtypes.flatMap((dtype) =>
    linearKernels(gpu.facts, dtype).flatMap((kernel) =>
      shapes.map((shape) => {
        const [, inner, columns] = shape
        const name = `${kernel.shader} ${dtype} ${shape.join('x')}`
        const weight = makeWeight(gpu, kernel, dtype, [columns, inner])
        return { name, shape, weight }
      }),
    ),
  )
  const needed = new PlanTape(gpu, 'f32')
  for (const { weight, shape } of plans) repeat(needed, weight, shape, 1)
  await gpu.compile(needed.kernels)
  return {
    facts: {
      names: plans.map(({ name }) => name),
      plans: plans.map(({ shape, weight: { kernel, dtype } }) => {
        return { kernel: kernel.shader, dtype, shape: shape.join('x') }
      }),
    },
    run: async () => {
      const found: number[] = []
      for (const { weight, shape } of plans) found.push(await measure(gpu, weight, shape))
      return found
    },
  }
})
