import { TensorError } from './errors.ts'
import type { Tape } from './tape.ts'
import type { Tensor } from './tensor.ts'

/**
 * The `k` largest numbers of each row, in the order of their columns; of equal numbers, those of lower columns.
 * x: f32 [rows, columns], no NaN among them; 1 <= k <= columns. Gives u32 [rows, k, 2]: the column, and the bits of the number.
 */
export function topK(tape: Tape, x: Tensor, k: number): Tensor {
  const [rows = 0, columns = 0] = x.shape
  if (x.shape.length !== 2 || x.dtype !== 'f32' || !(k >= 1 && k <= columns)) {
    throw new TensorError(
      'shape-mismatch',
      `top k: x is ${x.dtype} [${x.shape.join(', ')}] and k ${k}; expected f32 [rows, columns] and a k from 1 to columns`,
    )
  }
  const y = tape.tensor([rows, k, 2], 'u32')
  tape.run({
    label: `top ${k}`,
    kernel: { shader: 'top_k_radix' },
    params: { columns, k },
    tensors: { x, y },
    workgroups: [rows],
  })
  return y
}
