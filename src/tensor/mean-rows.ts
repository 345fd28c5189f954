import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/**
 * The mean of the rows of each sequence (mean pooling). x: [tokens, width]; starts, lengths: u32 [sequences], each checked by
 * the caller to be rows of x, with at least one in a sequence. Gives [sequences, width].
 */
export function meanRows(tape: Tape, x: Tensor, starts: Tensor, lengths: Tensor): Tensor {
  const [, width = 0] = x.shape
  const [count = 0] = starts.shape
  expectShape('mean of rows', 'starts', starts, [null])
  expectShape('mean of rows', 'lengths', lengths, [count])
  const y = tape.tensor([count, width])
  tape.run({
    label: 'mean of rows',
    kernel: { shader: 'mean_rows', enable: tapeFeatures(tape), types: { T: tape.activations } },
    params: { width },
    tensors: { x, starts, lengths, y },
    workgroups: [Math.ceil(width / 64), count],
  })
  return y
}
