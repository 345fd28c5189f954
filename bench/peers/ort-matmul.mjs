// onnxruntime's matrix product as a contestant: [rows, inner] by constant weights [inner, columns], f32. Its value is
// GFLOP/s. Not type-checked: its package is not installed with the project.
import * as ort from 'onnxruntime-node'
import { serve } from '../contestant.mjs'
import { matmulModel } from './matmul-onnx.mjs'

serve(async ({ shape: [rows, inner, columns], copies, provider }) => {
  const model = matmulModel({ rows, inner, columns, copies })
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [provider],
    logSeverityLevel: 3,
  })
  const data = Float32Array.from({ length: rows * inner }, (_, i) => ((i * 5) % 11) - 5)
  const a = new ort.Tensor('float32', data, [rows, inner])
  /** The first number of the first product, by hand. */
  let expected = 0
  for (let k = 0; k < inner; k++) expected += data[k] * (((k * columns * 7) % 13) - 6)
  return {
    facts: { provider },
    run: async () => {
      const start = performance.now()
      const { y0 } = await session.run({ a })
      const ms = performance.now() - start
      if (y0.data[0] !== expected) {
        throw new Error(`the first number is ${y0.data[0]}; expected ${expected}`)
      }
      return [(2 * rows * inner * columns * copies) / ms / 1e6]
    },
  }
})
