import { environment, mapForReading, webgpu } from '#platform'
import { KernelChoices, type KernelNames } from './choices.ts'
import { GpuError } from './errors.ts'
import { Kernel, type KernelSpec } from './kernel.ts'
import { Memory } from './memory.ts'
import { Pace } from './pace.ts'
import { Profile } from './profile.ts'
import { checkedMatrices, tunedKernels } from './tuned.ts'

/** A shape of subgroup matrices (tensor cores) that an adapter multiplies: M x K numbers by K x N, giving M x N. */
export interface SubgroupMatrix {
  /** Of what is multiplied, such as `f16`. */
  readonly componentType: string
  /** Of the sums, such as `f32`. */
  readonly resultComponentType: string
  readonly M: number
  readonly N: number
  readonly K: number
}

/** What kernels are chosen by: facts of the adapter, never of a vendor's name. */
export interface AdapterFacts {
  readonly vendor: string
  readonly architecture: string
  readonly description: string
  /** Computes on the processor: lavapipe, SwiftShader. */
  readonly software: boolean
  /** The one size that subgroups have here; 0 where there are none or their size varies. */
  readonly subgroupSize: number
  /** The sizes between which theirs may vary, whether or not shaders may use them; 0 where the adapter does not say. */
  readonly subgroupMinSize: number
  readonly subgroupMaxSize: number
  /** Whether a shader can ask for one of these sizes. */
  readonly subgroupSizeControl: boolean
  /** Matrices that a subgroup multiplies as a whole; none where the device has no such feature. */
  readonly subgroupMatrices: readonly SubgroupMatrix[]
  readonly shaderF16: boolean
  readonly timestamps: boolean
  /** Bytes that one storage binding may span. */
  readonly maxBinding: number
  readonly maxInvocations: number
  /** Bytes of workgroup memory. */
  readonly maxWorkgroupMemory: number
}

/** The device that is used, and the kernels on it. */
export interface GpuOptions {
  /** A device of the caller: used, and left as it was. */
  readonly device?: GPUDevice | undefined
  /** An adapter of the caller, from which the device is made. */
  readonly adapter?: GPUAdapter | undefined
  /** Times every operation by timestamp queries; `DAWNRANK_PROFILE=1` does so too, and prints the table at the end. */
  readonly profile?: boolean | undefined
  /** Kernels to use in place of those chosen for the adapter, by operation: `{ 'linear f16': 'linear_tiled 64x64' }`. */
  readonly kernels?: KernelNames | undefined
  /** False leaves out the kernels that use subgroup matrices; so does a check that found them wrong. */
  readonly matrices?: boolean | undefined
}

/** Pipelines and bindings want more than WebGPU's guaranteed limits; what the adapter has is asked for. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
] as const

/** Subgroup matrices (tensor cores), by Dawn's name. */
export const matrixFeature = 'chromium-experimental-subgroup-matrix'

/** Some are not among the names that TypeScript knows. */
const wantedFeatures: readonly string[] = [
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  matrixFeature,
  'timestamp-query',
]

/** The shapes of an adapter's subgroup matrices, as Dawn tells them, in objects of ours. */
function matricesOf(info: GPUAdapterInfo): SubgroupMatrix[] {
  const { subgroupMatrixConfigs = [] } = info as {
    subgroupMatrixConfigs?: Iterable<SubgroupMatrix>
  }
  return [...subgroupMatrixConfigs].map(({ componentType, resultComponentType, M, N, K }) => {
    return { componentType, resultComponentType, M, N, K }
  })
}

/** A WebGPU device, its facts, its kernels and its memory. */
export class Gpu {
  #facts: AdapterFacts
  readonly memory: Memory
  readonly profile: Profile | undefined
  readonly pace = new Pace()
  /** Resolves when the device is lost, unless it was disposed of before. */
  readonly lost: Promise<GpuError>
  #fault: GpuError | undefined
  #ended = false
  readonly #pending = new Set<(why: GpuError) => void>()
  readonly #kernels = new Map<string, Kernel>()

  private constructor(
    readonly device: GPUDevice,
    info: GPUAdapterInfo,
    readonly owned: boolean,
    profile: boolean,
    readonly choices: KernelChoices,
    matrices: boolean,
    wrong: string | undefined,
  ) {
    const has = (feature: string) => device.features.has(feature as GPUFeatureName)
    const { limits } = device
    const { subgroupMinSize = 0, subgroupMaxSize = 0 } = info
    const fixed = has('subgroups') && subgroupMinSize === subgroupMaxSize
    const usesMatrices = matrices && has(matrixFeature) && has('subgroups') && has('shader-f16')
    this.#facts = {
      vendor: info.vendor,
      architecture: info.architecture,
      description: info.description,
      software: info.isFallbackAdapter === true,
      subgroupSize: fixed ? subgroupMaxSize : 0,
      subgroupMinSize,
      subgroupMaxSize,
      subgroupSizeControl: has('subgroup-size-control'),
      subgroupMatrices: usesMatrices ? matricesOf(info) : [],
      shaderF16: has('shader-f16'),
      timestamps: has('timestamp-query'),
      maxBinding: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
      maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupMemory: limits.maxComputeWorkgroupStorageSize,
    }
    this.memory = new Memory(device, this.facts.maxBinding)
    if (wrong !== undefined && usesMatrices) this.leaveOutMatrices(wrong)
    this.profile = profile && this.facts.timestamps ? new Profile(device) : undefined
    this.lost = new Promise((resolve) => {
      device.lost.then(({ reason, message }) => {
        const why = message || reason || 'no reason given'
        const text = `the WebGPU device was lost (${why}); load the model again`
        const fault = new GpuError('device-lost', text)
        if (!this.#ended) resolve(fault)
        this.#end(fault)
      })
    })
    if (owned) {
      device.addEventListener('uncapturederror', ({ error }) => {
        this.#fault ??= operationError('a GPU operation', error)
      })
    }
  }

  get facts(): AdapterFacts {
    return this.#facts
  }

  /** Leaves out the kernels that use subgroup matrices from now on: these were found wrong. */
  leaveOutMatrices(why: string): void {
    this.#facts = { ...this.#facts, subgroupMatrices: [] }
    this.choices.leftOut = why
  }

  /** Rejects what is pending, now and later. */
  #end(why: GpuError): void {
    this.#fault ??= why
    this.#ended = true
    for (const reject of this.#pending) reject(this.#fault)
  }

  /** What `work` gives; rejects as soon as the device is lost or disposed of, whatever becomes of `work`. */
  async whileOpen<T>(work: Promise<T>): Promise<T> {
    let reject: (why: GpuError) => void = () => {}
    const end = new Promise<never>((_, rejectEnd) => {
      reject = rejectEnd
    })
    if (this.#ended) reject(this.#fault as GpuError)
    this.#pending.add(reject)
    try {
      return await Promise.race([end, work])
    } finally {
      this.#pending.delete(reject)
    }
  }

  /** Maps a buffer for reading once the device is done with it. */
  mapForReading(buffer: GPUBuffer): Promise<void> {
    return this.whileOpen(mapForReading(buffer, () => this.#ended))
  }

  /** Opens an adapter's device, or borrows the caller's. */
  static async open(options: GpuOptions = {}): Promise<Gpu> {
    const profile = options.profile ?? environment('DAWNRANK_PROFILE') === '1'
    const { matrices = true } = options
    if (options.device) {
      const { device } = options
      const { adapterInfo } = device
      const choices = await choicesFor(adapterInfo, options)
      const wrong = await wrongMatrices(adapterInfo)
      return new Gpu(device, adapterInfo, false, profile, choices, matrices, wrong)
    }
    const adapter =
      options.adapter ??
      (await (await webgpu()).requestAdapter({ powerPreference: 'high-performance' }))
    if (!adapter) {
      throw new GpuError(
        'adapter-missing',
        'no WebGPU adapter was found; on Linux check the Vulkan driver. "dawnrank doctor" says what to do',
      )
    }
    const requiredLimits = Object.fromEntries(
      wantedLimits.map((name) => [name, adapter.limits[name]]),
    )
    const requiredFeatures = (wantedFeatures as GPUFeatureName[]).filter((name) =>
      adapter.features.has(name),
    )
    const device = await adapter.requestDevice({
      label: 'dawnrank',
      requiredFeatures,
      requiredLimits,
    })
    const choices = await choicesFor(adapter.info, options)
    const wrong = await wrongMatrices(adapter.info)
    return new Gpu(device, adapter.info, true, profile, choices, matrices, wrong)
  }

  /** Throws what went wrong since, if anything did: a lost device, an error that no call was there to take. */
  check(): void {
    if (this.#fault) throw this.#fault
  }

  /** The kernel of this specification; made once, compiled by {@link compile}. */
  kernel(spec: KernelSpec): Kernel {
    const key = JSON.stringify(spec)
    let kernel = this.#kernels.get(key)
    if (!kernel) {
      kernel = new Kernel(this.device, spec)
      this.#kernels.set(key, kernel)
    }
    return kernel
  }

  /** Compiles kernels side by side. */
  async compile(kernels: Iterable<Kernel>): Promise<void> {
    this.check()
    await this.whileOpen(Promise.all([...kernels].map((kernel) => kernel.compile())))
  }

  /** Compiles kernels side by side; gives the fault of the first that the driver does not take. */
  async refusal(kernels: Iterable<Kernel>): Promise<GpuError | undefined> {
    try {
      await this.compile(kernels)
      return undefined
    } catch (error) {
      // A lost device compiles nothing, which says nothing of the kernels.
      this.check()
      if (error instanceof GpuError && error.code === 'shader-invalid') return error
      throw error
    }
  }

  /** Frees every buffer, and the device where it is ours; what is pending rejects. */
  dispose(): void {
    this.#end(new GpuError('disposed', 'the model was disposed of; load it again'))
    if (this.profile && environment('DAWNRANK_PROFILE') === '1') console.error(this.profile.table())
    this.memory.destroy()
    this.profile?.destroy()
    this.#kernels.clear()
    if (this.owned) this.device.destroy()
  }
}

const choicesFor = async (adapter: GPUAdapterInfo, { kernels = {} }: GpuOptions) =>
  new KernelChoices(kernels, await tunedKernels(adapter))

/** What an earlier check found wrong with an adapter's subgroup matrices. */
const wrongMatrices = async (adapter: GPUAdapterInfo) =>
  Object.values(await checkedMatrices(adapter)).find((found) => found !== '')

/** A WebGPU error as one that names the operation. */
export function operationError(operation: string, error: GPUError): GpuError {
  const name = error.constructor.name
  const code = name === 'GPUOutOfMemoryError' ? 'out-of-memory' : 'operation-failed'
  return new GpuError(code, `${operation}: ${error.message.trim()}`)
}
