import {
  type Checkpoint,
  dequantizeRows,
  type FloatDtype,
  isLayerMatrix,
  isWordTable,
  type Job,
  type Pieces,
  type ReadOptions,
  readJobs,
  storedToF32,
  type TakeRows,
  type TensorInfo,
  wordTableDtype,
} from '../checkpoint/index.ts'
import type { Gpu } from '../gpu/device.ts'
import type { Block } from '../gpu/memory.ts'
import type { HostTable } from '../tensor/embedding.ts'
import type { LayerNorm } from '../tensor/layer-norm.ts'
import {
  columnTiles,
  groupedRows,
  linearBytes,
  linearRowWords,
  linearUnit,
  paddedInner,
  padRows,
  tablePairs,
  tableRowWords,
} from '../tensor/layout.ts'
import { type Linear, type LinearKernel, linearKernel } from '../tensor/linear.ts'
import type { RmsNorm } from '../tensor/rms-norm.ts'
import type { LinearDtype, Vector, Weight } from '../tensor/tensor.ts'
import { isQuantized, type QuantizedDtype, type WeightDtype } from '../weight-dtypes.ts'
import { ModelError } from './errors.ts'
import { type QuantizedSource, quantizedSource, rowsAsWords } from './stored-rows.ts'

/**
 * `auto` keeps 16-bit and quantized files as they are and makes f16 of f32 and f64 files. `int8` and `int4` are for the matrices
 * of the layers; those with a row for each word are then in int8, other tables and heads as with `auto`.
 */
export type DtypeOption = LinearDtype | 'auto'

/** What linear layers are declared with. */
interface LinearOptions {
  /** Whether there is `name.bias`. Default true. */
  readonly bias?: boolean
}

/** Numbers `from` on of a vector of `length`. */
interface VectorPart {
  readonly name: string
  readonly length: number
  readonly from: number
}

/** Where a linear layer comes from. */
interface LinearSource {
  readonly tensors: Job['tensors']
  readonly shape: readonly [columns: number, inner: number]
  readonly dtype: LinearDtype
  /** The first row that is taken. */
  readonly row: number
  /** The rows, `linearRowWords` each, of what is read. */
  readonly words: (pieces: Pieces) => Uint32Array
  readonly bias?: VectorPart
}

/** Where a table of the host comes from. */
interface TableSource {
  readonly tensors: Job['tensors']
  readonly dtype: LinearDtype
  /** The rows, `tableRowWords` each, of what is read. */
  readonly words: (pieces: Pieces) => Uint32Array<ArrayBuffer>
  /** Whether these are what is read. */
  readonly isAsStored: boolean
}

type WriteWords = (words: Uint32Array<ArrayBuffer>, offset: number) => void

/** A block of the device, whose buffer is there from {@link open} on. */
interface DeclaredBlock {
  readonly block: Block
  /** Gives what writes words at an offset in bytes. */
  open(): WriteWords
}

/** A table of the host of up to so many bytes that needs no conversion is read at once: what was read is the table. */
const wholeTableBytes = 64 * 2 ** 20

/**
 * The weights of a model: declared first, when shapes are checked against the checkpoint and memory is
 * counted, then all read in file order.
 */
export class Weights {
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
    /** The dtype of the activations that its layers will read. */
    readonly activations: 'f32' | 'f16' = 'f32',
  ) {}

  /** Bytes that the weights declared so far will take. */
  get bytes(): { device: number; host: number } {
    return { device: this.#deviceBytes, host: this.#hostBytes }
  }

  /** How a tensor will be stored on the device. */
  dtypeOf(tensor: TensorInfo): WeightDtype {
    if (this.dtype !== 'auto' && !isQuantized(this.dtype)) return this.dtype
    return tensor.dtype === 'bf16' ? 'bf16' : 'f16'
  }

  /** What the matrices of the layers are quantized to, in the checkpoint or as they are loaded. */
  get quantization(): QuantizedDtype | undefined {
    const { dtype, checkpoint } = this
    return dtype !== 'auto' && isQuantized(dtype) ? dtype : checkpoint.quantization?.layers
  }

  /** What a matrix is quantized to, in the checkpoint or as it is loaded. */
  #quantizationOf(name: string): QuantizedDtype | undefined {
    if (isLayerMatrix(name)) return this.quantization
    if (!isWordTable(name) || !this.quantization) return undefined
    const { quantization } = this.checkpoint
    return quantization ? quantization.words : wordTableDtype
  }

  /** The dtype of most matrices of the layers: in a file of several dtypes, that of the largest tensor. */
  get layerDtype(): LinearDtype {
    const [first, ...others] = this.checkpoint.tensors.values()
    const largest = others.reduce((a, b) => (b.bytes > (a?.bytes ?? 0) ? b : a), first)
    return this.quantization ?? (largest ? this.dtypeOf(largest) : 'f16')
  }

  /** Whether the checkpoint has a tensor. */
  has(name: string): boolean {
    return this.checkpoint.has(name, this.backbone)
  }

  #tensor(name: string, shape: readonly number[]): TensorInfo {
    return this.checkpoint.tensor(name, shape, this.backbone)
  }

  /** A linear layer: `name.weight` [columns, inner] and, unless there is none, `name.bias` [columns]. */
  linear(name: string, columns: number, inner: number, options: LinearOptions = {}): Linear {
    return this.linears([[name, columns]], inner, options)[0]
  }

  /**
   * Linear layers that read the same x, as {@link linear} has them: side by side where their dtypes agree and the adapter
   * binds so much at once.
   */
  linears<const Layers extends readonly (readonly [name: string, columns: number])[]>(
    layers: Layers,
    inner: number,
    { bias = true }: LinearOptions = {},
  ): { [Layer in keyof Layers]: Linear } {
    const sources = layers.map(([name, columns]) => {
      const source = this.#linearSource(`${name}.weight`, columns, inner)
      return bias ? { ...source, bias: { name: `${name}.bias`, length: columns, from: 0 } } : source
    })
    return this.#together(sources) as { [Layer in keyof Layers]: Linear }
  }

  /**
   * Linear layers that a checkpoint holds as one, their rows one after another, such as queries, keys and values: each as
   * {@link linear} has it.
   */
  packedLinears<const Columns extends readonly number[]>(
    name: string,
    columns: Columns,
    inner: number,
    { bias = true }: LinearOptions = {},
  ): { [Layer in keyof Columns]: Linear } {
    const length = columns.reduce((sum, count) => sum + count)
    let next = 0
    const sources = columns.map((count) => {
      const from = next
      next += count
      const source = this.#linearSource(`${name}.weight`, length, inner, from, count)
      return bias ? { ...source, bias: { name: `${name}.bias`, length, from } } : source
    })
    return this.#together(sources) as { [Layer in keyof Columns]: Linear }
  }

  /** Declares linear layers that read the same x. */
  #together(sources: readonly LinearSource[]): Linear[] {
    const { dtype } = sources[0] as LinearSource
    const fits = this.#linearBytes(sources) <= this.gpu.facts.maxBinding
    const together = fits && sources.every((source) => source.dtype === dtype)
    return together
      ? this.#declareLinears(sources)
      : sources.flatMap((one) => this.#declareLinears([one]))
  }

  /**
   * A convolution over tokens, `name.weight` [columns, inner, size] and `name.bias`, as a linear layer: its x has the `size`
   * neighbours of each column side by side.
   */
  convolution(name: string, columns: number, inner: number, size: number): Linear {
    const tensor = this.#tensor(`${name}.weight`, [columns, inner, size])
    const source = this.#floatRows(tensor, inner * size, 0, columns)
    const bias = { name: `${name}.bias`, length: columns, from: 0 }
    return this.#declareLinears([{ ...source, bias }])[0] as Linear
  }

  /** One row of a tensor [rows, inner] as a linear layer to one number: a word's logit of a language-model head. */
  linearRow(name: string, rows: number, inner: number, row: number): Linear {
    return this.#declareLinears([this.#linearSource(name, rows, inner, row, 1)])[0] as Linear
  }

  /** Row `plus` of a tensor [rows, inner] less row `minus`, in f32, as a linear layer to one number. */
  linearRowDifference(
    name: string,
    rows: number,
    inner: number,
    plus: number,
    minus: number,
  ): Linear {
    const { tensors, values } = this.#valuesOf(name, rows, inner)
    const dtype = 'f32'
    const kernel = this.#kernel(dtype, inner)
    const shape = [1, inner] as const
    const { block, open } = this.#block(name, linearBytes(kernel, dtype, shape))
    const difference = new Float32Array(inner)
    let missing = 2
    const job = (row: number, sign: 1 | -1): Job => ({
      tensors,
      row,
      rows: 1,
      group: 1,
      open: () => {
        const write = open()
        return (pieces) => {
          values(pieces).forEach((value, i) => {
            difference[i] = (difference[i] as number) + sign * value
          })
          if (--missing > 0) return
          const padded = padRows(new Uint32Array(difference.buffer), inner, paddedInner(inner))
          write(kernel.pack(padded, linearUnit(dtype), linearRowWords(dtype, inner), 1), 0)
        }
      },
    })
    this.#jobs.push(job(plus, 1), job(minus, -1))
    return { weight: { name, shape, dtype, block, kernel, tile: 0 } }
  }

  /** The numbers of rows of a tensor [rows, inner] in f32, where it is quantized those that its whole numbers stand for. */
  #valuesOf(
    name: string,
    rows: number,
    inner: number,
  ): { tensors: Job['tensors']; values: (pieces: Pieces) => Float32Array } {
    const dtype = this.#quantizationOf(name)
    if (dtype) {
      const source = this.#quantizedSource(name, [rows, inner], dtype)
      const values = (pieces: Pieces) => dequantizeRows(source.rows(pieces), inner, dtype)
      return { tensors: source.tensors, values }
    }
    const tensor = this.#tensor(name, [rows, inner])
    return {
      tensors: [tensor],
      values: ([piece]) => storedToF32(piece, tensor.dtype as FloatDtype),
    }
  }

  /** `count` rows of a tensor [rows, inner], from `row` on. */
  #linearSource(name: string, rows: number, inner: number, row = 0, count = rows): LinearSource {
    const dtype = this.#quantizationOf(name)
    if (!dtype) return this.#floatRows(this.#tensor(name, [rows, inner]), inner, row, count)
    const source = this.#quantizedSource(name, [rows, inner], dtype)
    const words = groupedWords(source, inner, dtype)
    return { tensors: source.tensors, shape: [count, inner], dtype, row, words }
  }

  #quantizedSource(
    name: string,
    shape: readonly [rows: number, inner: number],
    dtype: QuantizedDtype,
  ): QuantizedSource {
    return quantizedSource(this.checkpoint, name, shape, dtype, this.backbone)
  }

  /** `count` rows of a tensor, of `inner` numbers each, from `row` on. */
  #floatRows(tensor: TensorInfo, inner: number, row: number, count: number): LinearSource {
    const dtype = this.dtypeOf(tensor)
    const padded = paddedInner(inner)
    const words = ([piece]: Pieces) => rowsAsWords(piece, tensor, dtype, inner, padded)
    return { tensors: [tensor], shape: [count, inner], dtype, row, words }
  }

  /** Declares linear layers of one dtype side by side, each filled up to whole column tiles; their biases alike. */
  #declareLinears(sources: readonly LinearSource[]): Linear[] {
    const [{ dtype, shape, tensors, bias: firstBias }] = sources as [LinearSource]
    const [, inner] = shape
    const kernel = this.#kernel(dtype, inner)
    const rowWords = linearRowWords(dtype, inner)
    const bytes = this.#linearBytes(sources)
    const declared = this.#block(tensors[0].name, bytes)
    const biases = firstBias && this.#block(firstBias.name, bytes / rowWords)
    let tile = 0
    return sources.map(({ tensors, shape, row, words, bias }) => {
      const [columns] = shape
      const firstTile = tile
      const first = firstTile * kernel.columns
      tile += columnTiles(kernel, columns)
      const { block } = declared
      this.#jobs.push({
        tensors,
        row,
        rows: columns,
        group: kernel.columns,
        open: () => {
          const write = declared.open()
          return (pieces, at, rows) => {
            const packed = kernel.pack(words(pieces), linearUnit(dtype), rowWords, rows)
            write(packed, 4 * (first + at) * rowWords)
          }
        },
      })
      const weight = { name: tensors[0].name, shape, dtype, block, kernel, tile: firstTile }
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
    return linearKernel(this.gpu, dtype, inner, this.activations)
  }

  /** A layer norm: `name.weight` and, unless there is none, `name.bias`, [width]. */
  layerNorm(
    name: string,
    width: number,
    eps: number,
    { bias = true }: { readonly bias?: boolean } = {},
  ): LayerNorm {
    const weight = this.vector(`${name}.weight`, width)
    return { weight, eps, ...(bias && { bias: this.vector(`${name}.bias`, width) }) }
  }

  /** A root-mean-square norm: `name.weight`, [width]. */
  rmsNorm(name: string, width: number, eps: number, offset: number): RmsNorm {
    return { weight: this.vector(`${name}.weight`, width), eps, offset }
  }

  /** Numbers for each column, [width], always in f32. */
  vector(name: string, width: number): Vector {
    const part = { name, length: width, from: 0 }
    return this.#vectorAt(part, width, this.#block(name, 4 * width), 0)
  }

  /** `width` numbers of a vector, from number `first` of a block on. */
  #vectorAt(
    { name, length, from }: VectorPart,
    width: number,
    { block, open }: DeclaredBlock,
    first: number,
  ): Vector {
    const tensor = this.#tensor(name, [length])
    this.#declare(tensor, 1, () => {
      const write = open()
      return ([piece]) => {
        const all = rowsAsWords(piece, tensor, 'f32', length, length)
        write(all.subarray(from, from + width), 4 * first)
      }
    })
    return { name, shape: [width], dtype: 'f32', block }
  }

  /** A table [rows, width] on the device. */
  table(name: string, rows: number, width: number, dtype: WeightDtype): Weight {
    const tensor = this.#tensor(name, [rows, width])
    const rowBytes = 4 * tableRowWords(dtype, width)
    const { block, open } = this.#block(name, rows * rowBytes)
    this.#declare(tensor, rows, () => {
      const write = open()
      return ([piece], row) =>
        write(rowsAsWords(piece, tensor, dtype, width, 2 * tablePairs(width)), row * rowBytes)
    })
    return { name, shape: tensor.shape, dtype, block }
  }

  /** A table [rows, width] that stays on the host. */
  hostTable(name: string, rows: number, width: number): HostTable {
    const { tensors, dtype, words: wordsOf, isAsStored } = this.#tableSource(name, rows, width)
    const rowWords = tableRowWords(dtype, width)
    this.#hostBytes += 4 * rows * rowWords
    const whole = isAsStored && 4 * rows * rowWords <= wholeTableBytes
    let words = new Uint32Array()
    const open = (): TakeRows => {
      if (!whole) words = new Uint32Array(rows * rowWords)
      return (pieces, row) => {
        const read = wordsOf(pieces)
        if (whole) words = read
        else words.set(read, row * rowWords)
      }
    }
    this.#jobs.push({ tensors, row: 0, rows, group: 1, whole, open })
    return {
      name,
      shape: [rows, width],
      dtype,
      get words() {
        return words
      },
    }
  }

  #tableSource(name: string, rows: number, width: number): TableSource {
    const quantized = this.#quantizationOf(name)
    if (quantized) {
      const source = this.#quantizedSource(name, [rows, width], quantized)
      const words = groupedWords(source, width, quantized)
      return { tensors: source.tensors, dtype: quantized, words, isAsStored: false }
    }
    const tensor = this.#tensor(name, [rows, width])
    const dtype = this.dtypeOf(tensor)
    const padded = 2 * tablePairs(width)
    return {
      tensors: [tensor],
      dtype,
      words: ([piece]) => rowsAsWords(piece, tensor, dtype, width, padded),
      isAsStored: tensor.dtype === dtype && width === padded,
    }
  }

  #declare(tensor: TensorInfo, rows: number, open: () => TakeRows): void {
    this.#jobs.push({ tensors: [tensor], row: 0, rows, group: 1, open })
  }

  #block(name: string, bytes: number): DeclaredBlock {
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
   * Reads everything declared. The blocks of all tensors are there at once, empty until they are read.
   *
   * @throws the signal's reason; CheckpointError; the fault of a device that is lost meanwhile
   */
  load({ signal, onProgress }: ReadOptions = {}): Promise<void> {
    return readJobs(this.checkpoint, this.#jobs, {
      signal,
      onProgress: (progress) => {
        this.gpu.check()
        onProgress?.(progress)
      },
    })
  }
}

/** What is read of quantized rows as words, group by group. */
const groupedWords =
  ({ rows }: QuantizedSource, inner: number, dtype: QuantizedDtype) =>
  (pieces: Pieces): Uint32Array<ArrayBuffer> => {
    const { numbers, scales } = rows(pieces)
    return groupedRows(numbers, scales, inner, dtype)
  }
