import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/**
 * (cos, sin) of every turn of rotary position embedding: f32 [positions, headDim / 2, 2], in the arithmetic of the
 * reference (`LlamaRotaryEmbedding`): angles, and cos and sin before they are multiplied, rounded to f32.
 *
 * @param frequencies radians from one position to the next, f32 [headDim / 2]
 * @param scale what rotated heads are multiplied by
 */
export function rotaryTable(
  positions: number,
  frequencies: Float32Array,
  scale = 1,
): Float32Array<ArrayBuffer> {
  const headDim = 2 * frequencies.length
  const table = new Float32Array(positions * headDim)
  for (const [i, frequency] of frequencies.entries()) {
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency)
      table[position * headDim + 2 * i] = Math.fround(Math.cos(angle)) * scale
      table[position * headDim + 2 * i + 1] = Math.fround(Math.sin(angle)) * scale
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
