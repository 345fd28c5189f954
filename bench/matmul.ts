/**
 * The best matmul that this adapter is known to do: every linear kernel of dawnrank in the weight formats asked for,
 * on the shapes of the model. As a contestant its values are GFLOP/s.
 */
import { Gpu } from '../src/gpu/device.ts'
import { linearKernel, linearKernels } from '../src/tensor/linear.ts'
import type { LinearDtype } from '../src/tensor/tensor.ts'
import { type LinearShape, linearTask, measure, prepare } from '../src/tensor/tune.ts'
import { serve } from './contestant.mjs'

/** The kernel in use, and the first of every other shader. */
function oneOfEachShader(gpu: Gpu, dtype: LinearDtype, inner: number) {
  const kernels = [linearKernel(gpu, dtype, inner), ...linearKernels(gpu.facts, dtype)]
  return kernels.filter(({ shader }, i) => kernels.findIndex((one) => one.shader === shader) === i)
}

/** About as long as a forward pass, so that what disturbs the machine for a moment meets both alike. */
const leastMs = 500

serve(async ({ shapes, dtypes }: { shapes: LinearShape[]; dtypes: LinearDtype[] }) => {
  const gpu = await Gpu.open()
  const plans = dtypes.flatMap((dtype) =>
    shapes.flatMap((shape) =>
      oneOfEachShader(gpu, dtype, shape[1]).map((kernel) => {
        return {
          kernel: kernel.name,
          dtype,
          shape: shape.join('x'),
          task: linearTask(gpu, kernel, dtype, shape),
        }
      }),
    ),
  )
  for (const { task } of plans) await prepare(task)
  return {
    facts: {
      names: plans.map(({ kernel, dtype, shape }) => `${kernel} ${dtype} ${shape}`),
      plans: plans.map(({ task, ...plan }) => plan),
    },
    run: async () => {
      const found: number[] = []
      for (const { task } of plans) found.push(await measure(task, leastMs))
      return found
    },
  }
})
