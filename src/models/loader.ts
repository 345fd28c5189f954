import type { Checkpoint, TensorInfo } from '../checkpoint/index.ts'
import {
  type FloatDtype,
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
  columnTiles,
  type Linear,
  type LinearKernel,
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
 * `auto` keeps 16-bit and quantized files as they are and makes f16 of f32 and f64 files. `int8` and `int4` are for the matrices
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

type WriteWords = (words: Uint32Array<ArrayBuffer>, offset: number) => void

/** A block of the device, whose buffer is there from {@link open} on. */
interface Place {
  readonly block: Block
  /** Gives what writes words at an offset in bytes. */
  open(): WriteWords
}

/** Where a linear layer comes from. */
interface LinearSource {
  readonly infos: Take['infos']
  readonly shape: readonly [columns: number, inner: number]
  readonly dtype: LinearDtype
  /** The first row that is taken. */
  readonly row: number
  /** The rows, {@link linearRowWords} each, of what is read. */
  readonly words: (pieces: Pieces) => Uint32Array
  /** The name of the bias, if there is one. */
  readonly bias?: string
}

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
  /** What the model's class calls its backbone (`base_model_prefix`): tensors are found with it in front and without. */
  backbone = ''

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

  /** Whether the checkpoint has a tensor. */
  has(name: string): boolean {
    return this.checkpoint.has(name, this.backbone)
  }

  #tensor(name: string, shape: readonly number[]): TensorInfo {
    return this.checkpoint.tensor(name, shape, this.backbone)
  }

  /** A linear layer: `name.weight` [columns, inner] and, unless there is none, `name.bias` [columns]. */
  linear(name: string, columns: number, inner: number, options: { bias?: boolean } = {}): Linear {
    return this.linears([[name, columns]], inner, options)[0]
  }

  /**
   * Linear layers that read the same x, as {@link linear} has them: side by side where their dtypes agree and the adapter
   * binds so much at once.
   */
  linears<const Layers extends readonly (readonly [name: string, columns: number])[]>(
    layers: Layers,
    inner: number,
    { bias = true }: { bias?: boolean } = {},
  ): { [Layer in keyof Layers]: Linear } {
    const sources = layers.map(([name, columns]) => {
      const source = this.#linearSource(`${name}.weight`, columns, inner)
      return bias ? { ...source, bias: `${name}.bias` } : source
    })
    const { dtype } = sources[0] as LinearSource
    const fits = this.#linearBytes(sources) <= this.gpu.facts.maxBinding
    const together = fits && sources.every((source) => source.dtype === dtype)
    const placed = together ? this.#lay(sources) : sources.flatMap((one) => this.#lay([one]))
    return placed as { [Layer in keyof Layers]: Linear }
  }

  /** One row of a tensor [rows, inner] as a linear layer to one number: a word's logit of a language-model head. */
  linearRow(name: string, rows: number, inner: number, row: number): Linear {
    return this.#lay([this.#floatSource(name, rows, inner, row, 1)])[0] as Linear
  }

  #linearSource(name: string, columns: number, inner: number): LinearSource {
    const { quantization } = this
    return quantization && isLayerMatrix(name)
      ? this.#quantizedSource(name, columns, inner, quantization)
      : this.#floatSource(name, columns, inner)
  }

  /** A tensor [rows, inner], or `count` rows of it, in a float dtype. */
  #floatSource(name: string, rows: number, inner: number, row = 0, count = rows): LinearSource {
    const info = this.#tensor(name, [rows, inner])
    const dtype = this.dtypeOf(info)
    const padded = paddedInner(inner)
    const words = ([piece]: Pieces) => rowsAsWords(piece, info, dtype, inner, padded)
    return { infos: [info], shape: [count, inner], dtype, row, words }
  }

  /** A tensor [columns, inner] that is quantized in the checkpoint, or is as it is loaded. */
  #quantizedSource(
    name: string,
    columns: number,
    inner: number,
    dtype: QuantizedDtype,
  ): LinearSource {
    const shape = [columns, inner] as const
    if (this.checkpoint.quantization) {
      const { numbers, scales } = this.checkpoint.quantized(name, shape, dtype, this.backbone)
      const words = ([rows, pairs]: Pieces) => {
        const { buffer, byteOffset, byteLength } = pairs as Bytes
        const patterns = new Uint16Array(buffer, byteOffset, byteLength / 2)
        return groupedRows(rows, patterns, inner, dtype)
      }
      return { infos: [numbers, scales], shape, dtype, row: 0, words }
    }
    const info = this.#tensor(name, shape)
    const words = ([piece]: Pieces) => {
      const values = storedToF32(piece, info.dtype as FloatDtype)
      const { numbers, scales } = quantizeRows(values, inner, dtype, name)
      return groupedRows(numbers, scales, inner, dtype)
    }
    return { infos: [info], shape, dtype, row: 0, words }
  }

  /** Declares linear layers of one dtype side by side, each filled up to whole column tiles; their biases alike. */
  #lay(sources: readonly LinearSource[]): Linear[] {
    const [{ dtype, shape, infos, bias: firstBias }] = sources as [LinearSource]
    const [, inner] = shape
    const kernel = this.#kernel(dtype, inner)
    const rowWords = linearRowWords(dtype, inner)
    const bytes = this.#linearBytes(sources)
    const place = this.#place(infos[0].name, bytes)
    const biases = firstBias && this.#place(firstBias, bytes / rowWords)
    let tile = 0
    return sources.map(({ infos, shape, row, words, bias }) => {
      const [columns] = shape
      const first = tile * kernel.columns
      tile += columnTiles(kernel, columns)
      const take = { infos, row, rows: columns, group: kernel.columns }
      this.#declare(take, place, (write) => (pieces, at, rows) => {
        const packed = kernel.pack(words(pieces), linearUnit(dtype), rowWords, rows)
        write(packed, 4 * (first + at) * rowWords)
      })
      const name = infos[0].name
      const weight = {
        name,
        shape,
        dtype,
        block: place.block,
        kernel,
        tile: first / kernel.columns,
      }
      return biases && bias
        ? { weight, bias: this.#vectorAt(bias, columns, biases, first) }
        : { weight }
    })
  }

  #linearBytes(sources: readonly LinearSource[]): number {
    const bytes = sources.map(({ dtype, shape }) => {
      return linearBytes(this.#kernel(dtype, shape[1]), dtype, shape)
    })
    return bytes.reduce((sum, count) => sum + count)
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
    return this.#vectorAt(name, width, this.#place(name, 4 * width), 0)
  }

  /** A vector from number `first` of a place on. */
  #vectorAt(name: string, width: number, place: Place, first: number): Vector {
    const info = this.#tensor(name, [width])
    const take: Take = { infos: [info], row: 0, rows: 1, group: 1 }
    this.#declare(take, place, (write) => ([piece]) => {
      write(rowsAsWords(piece, info, 'f32', width, width), 4 * first)
    })
    return { name, shape: info.shape, dtype: 'f32', block: place.block }
  }

  /** A table [rows, width] on the device. */
  table(name: string, rows: number, width: number, dtype: WeightDtype): Weight {
    const info = this.#tensor(name, [rows, width])
    const rowBytes = 4 * tableRowWords(dtype, width)
    const take: Take = { infos: [info], row: 0, rows, group: 1 }
    const place = this.#place(name, rows * rowBytes)
    this.#declare(take, place, (write) => ([piece], row) => {
      write(rowsAsWords(piece, info, dtype, width, 2 * tablePairs(width)), row * rowBytes)
    })
    return { name, shape: info.shape, dtype, block: place.block }
  }

  /** A table [rows, width] that stays on the host. */
  hostTable(name: string, rows: number, width: number): HostTable {
    const info = this.#tensor(name, [rows, width])
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

  #place(name: string, bytes: number): Place {
    this.#deviceBytes += bytes
    if (bytes > this.#largest.bytes) this.#largest = { name, bytes }
    const { memory, device } = this.gpu
    let buffer: GPUBuffer | undefined
    return {
      block: {
        bytes,
        get buffer() {
          if (!buffer) throw new ModelError('internal', `internal: ${name} is not loaded yet`)
          return buffer
        },
      },
      open() {
        buffer ??= memory.create(name, bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST)
        const target = buffer
        return (words, offset) => device.queue.writeBuffer(target, offset, words)
      },
    }
  }

  #declare(take: Take, place: Place, writer: (write: WriteWords) => WriteRows): void {
    this.#jobs.push({ ...take, open: () => writer(place.open()) })
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
    try {
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
    } finally {
      // The files are closed after a fault, which must not come while they are read.
      await Promise.allSettled(reads)
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
  const numbers = convert(bytes, from as FloatDtype, to)
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
  from: FloatDtype,
  to: WeightDtype,
): Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (from === to) {
    const { buffer, byteOffset, byteLength } = bytes
    const count = byteLength / dtypeBytes[to]
    return to === 'f32'
      ? new Uint32Array(buffer, byteOffset, count)
      : new Uint16Array(buffer, byteOffset, count)
  }
  const values = storedToF32(bytes, from)
  if (to === 'f32') return new Uint32Array(values.buffer)
  const halves = new Uint16Array(values.length)
  if (to === 'f16') f32ToF16(values, halves)
  else f32ToBf16(values, halves)
  return halves
}
