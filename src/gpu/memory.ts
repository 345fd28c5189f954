import { GpuError } from './errors.ts'

/** The page size that buffers are rounded up to. */
const granule = 256

/** A buffer of the arena. Its label is unique in its memory. */
export interface Block {
  readonly buffer: GPUBuffer
  readonly bytes: number
}

/** Blocks that are free, the smallest first. */
type FreeList = Block[]

/**
 * The buffers of a device, each counted. Lasting ones (weights) are made by {@link create}; those of a
 * forward pass come from an arena by {@link take} and go back by {@link give}. The queue runs in order: a block
 * given back while the device still reads it is written only after that.
 */
export class Memory {
  #next = 0
  // What the host writes goes to the device before the commands that are being recorded, and so never into a block
  // that these have used: uploads have blocks of their own, given back once the recording is submitted.
  readonly #free: Record<'activation' | 'upload', FreeList> = { activation: [], upload: [] }
  readonly #all = new Set<GPUBuffer>()
  #bytes = 0

  constructor(
    readonly device: GPUDevice,
    readonly maxBytes: number,
  ) {}

  /** Buffers alive and the bytes they hold. */
  get used(): { buffers: number; bytes: number } {
    return { buffers: this.#all.size, bytes: this.#bytes }
  }

  create(name: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const size = Math.max(granule, Math.ceil(bytes / granule) * granule)
    if (size > this.maxBytes) {
      throw new GpuError(
        'limit-exceeded',
        `${name} needs ${size} bytes in one buffer; this adapter binds at most ${this.maxBytes}`,
      )
    }
    const buffer = this.device.createBuffer({ label: `${name} #${this.#next++}`, size, usage })
    this.#all.add(buffer)
    this.#bytes += size
    return buffer
  }

  destroyBuffer(buffer: GPUBuffer): void {
    if (!this.#all.delete(buffer)) return
    this.#bytes -= buffer.size
    buffer.destroy()
  }

  /**
   * The preferred block if it is free and fits, else the smallest that does, else a new one. A pass that prefers what
   * the last one took in its place finds it free, unless that pass was of another kind: so the arena stops growing once
   * the largest batch has passed, and bind groups made once serve again.
   */
  take(bytes: number, purpose: 'activation' | 'upload', preferred?: Block): Block {
    const free = this.#free[purpose]
    const wanted = preferred && preferred.bytes >= bytes ? free.indexOf(preferred) : -1
    const at = wanted >= 0 ? wanted : free.findIndex((block) => block.bytes >= bytes)
    if (at >= 0) return free.splice(at, 1)[0] as Block
    const size = Math.min(sizeClass(bytes), this.maxBytes)
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
    return { buffer: this.create(purpose, size, usage), bytes: size }
  }

  give(block: Block, purpose: 'activation' | 'upload'): void {
    const free = this.#free[purpose]
    const at = free.findIndex(
      ({ bytes, buffer }) =>
        bytes > block.bytes || (bytes === block.bytes && buffer.label > block.buffer.label),
    )
    free.splice(at < 0 ? free.length : at, 0, block)
  }

  destroy(): void {
    for (const buffer of this.#all) buffer.destroy()
    this.#all.clear()
    this.#free.activation = []
    this.#free.upload = []
    this.#bytes = 0
  }
}

/** Four sizes to each doubling: at most a quarter of a block is unused, and like batches share blocks. */
export function sizeClass(bytes: number): number {
  const step = Math.max(granule, 2 ** Math.floor(Math.log2(Math.max(1, bytes))) / 4)
  return Math.ceil(bytes / step) * step
}
