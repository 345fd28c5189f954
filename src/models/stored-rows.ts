import {
  type Bytes,
  type Checkpoint,
  checkScales,
  converted,
  type FloatDtype,
  type Job,
  type Pieces,
  type QuantizedRows,
  quantizeRows,
  storedToF32,
  type TensorInfo,
} from '../checkpoint/index.ts'
import { padRows } from '../tensor/layout.ts'
import type { QuantizedDtype, WeightDtype } from '../weight-dtypes.ts'

/** Where the rows of a quantized matrix come from, and what is made of those that were read. */
export interface QuantizedSource {
  readonly tensors: Job['tensors']
  readonly rows: (pieces: Pieces) => QuantizedRows
}

/**
 * A matrix [rows, inner] that is quantized in the checkpoint, or is as it is loaded.
 *
 * @param backbone see {@link Checkpoint.tensor}
 * @throws CheckpointError `tensor-missing`, `tensor-shape`, `tensor-dtype`; `rows` throws `weights-not-finite`
 */
export function quantizedSource(
  checkpoint: Checkpoint,
  name: string,
  shape: readonly [rows: number, inner: number],
  dtype: QuantizedDtype,
  backbone: string,
): QuantizedSource {
  if (checkpoint.quantization) {
    const { numbers, scales } = checkpoint.quantized(name, shape, dtype, backbone)
    return {
      tensors: [numbers, scales],
      rows([numbers, pairs]) {
        const { buffer, byteOffset, byteLength } = pairs as Bytes
        const scales = new Uint16Array(buffer, byteOffset, byteLength / 2)
        checkScales(scales, name)
        return { numbers, scales }
      },
    }
  }
  const tensor = checkpoint.tensor(name, shape, backbone)
  const [, inner] = shape
  return {
    tensors: [tensor],
    rows: ([piece]) =>
      quantizeRows(storedToF32(piece, tensor.dtype as FloatDtype), inner, dtype, name),
  }
}

/** Rows of `width` numbers as words of another dtype, each row filled up with zeros to `padded` numbers. */
export const rowsAsWords = (
  bytes: Bytes,
  { dtype: from }: TensorInfo,
  to: WeightDtype,
  width: number,
  padded: number,
): Uint32Array<ArrayBuffer> => padRows(converted(bytes, from as FloatDtype, to), width, padded)
