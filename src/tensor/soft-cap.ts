import type { ScoreBias } from './attention.ts'
import type { Tape } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** cap * tanh(x / cap) of each score (`final_logit_softcapping` of Gemma 2). x and the result: f32 [sequences, 1]. */
export function softCap(tape: Tape, x: Tensor, cap: number): Tensor {
  const [count = 0] = x.shape
  expectShape('soft cap', 'x', x, [null, 1])
  const y = tape.tensor(x.shape, 'f32')
  tape.run({
    label: 'soft cap',
    kernel: { shader: 'soft_cap' },
    params: { count, cap },
    tensors: { x, y },
    workgroups: [Math.ceil(count / 64)],
  })
  return y
}

/** The same of each score of attention (`attn_logit_softcapping`). */
export function softCapBias(tape: Tape, cap: number): ScoreBias {
  return {
    library: 'score_bias_soft_cap',
    tensors: { score_cap: tape.upload(Float32Array.of(cap), [1], 'f32') },
  }
}
