import type { KernelSpec } from '../gpu/kernel.ts'
import { groupSize, isQuantized, quantizedBits } from '../weight-dtypes.ts'
import { tablePairs, tableRowWords } from './layout.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type LinearDtype, type Tensor, type Weight } from './tensor.ts'

/**
 * A table of rows that stays on the host: only the rows of the tokens at hand go to the device. A vocabulary
 * of 250,002 rows is more than the 128 MiB that some adapters bind.
 */
export interface HostTable {
  readonly name: string
  readonly shape: readonly [rows: number, width: number]
  readonly dtype: LinearDtype
  /** All rows, each filled up to whole words, in whole numbers to whole groups. */
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

/** How kernels read gathered rows of a dtype. */
const reading = (dtype: LinearDtype): Pick<KernelSpec, 'sizes' | 'libraries'> =>
  isQuantized(dtype)
    ? {
        sizes: { BITS: quantizedBits[dtype], GROUP: groupSize },
        libraries: { rows: 'rows_grouped' },
      }
    : { libraries: { rows: 'rows_float', weights: `weights_${dtype}` } }

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
      ...reading(dtype),
    },
    params: { width, pairs, scale },
    tensors: { rows, y },
    workgroups: [Math.ceil(pairs / 64), tokens],
  })
  return y
}

/** Rows of a table on the device, of which each token has one: [rows, width], and u32 [tokens], checked by the caller. */
interface TableRows {
  readonly table: Weight
  readonly rows: Tensor
}

/**
 * word + type[types] + position[positions], the sum of an encoder's embeddings before their norm (`BertEmbeddings`), of which
 * a model may lack the types or the positions. word: rows from {@link gatherTable}; where they are floats, the tables are of
 * their dtype, else both of one. Gives [tokens, width].
 */
export function embed(
  tape: Tape,
  word: Tensor,
  { dtype, shape: [, width] }: HostTable,
  { type, position }: { readonly type?: TableRows; readonly position?: TableRows },
): Tensor {
  const [tokens = 0] = word.shape
  expectShape('embed', 'word', word, [null, tableRowWords(dtype, width)])
  for (const term of [type, position]) {
    if (!term) continue
    expectShape(term.table.name, 'weight', term.table, [null, width])
    expectShape(term.table.name, 'rows', term.rows, [tokens])
  }
  const pairs = tablePairs(width)
  const { sizes, libraries } = reading(dtype)
  const y = tape.tensor([tokens, width])
  tape.run({
    label: 'embeddings',
    kernel: {
      shader: 'embed',
      enable: tapeFeatures(tape),
      types: { T: tape.activations },
      ...(sizes && { sizes }),
      libraries: { weights: `weights_${(type ?? position)?.table.dtype ?? 'f16'}`, ...libraries },
    },
    params: { width, pairs, has_types: type ? 1 : 0, has_positions: position ? 1 : 0 },
    // A binding must be bound, read or not: the words stand in.
    tensors: {
      rows: word,
      token_type: type?.table ?? word,
      token_types: type?.rows ?? word,
      position: position?.table ?? word,
      positions: position?.rows ?? word,
      y,
    },
    workgroups: [Math.ceil(pairs / 64), tokens],
  })
  return y
}
