import { type Tape, tapeFeatures } from './tape.ts'
import { dtypeBytes, expectShape, type Tensor } from './tensor.ts'

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

type Pair = readonly [q: Tensor, k: Tensor]

/**
 * Turns each head of each row of queries and keys by its position (Su et al. 2021), in one launch where their positions are the
 * same tensor. q, k: [rows, heads * headDim]; positions of each: u32 [rows], each checked by the caller to be in the table;
 * table: from {@link rotaryTable}, f32 [positions, headDim].
 */
export function rotary(tape: Tape, [q, k]: Pair, positions: Pair, table: Tensor): Pair {
  const [ofQ, ofK] = positions
  if (ofQ === ofK) return turn(tape, [q, k], ofQ, table) as [Tensor, Tensor]
  return [turn(tape, [q], ofQ, table)[0], turn(tape, [k], ofK, table)[0]]
}

function turn(
  tape: Tape,
  [q, k]: readonly [Tensor, Tensor?],
  positions: Tensor,
  table: Tensor,
): [Tensor, Tensor?] {
  const [rows = 0] = q.shape
  const [, headDim = 0] = table.shape
  expectShape('rotary', 'positions', positions, [rows])
  const pairs = [q, ...(k ? [k] : [])].map((x) => {
    const [, width = 0] = x.shape
    expectShape('rotary', 'x', x, [rows, Math.ceil(width / headDim) * headDim])
    return width / 2
  })
  const [qPairs = 0, kPairs = 0] = pairs
  const outputs = (k ? tape.tensors([q.shape, k.shape]) : [tape.tensor(q.shape)]) as [
    Tensor,
    Tensor?,
  ]
  const [first, second] = outputs
  const keys = (second?.offset ?? 0) / dtypeBytes[first.dtype]
  const y = { block: first.block, dtype: first.dtype, shape: [rows, 2 * (qPairs + kPairs)] }
  tape.run({
    label: 'rotary',
    kernel: { shader: 'rotary', enable: tapeFeatures(tape), types: { T: tape.activations } },
    params: { half: headDim / 2, q_pairs: qPairs, k_pairs: kPairs, keys },
    // A binding must be bound, read or not: q stands in.
    tensors: { q, k: k ?? q, positions, table, y },
    workgroups: [Math.ceil(Math.max(qPairs, kPairs) / 64), rows],
  })
  return outputs
}
