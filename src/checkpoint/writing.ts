import { type StoredDtype, storedBits, type TensorInfo } from './safetensors.ts'

/** Where things go in a safetensors file. */
export interface SafetensorsLayout {
  /** The first bytes of the file: the length of the header, and the header. */
  readonly header: Uint8Array<ArrayBuffer>
  /** The position in the file at which each tensor begins. */
  readonly starts: ReadonlyMap<string, number>
  /** Bytes of the whole file. */
  readonly size: number
}

/**
 * Lays out a safetensors file of these tensors, in the order given, so that their rows can be written as they come. The
 * header is padded with spaces to a multiple of 8 bytes, as the format's own writer does.
 *
 * @param metadata texts by name, kept in the header under `__metadata__`
 */
export function safetensorsLayout(
  tensors: readonly Pick<TensorInfo, 'name' | 'dtype' | 'shape'>[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  let end = 0
  const entries = tensors.map(({ name, dtype, shape }) => {
    const start = end
    end += storedBytes(dtype, shape)
    return [name, { dtype: dtype.toUpperCase(), shape, data_offsets: [start, end] }] as const
  })
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) })
  const text = new TextEncoder().encode(json)
  const length = Math.ceil(text.length / 8) * 8
  const header = new Uint8Array(8 + length).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true)
  header.set(text, 8)
  return {
    header,
    starts: new Map(
      entries.map(([name, { data_offsets }]) => [name, header.length + data_offsets[0]!]),
    ),
    size: header.length + end,
  }
}

const storedBytes = (dtype: StoredDtype, shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, storedBits(dtype)) / 8
