import type { Gpu } from '../gpu/device.ts'
import type { Kernel, KernelSpec } from '../gpu/kernel.ts'
import { type Block, sizeClass } from '../gpu/memory.ts'
import { Recording } from '../gpu/recording.ts'
import { dtypeBytes, elements, type Tensor, type TensorDtype } from './tensor.ts'

/** A tensor or a weight, or all of a block. */
type Bound = { readonly block: Block } | Tensor

/** What an operation asks of the device. */
export interface Operation {
  readonly label: string
  readonly kernel: KernelSpec
  /** Kernels that the operation may run on tensors of other sizes: they are compiled together. Asked for when a pass is planned. */
  readonly alternatives?: () => readonly KernelSpec[]
  readonly params: Readonly<Record<string, number>>
  /** What the shader's bindings are bound to, by their names. */
  readonly tensors: Readonly<Record<string, Bound>>
  readonly workgroups: readonly [x: number, y?: number, z?: number]
  readonly flops?: number
  /** Cuts the operation into parts of at most 1 / `parts` of its time, or the least there are, which give the same bits. */
  readonly divide?: (parts: number) => readonly OperationPart[]
}

/** A part of an operation: its size, and the parameters and tensors that are not those of the whole. */
export type OperationPart = Pick<Operation, 'workgroups' | 'flops'> &
  Partial<Pick<Operation, 'params' | 'tensors'>>

/**
 * Where a forward pass is written to. {@link PlanTape} only notes what it would need, {@link RecordTape}
 * records it for the device: the same lines of a model serve both.
 */
export interface Tape {
  readonly gpu: Gpu
  /** The dtype of activations. */
  readonly activations: 'f32' | 'f16'
  /** A new tensor, whose contents are not defined. */
  tensor(shape: readonly number[], dtype?: TensorDtype): Tensor
  /** New tensors in one block, which one operation can write at once. */
  tensors(shapes: readonly (readonly number[])[], dtype?: TensorDtype): Tensor[]
  /** A new tensor with numbers from the host, which lasts as long as the pass; `data` holds them as the device does. */
  upload(data: ArrayBufferView<ArrayBuffer>, shape: readonly number[], dtype: TensorDtype): Tensor
  run(operation: Operation): void
  /** Runs a step and frees every tensor made on the way, and those given, but not the one it returns. */
  scope(consumed: readonly Tensor[], make: () => Tensor): Tensor
  /** A copy of a tensor that outlives the pass. */
  keep(tensor: Tensor): KeptTensor
  /**
   * A tensor that depends on weights alone: made by the first pass that asks for it, and kept under its key for all later ones
   * of the device.
   */
  constant(key: object, make: () => Tensor): Tensor
}

/** A tensor that outlives its pass, until its owner releases it: once the pass that reads it is submitted. */
export interface KeptTensor {
  readonly tensor: Tensor
  /** Frees it; what comes after the first time does nothing. */
  release(): void
}

/** What the offset of a binding must be a multiple of on any adapter, in bytes. */
export const bindingAlignment = 256

const bytesOf = ({ shape, dtype }: Pick<Tensor, 'shape' | 'dtype'>): number =>
  elements(shape) * dtypeBytes[dtype]

/** A tensor that has its block to itself is bound as all of it: what blocks serve again, bind groups do too. */
function bindingOf(bound: Bound): GPUBufferBinding {
  const { buffer } = bound.block
  if (!('offset' in bound) || bound.offset === undefined) return { buffer }
  const size = Math.ceil(bytesOf(bound) / 16) * 16
  return { buffer, offset: bound.offset, size }
}

abstract class BaseTape implements Tape {
  #taken: Block[] = []

  constructor(
    readonly gpu: Gpu,
    readonly activations: 'f32' | 'f16',
  ) {}

  protected abstract acquire(bytes: number): Block
  protected abstract release(block: Block): void
  abstract keep(tensor: Tensor): KeptTensor
  abstract constant(key: object, make: () => Tensor): Tensor
  abstract run(operation: Operation): void
  abstract upload(
    data: ArrayBufferView<ArrayBuffer>,
    shape: readonly number[],
    dtype: TensorDtype,
  ): Tensor

  tensor(shape: readonly number[], dtype: TensorDtype = this.activations): Tensor {
    const block = this.acquire(bytesOf({ shape, dtype }))
    this.#taken.push(block)
    return { shape, dtype, block }
  }

  tensors(shapes: readonly (readonly number[])[], dtype: TensorDtype = this.activations): Tensor[] {
    let bytes = 0
    const placed = shapes.map((shape) => {
      const offset = Math.ceil(bytes / bindingAlignment) * bindingAlignment
      bytes = offset + bytesOf({ shape, dtype })
      return { shape, dtype, offset }
    })
    const block = this.acquire(bytes)
    this.#taken.push(block)
    return placed.map((tensor) => ({ ...tensor, block }))
  }

  scope(consumed: readonly Tensor[], make: () => Tensor): Tensor {
    const outer = this.#taken
    this.#taken = []
    let kept: Tensor
    try {
      kept = make()
    } catch (error) {
      this.#taken.push(...outer)
      throw error
    }
    const freed = new Set([...this.#taken, ...consumed.map(({ block }) => block)])
    freed.delete(kept.block)
    for (const block of freed) this.release(block)
    const before = outer.filter((block) => block !== kept.block && !freed.has(block))
    this.#taken = [...before, kept.block]
    return kept
  }

  /** Frees a tensor before its scope ends. */
  protected free({ block }: Tensor): void {
    this.#taken = this.#taken.filter((other) => other !== block)
    this.release(block)
  }

  /** Frees every tensor that the pass still has. */
  protected freeAll(): void {
    for (const block of this.#taken) this.release(block)
    this.#taken = []
  }
}

/** Notes which kernels a pass needs, and the bytes that its tensors take at most. */
export class PlanTape extends BaseTape {
  readonly kernels = new Set<Kernel>()
  peakBytes = 0
  largestBytes = 0
  /** Floating-point operations of what was run so far; a product that is added counts as two. */
  flops = 0
  #bytes = 0

  protected acquire(bytes: number): Block {
    const size = sizeClass(bytes)
    this.#bytes += size
    this.peakBytes = Math.max(this.peakBytes, this.#bytes)
    this.largestBytes = Math.max(this.largestBytes, bytes)
    return {
      bytes: size,
      get buffer(): GPUBuffer {
        throw new Error('internal: a plan has no buffers')
      },
    }
  }

  protected release(block: Block): void {
    this.#bytes -= block.bytes
  }

  keep(tensor: Tensor): KeptTensor {
    return { tensor, release() {} }
  }

  /** Counts as long as the pass: it may be the first. */
  constant(_key: object, make: () => Tensor): Tensor {
    return this.scope([], make)
  }

  upload(_data: ArrayBufferView, shape: readonly number[], dtype: TensorDtype): Tensor {
    return { shape, dtype, block: this.acquire(bytesOf({ shape, dtype })) }
  }

  run({ kernel, alternatives = () => [], flops = 0 }: Operation): void {
    this.flops += flops
    for (const spec of [kernel, ...alternatives()]) this.kernels.add(this.gpu.kernel(spec))
  }
}

const lastPasses = new WeakMap<Gpu, Block[]>()

type Constants = Map<object, KeptTensor>

/** The constants of a device, by the dtype of activations. */
const constants = new WeakMap<Gpu, Readonly<Record<'f32' | 'f16', Constants>>>()

/** Frees the constants of a device: those of passes over weights that have changed since. */
export function forgetConstants(gpu: Gpu): void {
  for (const kept of Object.values(constants.get(gpu) ?? {})) {
    for (const { release } of kept.values()) release()
    kept.clear()
  }
}

/** Records a pass for the device. */
export class RecordTape extends BaseTape {
  readonly #recording: Recording
  readonly #uploads: Block[] = []
  /** The blocks that the last pass took, in its order. */
  readonly #lastPass: Block[]
  readonly #constants: Constants
  /** Constants that this pass makes. */
  readonly #made: Constants = new Map()
  #places = 0

  constructor(gpu: Gpu, activations: 'f32' | 'f16', label: string) {
    super(gpu, activations)
    this.#recording = new Recording(gpu, label)
    this.#lastPass = lastPasses.get(gpu) ?? []
    lastPasses.set(gpu, this.#lastPass)
    const kept = constants.get(gpu) ?? { f32: new Map(), f16: new Map() }
    constants.set(gpu, kept)
    this.#constants = kept[activations]
  }

  protected acquire(bytes: number): Block {
    const place = this.#places++
    const block = this.gpu.memory.acquire(bytes, 'activation', this.#lastPass[place])
    this.#lastPass[place] = block
    return block
  }

  protected release(block: Block): void {
    this.gpu.memory.release(block)
  }

  keep({ shape, dtype, block, offset = 0 }: Tensor): KeptTensor {
    const { memory } = this.gpu
    const bytes = bytesOf({ shape, dtype })
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
    const buffer = memory.create('kept', bytes, usage)
    this.#recording.copy({ buffer: block.buffer, offset }, buffer, bytes)
    const tensor = { shape, dtype, block: { buffer, bytes: buffer.size } }
    return { tensor, release: () => memory.destroyBuffer(buffer) }
  }

  constant(key: object, make: () => Tensor): Tensor {
    const found = this.#constants.get(key) ?? this.#made.get(key)
    if (found) return found.tensor
    const made = this.scope([], make)
    const kept = this.keep(made)
    this.free(made)
    this.#made.set(key, kept)
    return kept.tensor
  }

  /** Once the pass has succeeded, its constants are there for all; another may have made the same meanwhile. */
  #shareConstants(): void {
    for (const [key, kept] of this.#made) {
      if (this.#constants.has(key)) kept.release()
      else this.#constants.set(key, kept)
    }
  }

  #dropConstants(): void {
    for (const { release } of this.#made.values()) release()
  }

  upload(data: ArrayBufferView<ArrayBuffer>, shape: readonly number[], dtype: TensorDtype): Tensor {
    const block = this.gpu.memory.acquire(bytesOf({ shape, dtype }), 'upload')
    this.#uploads.push(block)
    const { buffer, byteOffset, byteLength } = data
    this.gpu.device.queue.writeBuffer(block.buffer, 0, buffer, byteOffset, byteLength)
    return { shape, dtype, block }
  }

  /** An operation that takes longer than a submit may is recorded in parts. */
  run(operation: Operation): void {
    const { flops = 0, divide, params, tensors } = operation
    const count = Math.ceil(flops / this.gpu.pace.submitFlops)
    const parts = divide && count > 1 ? divide(count) : [operation]
    for (const part of parts) {
      this.#record({
        ...operation,
        ...part,
        params: { ...params, ...part.params },
        tensors: { ...tensors, ...part.tensors },
      })
    }
  }

  #record({ label, kernel, params, tensors, workgroups, flops = 0 }: Operation): void {
    const buffers = Object.fromEntries(
      Object.entries(tensors).map(([name, bound]) => [name, bindingOf(bound)]),
    )
    this.#recording.dispatch({
      label,
      kernel: this.gpu.kernel(kernel),
      params,
      buffers,
      workgroups,
      flops,
    })
  }

  /** Submits the pass and reads tensors back; every tensor of the pass is freed. */
  read(tensors: readonly Tensor[]): Promise<ArrayBuffer[]> {
    const sources = tensors.map((tensor) => {
      const { block, offset = 0 } = tensor
      return { buffer: block.buffer, offset, bytes: bytesOf(tensor) }
    })
    const read = this.#recording.read(sources)
    if (this.#made.size > 0) {
      read.then(
        () => this.#shareConstants(),
        () => this.#dropConstants(),
      )
    }
    this.#freeBlocks()
    return read
  }

  /** Gives the pass up; what of it was submitted has no effect. */
  discard(): void {
    this.#recording.discard()
    this.#dropConstants()
    this.#freeBlocks()
  }

  #freeBlocks(): void {
    this.freeAll()
    for (const block of this.#uploads) this.gpu.memory.release(block)
  }
}

/** What a shader that stores activations must enable. */
export const tapeFeatures = (tape: Tape): string[] => (tape.activations === 'f16' ? ['f16'] : [])
