import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor, type WeightDtype } from './tensor.ts'
import type { Weight } from './weights.ts'

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

/** Numbers of a row of a table that share one word pair: rows are filled up to an even count. */
export const tablePairs = (width: number): number => Math.ceil(width / 2)

/** Words that a row takes. */
export const tableRowWords = (dtype: WeightDtype, width: number): number =>
  tablePairs(width) * (dtype === 'f32' ? 2 : 1)

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
 * word + kind[0] + position[positions], the sum of XLM-R's embeddings before their norm
 * (`XLMRobertaEmbeddings`). word: rows from {@link gatherTable}; kind: [1, width]; position:
 * [positions, width]; positions: u32 [tokens]. Gives [tokens, width].
 */
export function embed(
  tape: Tape,
  word: Tensor,
  kind: Weight,
  position: Weight,
  positions: Tensor,
): Tensor {
  const [tokens = 0] = positions.shape
  const [, width = 0] = position.shape
  expectShape(kind.name, 'weight', kind, [null, width])
  expectShape('embed', 'word', word, [tokens, tableRowWords(position.dtype, width)])
  const pairs = tablePairs(width)
  const y = tape.tensor([tokens, width])
  tape.run({
    label: 'embeddings',
    kernel: {
      shader: 'embed',
      enable: tapeFeatures(tape),
      types: { T: tape.activations },
      libraries: { weights: `weights_${position.dtype}` },
    },
    params: { width, pairs },
    tensors: { word, kind, position, positions, y },
    workgroups: [Math.ceil(pairs / 64), tokens],
  })
  return y
}
