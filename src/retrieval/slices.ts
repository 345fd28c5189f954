import type { Gpu } from '../gpu/device.ts'
import { linearBytes, linearRowWords, linearUnit, paddedInner, padRows } from '../tensor/layout.ts'
import { type Linear, type LinearKernel, linearKernel } from '../tensor/linear.ts'
import { blockRows } from './index-files.ts'
import type { StoredNumbers, Vectors } from './vectors.ts'

/** Vectors `first` to `end` (exclusive). */
export interface Slice {
  readonly first: number
  readonly end: number
}

export interface SliceOptions {
  /** Most vectors of a slice. Default 65,536. */
  readonly sliceRows?: number | undefined
  /** Bytes of vectors that stay on the device; those beyond are sent with each search. Default 2 GiB. */
  readonly deviceBytes?: number | undefined
}

/** Slices are of at most so many bytes: they are also copied on the host. */
const mostSliceBytes = 2 ** 27

/** The vectors of a corpus on the device, slice by slice, each as the weight of a linear layer. */
export class Slices {
  readonly all: readonly Slice[]
  readonly #staying = new Map<Slice, Linear>()
  #bytesLeft: number
  /** What slices that do not stay are written to, one after another. */
  #passing: GPUBuffer | undefined

  constructor(
    readonly gpu: Gpu,
    readonly vectors: Vectors,
    { sliceRows = 65_536, deviceBytes = 2 ** 31 }: SliceOptions = {},
  ) {
    const { count, dimensions, dtype } = vectors
    const rowBytes = 4 * linearRowWords(dtype, dimensions)
    const fitting = Math.floor(Math.min(gpu.facts.maxBinding, mostSliceBytes) / rowBytes)
    const most = Math.min(sliceRows, Math.max(1, fitting - (fitting % blockRows)))
    this.all = Array.from({ length: Math.ceil(count / most) }, (_, i) => ({
      first: i * most,
      end: Math.min((i + 1) * most, count),
    }))
    this.#bytesLeft = deviceBytes
  }

  /** Reads the numbers of a slice; `undefined` where it is on the device. */
  async read(slice: Slice): Promise<StoredNumbers | undefined> {
    return this.#staying.has(slice) ? undefined : this.vectors.read(slice.first, slice.end)
  }

  /** Puts a slice on the device. One that does not stay takes the place of the last such, which the device must be done with. */
  place(slice: Slice, numbers: StoredNumbers | undefined): Linear {
    const there = this.#staying.get(slice)
    if (there || !numbers) return there as Linear
    const { gpu, vectors } = this
    const { dimensions, dtype } = vectors
    const shape = [slice.end - slice.first, dimensions] as const
    const kernel = linearKernel(gpu, dtype, dimensions)
    const bytes = linearBytes(kernel, dtype, shape)
    const stays = bytes <= this.#bytesLeft
    if (!stays) this.#passing ??= this.#buffer(this.#largestBytes(kernel))
    const buffer = stays ? this.#buffer(bytes) : (this.#passing as GPUBuffer)
    const words = padRows(patternsOf(numbers), dimensions, paddedInner(dimensions))
    const packed = kernel.pack(
      words,
      linearUnit(dtype),
      linearRowWords(dtype, dimensions),
      shape[0],
    )
    gpu.device.queue.writeBuffer(buffer, 0, packed)
    const block = { buffer, bytes: buffer.size }
    const layer = { weight: { name: 'vectors', shape, dtype, block, kernel, tile: 0 } }
    if (stays) {
      this.#bytesLeft -= bytes
      this.#staying.set(slice, layer)
    }
    return layer
  }

  #largestBytes(kernel: LinearKernel): number {
    const { dimensions, dtype } = this.vectors
    const { first, end } = this.all[0] as Slice
    return linearBytes(kernel, dtype, [end - first, dimensions])
  }

  #buffer(bytes: number): GPUBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST
    return this.gpu.memory.create('vectors', bytes, usage)
  }
}

const patternsOf = (numbers: StoredNumbers) =>
  numbers instanceof Float32Array
    ? new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)
    : numbers
