/** The files of a quantized checkpoint, made from an open one. */
import type { QuantizedDtype } from '../weight-dtypes.ts'
import type { Checkpoint } from './checkpoint.ts'
import { CheckpointError } from './errors.ts'
import { type FloatDtype, f32ToF16, storedToF32 } from './float.ts'
import {
  isLayerMatrix,
  isWordTable,
  quantizationConfig,
  quantizedTensors,
  quantizeRows,
  wordTableDtype,
} from './quantization.ts'
import { storedBits, type TensorInfo } from './safetensors.ts'
import { safetensorsLayout } from './writing.ts'

/** What {@link quantizeCheckpoint} makes of a checkpoint. */
export interface QuantizedCheckpoint {
  /** The text of config.json. */
  readonly config: string
  /** How many matrices of the layers are quantized. */
  readonly matrices: number
  /** Bytes of model.safetensors. */
  readonly bytes: number
  /** model.safetensors from front to back, in pieces that are read and converted when they are asked for. */
  pieces(): AsyncGenerator<Bytes, void>
}

type Bytes = Uint8Array<ArrayBuffer>

type Entry = Pick<TensorInfo, 'name' | 'dtype' | 'shape'>

/** What is written for a stored tensor: the entries of the header, and their data one after another. */
interface Part {
  readonly entries: readonly [Entry, ...Entry[]]
  data(): AsyncGenerator<Bytes, void>
}

/** Bytes read at a time. */
const pieceBytes = 2 * 2 ** 20

/**
 * Plans the quantized form of a checkpoint: the matrices of the layers in int8 or int4, those with a row for each word in int8
 * or int4 too (see quantization.ts), other matrices and tables of f32 and f64 in f16, which is what the loader makes of them,
 * vectors of f64 in f32, the rest as it is. Loaded, it gives the same scores to the bit as the checkpoint does where that is
 * quantized as it is loaded, unless words are in int4.
 *
 * @param words the dtype of the matrices with a row for each word
 * @throws CheckpointError `already-quantized`, `nothing-to-quantize`, `tensor-dtype`; `pieces` throws
 * `weights-not-finite` and what reading throws
 */
export function quantizeCheckpoint(
  checkpoint: Checkpoint,
  dtype: QuantizedDtype,
  words: QuantizedDtype = wordTableDtype,
): QuantizedCheckpoint {
  const { folder, config, quantization, tensors } = checkpoint
  if (quantization) {
    throw new CheckpointError(
      'already-quantized',
      `${folder.name}: the weights are ${quantization.layers} already; quantize the folder that this one was made from`,
    )
  }
  const infos = [...tensors.values()]
  const layers = infos.filter((info) => isMatrix(info, isLayerMatrix))
  const tables = infos.filter((info) => isMatrix(info, isWordTable))
  if (layers.length === 0) {
    throw new CheckpointError(
      'nothing-to-quantize',
      `${folder.name}: no matrix of a layer, such as "model.layers.0.mlp.up_proj.weight", among the ${tensors.size} tensors; expected the folder of a reranker`,
    )
  }
  const matrices = [
    ...tables.map((info) => quantized(checkpoint, info, words, words === 'int4')),
    ...layers.map((info) => quantized(checkpoint, info, dtype)),
  ]
  const isQuantized = new Set([...tables, ...layers])
  const others = infos
    .filter((info) => !isQuantized.has(info))
    .map((info) => other(checkpoint, info))
  // Elements of a file are aligned to their size where larger ones precede smaller ones.
  others.sort(({ entries: [a] }, { entries: [b] }) => storedBits(b.dtype) - storedBits(a.dtype))
  const parts = [...others, ...matrices]
  const { header, size } = safetensorsLayout(parts.flatMap(({ entries }) => entries))
  const json = { ...config.raw, quantization_config: quantizationConfig(dtype, words) }
  return {
    config: `${JSON.stringify(json, tagged, 2)}\n`,
    matrices: layers.length,
    bytes: size,
    async *pieces() {
      yield header
      for (const part of parts) yield* part.data()
    },
  }
}

/** NaN and infinities, for which JSON has no words, as transformers 5 writes them. */
const tagged = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? { __float__: String(value) } : value

const isMatrix = ({ name, shape, bytes }: TensorInfo, isOfKind: (name: string) => boolean) =>
  shape.length === 2 && bytes > 0 && isOfKind(name)

function quantized(
  checkpoint: Checkpoint,
  info: TensorInfo,
  dtype: QuantizedDtype,
  fits = false,
): Part {
  const { name, shape, bytes } = checkpoint.tensor(info.name, info.shape)
  const [columns, inner] = shape as [number, number]
  const { numbers, scales } = quantizedTensors(name, [columns, inner], dtype)
  return {
    entries: [
      { ...numbers, dtype: 'u8' },
      { ...scales, dtype: 'bf16' },
    ],
    async *data() {
      const after: Bytes[] = []
      for await (const piece of read(checkpoint, info, bytes / columns)) {
        const values = storedToF32(piece, info.dtype as FloatDtype)
        const rows = quantizeRows(values, inner, dtype, name, fits)
        after.push(new Uint8Array(rows.scales.buffer))
        yield rows.numbers
      }
      yield* after
    },
  }
}

/** A tensor that is not quantized. Vectors are in f32: the loader keeps them so too. */
function other(checkpoint: Checkpoint, info: TensorInfo): Part {
  const from = info.dtype
  const isVector = info.shape.length < 2
  if (!(from === 'f64' || (from === 'f32' && !isVector))) {
    return { entries: [info], data: () => read(checkpoint, info, 1) }
  }
  return {
    entries: [{ ...info, dtype: isVector ? 'f32' : 'f16' }],
    async *data() {
      for await (const piece of read(checkpoint, info, storedBits(from) / 8)) {
        const values = storedToF32(piece, from)
        if (isVector) {
          yield new Uint8Array(values.buffer)
          continue
        }
        const halves = new Uint16Array(values.length)
        f32ToF16(values, halves)
        yield new Uint8Array(halves.buffer)
      }
    },
  }
}

/** The data of a tensor, in pieces of a multiple of `unit` bytes. */
async function* read(
  checkpoint: Checkpoint,
  info: TensorInfo,
  unit: number,
): AsyncGenerator<Bytes, void> {
  const step = Math.max(1, Math.floor(pieceBytes / unit)) * unit
  for (let start = 0; start < info.bytes; start += step) {
    yield await checkpoint.read(info, start, Math.min(start + step, info.bytes))
  }
}
