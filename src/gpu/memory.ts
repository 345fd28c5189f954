import { GpuError } from './errors.ts'

/** The page size that buffers are rounded up to. */
const granule = 256

/** A buffer of the arena. Its label is unique in its memory. */
export interface Block {
  readonly buffer: GPUBuffer
  readonly bytes: number
}

/** What a block serves: a tensor of a pass, or numbers from the host. */
type Purpose = 'activation' | 'upload'

/**
 * The buffers of a device, each counted. Lasting ones (weights) are made by {@link create}; those of a forward pass come
 * from an arena by {@link acquire} and go back by {@link release}, each once. The queue runs in order: a block that is
 * released while the device still reads it is written only after that.
 */
export class Memory {
  #next = 0
  // What the host writes goes to the device before the commands that are being recorded, and so never into a block
  // that these have used: uploads have blocks of their own, released once the recording is submitted.
  readonly #free: Record<Purpose, Block[]> = { activation: [], upload: [] }
  readonly #acquired = new Map<Block, Purpose>()
  readonly #all = new Set<GPUBuffer>()
  #bytes = 0
  #destroyed = false

  constructor(
    readonly device: GPUDevice,
    readonly maxBytes: number,
  ) {}

  /** Buffers alive and the bytes they hold. */
  get used(): { buffers: number; bytes: number } {
    return { buffers: this.#all.size, bytes: this.#bytes }
  }

  /** Blocks of the arena that are acquired: none while no pass is recorded. */
  get acquired(): number {
    return this.#acquired.size
  }

  create(name: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    if (this.#destroyed) throw new GpuError('internal', `internal: ${name} is made after the end`)
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
  acquire(bytes: number, purpose: Purpose, preferred?: Block): Block {
    const free = this.#free[purpose]
    const wanted = preferred && preferred.bytes >= bytes ? free.indexOf(preferred) : -1
    const at = wanted >= 0 ? wanted : free.findIndex((block) => block.bytes >= bytes)
    const block = at >= 0 ? (free.splice(at, 1)[0] as Block) : this.#newBlock(bytes, purpose)
    this.#acquired.set(block, purpose)
    return block
  }

  #newBlock(bytes: number, purpose: Purpose): Block {
    const size = Math.min(sizeClass(bytes), this.maxBytes)
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
    return { buffer: this.create(purpose, size, usage), bytes: size }
  }

  /**
   * Frees an acquired block. After {@link destroy} there is nothing left to free.
   *
   * @throws GpuError `internal` where the block is not acquired: released twice, it would serve two tensors at once
   */
  release(block: Block): void {
    if (this.#destroyed) return
    const purpose = this.#acquired.get(block)
    if (!purpose) {
      const { label } = block.buffer
      throw new GpuError('internal', `internal: ${label} is released, but not acquired`)
    }
    this.#acquired.delete(block)
    const free = this.#free[purpose]
    // The smallest first.
    const at = free.findIndex(
      ({ bytes, buffer }) =>
        bytes > block.bytes || (bytes === block.bytes && buffer.label > block.buffer.label),
    )
    free.splice(at < 0 ? free.length : at, 0, block)
  }

  destroy(): void {
    this.#destroyed = true
    for (const buffer of this.#all) buffer.destroy()
    this.#all.clear()
    this.#acquired.clear()
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
