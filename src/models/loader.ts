import type { Checkpoint, TensorInfo } from '../checkpoint/index.ts'
import {
  f32ToBf16,
  f32ToF16,
  isLayerMatrix,
  quantizeRows,
  storedToF32,
} from '../checkpoint/index.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Block } from '../gpu/memory.ts'
import { type HostTable, tablePairs, tableRowWords } from '../tensor/embedding.ts'
import type { LayerNorm } from '../tensor/layer_norm.ts'
import {
  type Linear,
  type LinearKernel,
  type LinearWeight,
  linearBytes,
  linearKernel,
  linearRowWords,
  linearUnit,
  paddedInner,
} from '../tensor/linear.ts'
import { groupedRows } from '../tensor/quantized.ts'
import type { RmsNorm } from '../tensor/rms_norm.ts'
import {
  dtypeBytes,
  isQuantized,
  type LinearDtype,
  type QuantizedDtype,
  type WeightDtype,
} from '../tensor/tensor.ts'
import type { Vector, Weight } from '../tensor/weights.ts'
import { ModelError } from './errors.ts'

/**
 * `auto` keeps 16-bit and quantized files as they are and makes f16 of f32 files. `int8` and `int4` are for the matrices
 * of the layers; embeddings and heads then lie as with `auto`.
 */
export type DtypeOption = LinearDtype | 'auto'

export interface LoadProgress {
  /** Bytes read so far, and in all. */
  readonly done: number
  readonly total: number
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** Rows of one tensor, or of several side by side, to be read in pieces of a multiple of `group` rows. */
interface Take {
  readonly infos: readonly [TensorInfo, ...TensorInfo[]]
  /** The first row, and how many. */
  readonly row: number
  readonly rows: number
  readonly group: number
}

type Bytes = Uint8Array<ArrayBuffer>

/** Rows of each tensor of a {@link Take} as they lie in the file. */
type Pieces = readonly [Bytes, ...Bytes[]]

/** Writes rows to where they go; `row` counts from the first one taken. */
type WriteRows = (pieces: Pieces, row: number, rows: number) => void

interface Job extends Take {
  /** Set where everything is to be read at once. */
  readonly whole?: boolean
  /** Makes the place that the rows go to. */
  open(): WriteRows
}

/** Bytes read at a time. Pieces that are done with lie about until they are collected: larger ones fill the host. */
const pieceBytes = 2 * 2 ** 20

/** Reads under way at a time, where they are small. */
const mostReads = 8

/** A table of the host of up to so many bytes that needs no conversion is read at once: what was read is the table. */
const wholeTableBytes = 64 * 2 ** 20

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
    if (this.dtype !== 'auto' && !isQuantized(this.dtype)) return this.dtype
    return info.dtype === 'bf16' ? 'bf16' : 'f16'
  }

  /** What the matrices of the layers are quantized to, in the checkpoint or as they are loaded. */
  get quantization(): QuantizedDtype | undefined {
    const { dtype, checkpoint } = this
    return dtype !== 'auto' && isQuantized(dtype) ? dtype : checkpoint.quantization
  }

  /** A linear layer: `name.weight` [columns, inner] and, unless there is none, `name.bias` [columns]. */
  linear(name: string, columns: number, inner: number, { bias = true } = {}): Linear {
    const { quantization } = this
    const weight =
      quantization && isLayerMatrix(`${name}.weight`)
        ? this.#quantizedWeight(`${name}.weight`, columns, inner, quantization)
        : this.#floatWeight(`${name}.weight`, columns, inner)
    return bias ? { weight, bias: this.vector(`${name}.bias`, columns) } : { weight }
  }

  /** One row of a tensor [rows, inner] as a linear layer to one number: a word's logit of a language-model head. */
  linearRow(name: string, rows: number, inner: number, row: number): Linear {
    return { weight: this.#floatWeight(name, rows, inner, row, 1) }
  }

  /** A tensor [rows, inner], or `count` rows of it, in a float dtype. */
  #floatWeight(name: string, rows: number, inner: number, row = 0, count = rows): LinearWeight {
    const info = this.checkpoint.tensor(name, [rows, inner])
    const dtype = this.dtypeOf(info)
    const padded = paddedInner(this.#kernel(dtype, inner), inner)
    return this.#linearWeight([info], [count, inner], dtype, row, ([piece]) =>
      rowsAsWords(piece, info, dtype, inner, padded),
    )
  }

  /** A tensor [columns, inner] that is quantized in the checkpoint, or is as it is loaded. */
  #quantizedWeight(
    name: string,
    columns: number,
    inner: number,
    dtype: QuantizedDtype,
  ): LinearWeight {
    const shape = [columns, inner] as const
    if (this.checkpoint.quantization) {
      const { numbers, scales } = this.checkpoint.quantized(name, shape, dtype)
      return this.#linearWeight([numbers, scales], shape, dtype, 0, ([rows, pairs]) => {
        const { buffer, byteOffset, byteLength } = pairs as Bytes
        const patterns = new Uint16Array(buffer, byteOffset, byteLength / 2)
        return groupedRows(rows, patterns, inner, dtype)
      })
    }
    const info = this.checkpoint.tensor(name, shape)
    return this.#linearWeight([info], shape, dtype, 0, ([piece]) => {
      const values = storedToF32(piece, info.dtype as WeightDtype)
      const { numbers, scales } = quantizeRows(values, inner, dtype, name)
      return groupedRows(numbers, scales, inner, dtype)
    })
  }

  /** Declares a weight; `words` makes its rows, {@link linearRowWords} each, of what is read from row `row` on. */
  #linearWeight(
    infos: Take['infos'],
    shape: readonly [columns: number, inner: number],
    dtype: LinearDtype,
    row: number,
    words: (pieces: Pieces) => Uint32Array,
  ): LinearWeight {
    const [columns, inner] = shape
    const kernel = this.#kernel(dtype, inner)
    const rowWords = linearRowWords(kernel, dtype, inner)
    const take = { infos, row, rows: columns, group: kernel.columns }
    const bytes = linearBytes(kernel, dtype, shape)
    const block = this.#declare(take, bytes, (write) => (pieces, at, rows) => {
      const packed = kernel.pack(words(pieces), linearUnit(kernel, dtype), rowWords, rows)
      write(packed, 4 * at * rowWords)
    })
    return { name: infos[0].name, shape, dtype, block, kernel }
  }

  #kernel(dtype: LinearDtype, inner: number): LinearKernel {
    return linearKernel(this.gpu, dtype, inner)
  }

  /** A layer norm: `name.weight` and `name.bias`, [width]. */
  layerNorm(name: string, width: number, eps: number): LayerNorm {
    const weight = this.vector(`${name}.weight`, width)
    return { weight, bias: this.vector(`${name}.bias`, width), eps }
  }

  /** A root-mean-square norm: `name.weight`, [width]. */
  rmsNorm(name: string, width: number, eps: number, offset: number): RmsNorm {
    return { weight: this.vector(`${name}.weight`, width), eps, offset }
  }

  /** Numbers for each column, [width], always in f32. */
  vector(name: string, width: number): Vector {
    const info = this.checkpoint.tensor(name, [width])
    const take: Take = { infos: [info], row: 0, rows: 1, group: 1 }
    const block = this.#declare(take, 4 * width, (write) => ([piece]) => {
      write(rowsAsWords(piece, info, 'f32', width, width), 0)
    })
    return { name, shape: info.shape, dtype: 'f32', block }
  }

  /** A table [rows, width] on the device. */
  table(name: string, rows: number, width: number, dtype: WeightDtype): Weight {
    const info = this.checkpoint.tensor(name, [rows, width])
    const rowBytes = 4 * tableRowWords(dtype, width)
    const take: Take = { infos: [info], row: 0, rows, group: 1 }
    const block = this.#declare(take, rows * rowBytes, (write) => ([piece], row) => {
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
    const whole = info.dtype === dtype && width % 2 === 0 && info.bytes <= wholeTableBytes
    let words = new Uint32Array()
    const open = (): WriteRows => {
      if (!whole) words = new Uint32Array(rows * rowWords)
      return ([piece], row) => {
        const read = rowsAsWords(piece, info, dtype, width, 2 * tablePairs(width))
        if (whole) words = read
        else words.set(read, row * rowWords)
      }
    }
    this.#jobs.push({ infos: [info], row: 0, rows, group: 1, whole, open })
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
    take: Take,
    bytes: number,
    writer: (write: (words: Uint32Array<ArrayBuffer>, offset: number) => void) => WriteRows,
  ): Block {
    const { name } = take.infos[0]
    this.#deviceBytes += bytes
    if (bytes > this.#largest.bytes) this.#largest = { name, bytes }
    let buffer: GPUBuffer | undefined
    const open = () => {
      const { memory, device } = this.gpu
      const target = memory.create(name, bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST)
      buffer = target
      return writer((words, offset) => device.queue.writeBuffer(target, offset, words))
    }
    this.#jobs.push({ ...take, open })
    return {
      bytes,
      get buffer() {
        if (!buffer) throw new ModelError('internal', `internal: ${name} is not loaded yet`)
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

  /**
   * Reads everything declared, in pieces, of which small ones are read ahead: most tensors are small, and each read takes
   * its turn in the system. The places of all tensors are there at once, empty until they are read.
   */
  async load({ signal, onProgress }: LoadOptions = {}): Promise<void> {
    const inFileOrder = this.#jobs.toSorted(
      ({ infos: [a] }, { infos: [b] }) => a.file.localeCompare(b.file) || a.start - b.start,
    )
    const parts = inFileOrder.flatMap((job) => partsOf(job, job.open()))
    const total = parts.reduce((sum, { bytes }) => sum + bytes, 0)
    const reads: Promise<Pieces>[] = []
    let begun = 0
    let reading = 0
    let done = 0
    for (const { write, row, count, bytes } of parts) {
      for (const part of parts.slice(begun, begun + mostReads)) {
        if (reads.length === mostReads || (reads.length > 0 && reading + part.bytes > pieceBytes))
          break
        const read = this.#readPart(part)
        // Nobody waits for it where one before it fails.
        read.catch(() => {})
        reads.push(read)
        reading += part.bytes
        begun++
      }
      const pieces = (await reads.shift()) as Pieces
      reading -= bytes
      signal?.throwIfAborted()
      this.gpu.check()
      write(pieces, row, count)
      done += bytes
      onProgress?.({ done, total })
    }
  }

  async #readPart(part: Part): Promise<Pieces> {
    const { infos, row, count } = part
    const [first, ...rest] = infos
    const pieces: [Bytes, ...Bytes[]] = [await this.#read(first, part.from + row, count)]
    for (const info of rest) pieces.push(await this.#read(info, part.from + row, count))
    return pieces
  }

  #read(info: TensorInfo, row: number, count: number): Promise<Bytes> {
    const bytes = storedRowBytes(info)
    return this.checkpoint.read(info, row * bytes, (row + count) * bytes)
  }
}

/** Rows that are read at a time, and where they go. */
interface Part {
  readonly infos: Take['infos']
  /** The first row that is taken of the tensors; `row` counts from it. */
  readonly from: number
  readonly row: number
  readonly count: number
  readonly bytes: number
  readonly write: WriteRows
}

function partsOf(job: Job, write: WriteRows): Part[] {
  const { infos, row: from, rows, group, whole } = job
  const rowBytes = rowBytesOf(job)
  const step = whole ? rows : Math.max(1, Math.floor(pieceBytes / rowBytes / group)) * group
  const parts: Part[] = []
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row)
    parts.push({ infos, from, row, count, bytes: count * rowBytes, write })
  }
  return parts
}

/** Bytes of a row of a tensor as it lies in the file; a vector is one row. */
const storedRowBytes = ({ shape, bytes }: TensorInfo): number =>
  shape.length > 1 ? bytes / (shape[0] as number) : bytes

/** Bytes of a row of all tensors of a {@link Take}. */
const rowBytesOf = ({ infos }: Take): number =>
  infos.reduce((sum, info) => sum + storedRowBytes(info), 0)

/** Rows of `width` numbers as words of another dtype, each row filled up with zeros to `padded` numbers. */
function rowsAsWords(
  bytes: Bytes,
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
  bytes: Bytes,
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
  const values = storedToF32(bytes, from)
  if (to === 'f32') return new Uint32Array(values.buffer)
  const halves = new Uint16Array(count)
  if (to === 'f16') f32ToF16(values, halves)
  else f32ToBf16(values, halves)
  return halves
}
