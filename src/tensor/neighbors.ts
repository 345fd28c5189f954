import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/**
 * The rows around each of some rows of `x`, `reach` on both sides, 0 outside of its sequence: what the weight of a convolution
 * (`torch.nn.Conv1d`) is multiplied with.
 * x: [tokens, width]; spans: u32 [n, 3], of each row itself, the first of its sequence and the one after its last; the result:
 * [n, width * (2 * reach + 1)], the neighbours of a column side by side.
 */
export function neighbors(tape: Tape, x: Tensor, spans: Tensor, reach: number): Tensor {
  const [, width = 0] = x.shape
  const [count = 0] = spans.shape
  expectShape('neighbors', 'spans', spans, [null, 3])
  const columns = width * (2 * reach + 1)
  const y = tape.tensor([count, columns])
  tape.run({
    label: 'neighbors',
    kernel: { shader: 'neighbors', enable: tapeFeatures(tape), types: { T: tape.activations } },
    params: { width, reach },
    tensors: { x, spans, y },
    workgroups: [Math.ceil(columns / 64), count],
  })
  return y
}
