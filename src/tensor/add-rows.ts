import { type Tape, tapeFeatures } from './tape.ts'
import { elements, expectShape, type Tensor } from './tensor.ts'

/** Workgroups of 64 numbers in x; the rest go to y, as a dimension has at most 65,535 of them. */
const mostAcross = 1024

/** a + b, two tensors of one shape. */
export function addRows(tape: Tape, a: Tensor, b: Tensor): Tensor {
  expectShape('add', 'b', b, a.shape)
  const count = elements(a.shape)
  const groups = Math.ceil(count / 64)
  const across = Math.min(groups, mostAcross)
  const y = tape.tensor(a.shape)
  tape.run({
    label: 'add',
    kernel: { shader: 'add_rows', enable: tapeFeatures(tape), types: { T: tape.activations } },
    params: { count },
    tensors: { a, b, y },
    workgroups: [across, Math.ceil(groups / across)],
  })
  return y
}
