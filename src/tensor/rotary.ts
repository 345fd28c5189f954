import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/**
 * (cos, sin) of every turn of rotary position embedding: f32 [positions, headDim / 2, 2], in the arithmetic of the
 * reference (`LlamaRotaryEmbedding`): frequencies and angles rounded to f32.
 *
 * @param factor what the frequencies are divided by (linear scaling)
 */
export function rotaryTable(
  positions: number,
  headDim: number,
  theta: number,
  factor = 1,
): Float32Array<ArrayBuffer> {
  const half = headDim / 2
  const table = new Float32Array(positions * headDim)
  for (let i = 0; i < half; i++) {
    const unscaled = Math.fround(1 / Math.fround(theta ** ((2 * i) / headDim)))
    const frequency = Math.fround(unscaled / factor)
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency)
      table[position * headDim + 2 * i] = Math.cos(angle)
      table[position * headDim + 2 * i + 1] = Math.sin(angle)
    }
  }
  return table
}

/**
 * Turns each head of each row by its position (Su et al. 2021). x: [rows, heads * headDim]; positions: u32 [rows],
 * each checked by the caller to be in the table; table: from {@link rotaryTable}, f32 [positions, headDim].
 */
export function rotary(tape: Tape, x: Tensor, positions: Tensor, table: Tensor): Tensor {
  const [rows = 0, width = 0] = x.shape
  const [, headDim = 0] = table.shape
  expectShape('rotary', 'positions', positions, [rows])
  expectShape('rotary', 'x', x, [null, Math.ceil(width / headDim) * headDim])
  const y = tape.tensor(x.shape)
  tape.run({
    label: 'rotary',
    kernel: { shader: 'rotary', enable: tapeFeatures(tape), types: { T: tape.activations } },
    params: { half: headDim / 2, pairs: width / 2 },
    tensors: { x, positions, table, y },
    workgroups: [Math.ceil(width / 2 / 64), rows],
  })
  return y
}
