import type { WeightDtype } from '../weight-dtypes.ts'
import { tablePairs, tableRowWords } from './layout.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor, type Weight } from './tensor.ts'

/**
 * A table of rows that stays on the host: only the rows of the tokens at hand go to the device. A vocabulary
 * of 250,002 rows is more than the 128 MiB that some adapters bind.
 */
export interface HostTable {
  readonly name: string
  readonly shape: readonly [rows: number, width: number]
  readonly dtype: WeightDtype
  /** All rows, each filled up to whole words. */
  readonly words: Uint32Array<ArrayBuffer>
}

/** The rows of a host table for these ids, each checked by the caller, as a tensor [ids, words]. */
export function gatherTable(tape: Tape, table: HostTable, ids: Uint32Array): Tensor {
  const words = tableRowWords(table.dtype, table.shape[1])
  const rows = new Uint32Array(ids.length * words)
  for (let i = 0; i < ids.length; i++) {
    const from = (ids[i] as number) * words
    rows.set(table.words.subarray(from, from + words), i * words)
  }
  return tape.upload(rows, [ids.length, words], 'u32')
}

/** Rows from {@link gatherTable} as activations, times a scale: [tokens, width]. */
export function embedRows(
  tape: Tape,
  rows: Tensor,
  { dtype, shape }: HostTable,
  scale: number,
): Tensor {
  const [tokens = 0] = rows.shape
  const [, width] = shape
  expectShape('embeddings', 'rows', rows, [null, tableRowWords(dtype, width)])
  const pairs = tablePairs(width)
  const y = tape.tensor([tokens, width])
  tape.run({
    label: 'embeddings',
    kernel: {
      shader: 'unpack_rows',
      enable: tapeFeatures(tape),
      types: { T: tape.activations },
      libraries: { weights: `weights_${dtype}` },
    },
    params: { width, pairs, scale },
    tensors: { rows, y },
    workgroups: [Math.ceil(pairs / 64), tokens],
  })
  return y
}

/**
 * word + type[types] + position[positions], the sum of an encoder's embeddings before their norm (`BertEmbeddings`). word:
 * rows from {@link gatherTable}; type: [types, width]; position: [positions, width]; types, positions: u32 [tokens], each
 * checked by the caller. Gives [tokens, width].
 */
export function embed(
  tape: Tape,
  word: Tensor,
  type: { readonly table: Weight; readonly rows: Tensor },
  position: { readonly table: Weight; readonly rows: Tensor },
): Tensor {
  const [tokens = 0] = position.rows.shape
  const [, width = 0] = position.table.shape
  const { dtype } = position.table
  expectShape(type.table.name, 'weight', type.table, [null, width])
  expectShape('embed', 'types', type.rows, [tokens])
  expectShape('embed', 'word', word, [tokens, tableRowWords(dtype, width)])
  const pairs = tablePairs(width)
  const y = tape.tensor([tokens, width])
  tape.run({
    label: 'embeddings',
    kernel: {
      shader: 'embed',
      enable: tapeFeatures(tape),
      types: { T: tape.activations },
      libraries: { weights: `weights_${dtype}` },
    },
    params: { width, pairs },
    tensors: {
      word,
      token_type: type.table,
      token_types: type.rows,
      position: position.table,
      positions: position.rows,
      y,
    },
    workgroups: [Math.ceil(pairs / 64), tokens],
  })
  return y
}
