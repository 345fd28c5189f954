import { type Gpu, operationError } from './device.ts'
import { GpuError } from './errors.ts'
import type { Kernel } from './kernel.ts'

/** One dispatch of a kernel: parameters and buffers by the names that the shader gives them. */
export interface Dispatch {
  /** What messages and the profile call it. */
  readonly label: string
  readonly kernel: Kernel
  readonly params: Readonly<Record<string, number>>
  readonly buffers: Readonly<Record<string, GPUBufferBinding>>
  /** Workgroups in x, y, z. */
  readonly workgroups: readonly [x: number, y?: number, z?: number]
  /** Arithmetic done, for the profile. */
  readonly flops?: number
}

/** Uniform blocks of one page; its offsets must be multiples of `alignment`. */
const pageBlocks = 256
const alignment = 256

const pages = new WeakMap<Gpu, GPUBuffer[]>()

/** The commands of one batch: recorded, and submitted in parts that each take the device a short time ({@link Pace}). */
export class Recording {
  #encoder: GPUCommandEncoder
  readonly #pages: GPUBuffer[]
  #params: DataView[] = []
  #pass: GPUComputePassEncoder | undefined
  #blocks = 0
  /** Blocks whose parameters the device has. */
  #written = 0
  /** Operations of all commands, and of those not submitted yet. */
  readonly #flops = { all: 0, waiting: 0 }
  #submitted: number | undefined

  constructor(
    readonly gpu: Gpu,
    readonly label: string,
  ) {
    gpu.check()
    for (const filter of errorFilters) gpu.device.pushErrorScope(filter)
    this.#encoder = gpu.device.createCommandEncoder({ label })
    this.#pages = pages.get(gpu) ?? []
    pages.set(gpu, this.#pages)
  }

  dispatch({ label, kernel, params, buffers, workgroups, flops = 0 }: Dispatch): void {
    const { profile, device } = this.gpu
    const [x, y = 1, z = 1] = workgroups
    const most = device.limits.maxComputeWorkgroupsPerDimension
    if (Math.max(x, y, z) > most) {
      throw new GpuError(
        'limit-exceeded',
        `${label}: ${x} x ${y} x ${z} workgroups; this adapter takes ${most} in each dimension. Lower maxBatchTokens`,
      )
    }
    if (this.#flops.waiting > 0 && this.#flops.waiting + flops > this.gpu.pace.submitFlops) {
      this.#submit()
      this.#encoder = device.createCommandEncoder({ label: this.label })
    }
    this.#flops.all += flops
    this.#flops.waiting += flops
    const page = Math.floor(this.#blocks / pageBlocks)
    const offset = (this.#blocks++ % pageBlocks) * alignment
    const uniforms = this.#page(page)
    kernel.writeParams(params, this.#params[page] as DataView, offset)
    if (profile) this.#endPass()
    this.#pass ??= this.#encoder.beginComputePass(
      profile ? { label, timestampWrites: profile.next(kernel.name, label, flops) } : { label },
    )
    this.#pass.setPipeline(kernel.pipeline)
    this.#pass.setBindGroup(0, kernel.group(uniforms, buffers), [offset])
    this.#pass.dispatchWorkgroups(x, y, z)
  }

  /** Copies the first `bytes` of a binding to a buffer. */
  copy({ buffer, offset = 0 }: GPUBufferBinding, to: GPUBuffer, bytes: number): void {
    this.#endPass()
    this.#encoder.copyBufferToBuffer(buffer, offset, to, 0, Math.ceil(bytes / 4) * 4)
  }

  #page(index: number): GPUBuffer {
    this.#pages[index] ??= this.gpu.memory.create(
      'uniforms',
      pageBlocks * alignment,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    )
    this.#params[index] ??= new DataView(new ArrayBuffer(pageBlocks * alignment))
    return this.#pages[index]
  }

  #endPass(): void {
    this.#pass?.end()
    this.#pass = undefined
  }

  /** Submits the commands recorded so far. */
  #submit(): void {
    const { queue } = this.gpu.device
    this.#endPass()
    for (let first = this.#written; first < this.#blocks; ) {
      const page = Math.floor(first / pageBlocks)
      const end = Math.min(this.#blocks, (page + 1) * pageBlocks)
      const start = (first % pageBlocks) * alignment
      const { buffer } = this.#params[page] as DataView
      const bytes = (end - first) * alignment
      queue.writeBuffer(this.#pages[page] as GPUBuffer, start, buffer as ArrayBuffer, start, bytes)
      first = end
    }
    this.#written = this.#blocks
    queue.submit([this.#encoder.finish({ label: this.label })])
    this.#submitted ??= performance.now()
    this.#flops.waiting = 0
  }

  /**
   * Submits the commands and reads bytes of buffers back, all at once; resolves when the device is
   * done. An error of any command rejects with the labels of what caused it.
   */
  async read(
    sources: readonly { buffer: GPUBuffer; offset: number; bytes: number }[],
  ): Promise<ArrayBuffer[]> {
    const { gpu } = this
    const { memory, profile } = gpu
    this.#endPass()
    const places: { at: number; bytes: number }[] = []
    let size = 0
    for (const { bytes } of sources) {
      places.push({ at: size, bytes })
      size += Math.ceil(bytes / 4) * 4
    }
    let staging: GPUBuffer | undefined
    let errors: Promise<void> | undefined
    try {
      staging = memory.create('readback', size, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ)
      for (const [i, { buffer, offset, bytes }] of sources.entries()) {
        const at = places[i]?.at as number
        this.#encoder.copyBufferToBuffer(buffer, offset, staging, at, Math.ceil(bytes / 4) * 4)
      }
      profile?.resolve(this.#encoder)
      this.#submit()
      errors = this.#popErrors()
      await gpu.whileOpen(errors)
      await gpu.mapForReading(staging)
      gpu.pace.note(this.#flops.all, this.#submitted as number, performance.now())
      await profile?.collect((times) => gpu.mapForReading(times))
      const read = staging.getMappedRange()
      return places.map(({ at, bytes }) => read.slice(at, at + bytes))
    } catch (error) {
      if (errors) profile?.forget()
      else this.discard()
      throw error
    } finally {
      if (staging) memory.destroyBuffer(staging)
    }
  }

  /** Gives up what was recorded. */
  discard(): void {
    this.#endPass()
    this.gpu.profile?.forget()
    this.#popErrors().catch(() => {})
  }

  async #popErrors(): Promise<void> {
    const errors = await Promise.all(errorFilters.map(() => this.gpu.device.popErrorScope()))
    const error = errors.find((found) => found !== null)
    if (error) throw operationError(this.label, error)
  }
}

const errorFilters: readonly GPUErrorFilter[] = ['validation', 'out-of-memory', 'internal']
