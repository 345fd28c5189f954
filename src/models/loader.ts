import type { Checkpoint, TensorInfo } from '../checkpoint/index.ts'
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../checkpoint/index.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Block } from '../gpu/memory.ts'
import { type HostTable, tablePairs, tableRowWords } from '../tensor/embedding.ts'
import type { LayerNorm } from '../tensor/layer_norm.ts'
import { type Linear, linearBytes, linearKernels, paddedInner } from '../tensor/linear.ts'
import { dtypeBytes, type WeightDtype } from '../tensor/tensor.ts'
import type { Vector, Weight } from '../tensor/weights.ts'
import { ModelError } from './errors.ts'

/** `auto` keeps 16-bit files as they are and makes f16 of f32 files. */
export type DtypeOption = WeightDtype | 'auto'

export interface LoadProgress {
  /** Bytes read so far, and in all. */
  readonly done: number
  readonly total: number
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** A tensor to be read: rows of `width` numbers, taken in pieces of a multiple of `group` rows. */
interface Job {
  readonly info: TensorInfo
  readonly width: number
  readonly group: number
  /** Makes the place that the rows go to; gives what writes a piece of them. */
  open(): (bytes: Uint8Array<ArrayBuffer>, firstRow: number, rows: number) => void
}

/** Bytes read at a time. */
const pieceBytes = 8 * 2 ** 20

/**
 * The weights of a model: declared first, when shapes are checked against the checkpoint and memory is
 * counted, then all read in the order in which they lie in the files.
 */
export class WeightLoader {
  readonly #jobs: Job[] = []
  #deviceBytes = 0
  #hostBytes = 0
  #largest: { name: string; bytes: number } = { name: '', bytes: 0 }

  constructor(
    readonly gpu: Gpu,
    readonly checkpoint: Checkpoint,
    readonly dtype: DtypeOption,
  ) {}

  /** Bytes that the weights declared so far will take. */
  get bytes(): { device: number; host: number } {
    return { device: this.#deviceBytes, host: this.#hostBytes }
  }

  /** How a tensor will lie on the device. */
  dtypeOf(info: TensorInfo): WeightDtype {
    if (this.dtype !== 'auto') return this.dtype
    return info.dtype === 'bf16' ? 'bf16' : 'f16'
  }

  /** A linear layer: `name.weight` [columns, inner] and `name.bias` [columns]. */
  linear(name: string, columns: number, inner: number): Linear {
    const kernel = linearKernels(this.gpu.facts)[0]
    if (!kernel) throw new ModelError('config-unsupported', 'internal: no linear kernel')
    const info = this.checkpoint.tensor(`${name}.weight`, [columns, inner])
    const dtype = this.dtypeOf(info)
    const bytes = linearBytes(kernel, dtype, [columns, inner])
    const padded = paddedInner(kernel, inner)
    const rowBytes = bytes / (Math.ceil(columns / kernel.columns) * kernel.columns)
    const block = this.#declare(
      info,
      bytes,
      inner,
      kernel.columns,
      (write) => (piece, row, rows) => {
        const words = rowsAsWords(piece, info, dtype, inner, padded)
        write(kernel.pack(words, dtype === 'f32' ? 2 : 1, padded, rows), row * rowBytes)
      },
    )
    const weight = { name: info.name, shape: info.shape, dtype, block, kernel }
    return { weight, bias: this.vector(`${name}.bias`, columns) }
  }

  /** A layer norm: `name.weight` and `name.bias`, [width]. */
  layerNorm(name: string, width: number, eps: number): LayerNorm {
    const weight = this.vector(`${name}.weight`, width)
    return { weight, bias: this.vector(`${name}.bias`, width), eps }
  }

  /** Numbers for each column, [width], always in f32. */
  vector(name: string, width: number): Vector {
    const info = this.checkpoint.tensor(name, [width])
    const block = this.#declare(info, 4 * width, width, 1, (write) => (piece) => {
      write(rowsAsWords(piece, info, 'f32', width, width), 0)
    })
    return { name, shape: info.shape, dtype: 'f32', block }
  }

  /** A table [rows, width] on the device. */
  table(name: string, rows: number, width: number, dtype: WeightDtype): Weight {
    const info = this.checkpoint.tensor(name, [rows, width])
    const rowBytes = 4 * tableRowWords(dtype, width)
    const block = this.#declare(info, rows * rowBytes, width, 1, (write) => (piece, row) => {
      write(rowsAsWords(piece, info, dtype, width, 2 * tablePairs(width)), row * rowBytes)
    })
    return { name, shape: info.shape, dtype, block }
  }

  /** A table [rows, width] that stays on the host. */
  hostTable(name: string, rows: number, width: number): HostTable {
    const info = this.checkpoint.tensor(name, [rows, width])
    const dtype = this.dtypeOf(info)
    const rowWords = tableRowWords(dtype, width)
    this.#hostBytes += 4 * rows * rowWords
    let words = new Uint32Array()
    this.#jobs.push({
      info,
      width,
      group: 1,
      open: () => {
        words = new Uint32Array(rows * rowWords)
        return (piece, row) =>
          words.set(rowsAsWords(piece, info, dtype, width, 2 * tablePairs(width)), row * rowWords)
      },
    })
    return {
      name,
      shape: [rows, width],
      dtype,
      get words() {
        return words
      },
    }
  }

  #declare(
    info: TensorInfo,
    bytes: number,
    width: number,
    group: number,
    writer: (
      write: (words: Uint32Array<ArrayBuffer>, offset: number) => void,
    ) => ReturnType<Job['open']>,
  ): Block {
    this.#deviceBytes += bytes
    if (bytes > this.#largest.bytes) this.#largest = { name: info.name, bytes }
    let buffer: GPUBuffer | undefined
    this.#jobs.push({
      info,
      width,
      group,
      open: () => {
        const { memory, device } = this.gpu
        const target = memory.create(
          info.name,
          bytes,
          GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
        )
        buffer = target
        return writer((words, offset) => device.queue.writeBuffer(target, offset, words))
      },
    })
    return {
      bytes,
      get buffer() {
        if (!buffer) throw new ModelError('internal', `internal: ${info.name} is not loaded yet`)
        return buffer
      },
    }
  }

  /** Throws where a weight is larger than this adapter binds. */
  checkLimits(): void {
    const { maxBinding } = this.gpu.facts
    const { name, bytes } = this.#largest
    if (bytes <= maxBinding) return
    throw new ModelError(
      'memory-insufficient',
      `${name} takes ${bytes} bytes on the device; this adapter binds at most ${maxBinding} at once`,
    )
  }

  /** Reads everything declared. Pieces of a tensor are read, converted and uploaded in turn. */
  async load({ signal, onProgress }: LoadOptions = {}): Promise<void> {
    const total = this.#jobs.reduce((sum, { info }) => sum + info.bytes, 0)
    const inFileOrder = this.#jobs.toSorted(
      ({ info: a }, { info: b }) => a.file.localeCompare(b.file) || a.start - b.start,
    )
    let done = 0
    for (const { info, width, group, open } of inFileOrder) {
      const write = open()
      const rowBytes = width * dtypeBytes[info.dtype as WeightDtype]
      const rows = info.bytes / rowBytes
      const step = Math.max(1, Math.floor(pieceBytes / rowBytes / group)) * group
      for (let row = 0; row < rows; row += step) {
        const count = Math.min(step, rows - row)
        const piece = await this.checkpoint.read(info, row * rowBytes, (row + count) * rowBytes)
        signal?.throwIfAborted()
        this.gpu.check()
        write(piece, row, count)
        done += piece.length
        onProgress?.({ done, total })
      }
    }
  }
}

/** Rows of `width` numbers as words of another dtype, each row filled up with zeros to `padded` numbers. */
function rowsAsWords(
  bytes: Uint8Array<ArrayBuffer>,
  { dtype: from }: TensorInfo,
  to: WeightDtype,
  width: number,
  padded: number,
): Uint32Array<ArrayBuffer> {
  const numbers = convert(bytes, from as WeightDtype, to)
  if (padded === width && numbers.byteLength % 4 === 0) {
    return new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.byteLength / 4)
  }
  const rows = numbers.length / width
  const words = new Uint32Array(Math.ceil((rows * padded * dtypeBytes[to]) / 4))
  const filled = new (to === 'f32' ? Uint32Array : Uint16Array)(words.buffer)
  for (let row = 0; row < rows; row++) {
    filled.set(numbers.subarray(row * width, (row + 1) * width), row * padded)
  }
  return words
}

/** Numbers of one dtype as the bit patterns of another; equal dtypes keep every bit. */
function convert(
  bytes: Uint8Array<ArrayBuffer>,
  from: WeightDtype,
  to: WeightDtype,
): Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes
  const count = byteLength / dtypeBytes[from]
  if (from === to) {
    return from === 'f32'
      ? new Uint32Array(buffer, byteOffset, count)
      : new Uint16Array(buffer, byteOffset, count)
  }
  const values = new Float32Array(count)
  if (from === 'f32') values.set(new Float32Array(buffer, byteOffset, count))
  else (from === 'f16' ? f16ToF32 : bf16ToF32)(new Uint16Array(buffer, byteOffset, count), values)
  if (to === 'f32') return new Uint32Array(values.buffer)
  const halves = new Uint16Array(count)
  if (to === 'f16') f32ToF16(values, halves)
  else f32ToBf16(values, halves)
  return halves
}
