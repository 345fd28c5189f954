import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** y[i] = x[rows[i]]. x: [*, width]; rows: u32 [n], each checked by the caller to be a row of x; y: [n, width]. */
export function gatherRows(tape: Tape, x: Tensor, rows: Tensor): Tensor {
  const [, width = 0] = x.shape
  const [count = 0] = rows.shape
  expectShape('gather rows', 'rows', rows, [null])
  const y = tape.tensor([count, width])
  tape.run({
    label: 'gather rows',
    kernel: {
      shader: 'gather_rows',
      enable: tapeFeatures(tape),
      types: { T: tape.activations },
    },
    params: { width },
    tensors: { x, rows, y },
    workgroups: [Math.ceil(width / 64), count],
  })
  return y
}
