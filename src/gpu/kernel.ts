import { type ShaderName, shaderText } from '../../shaders/index.ts'
import { GpuError } from './errors.ts'
import { type Binding, type Param, readInterface } from './shader-interface.ts'
import { unroll } from './unroll.ts'

/** A shader file and what is put in front of it: the types and sizes that it and its libraries name as `// needs: S, T`. */
export interface KernelSpec {
  readonly shader: ShaderName
  /** WGSL features, as `enable f16;`. */
  readonly enable?: readonly string[]
  /** Types, as `alias T = f32;`. */
  readonly types?: Readonly<Record<string, string>>
  /** Sizes that register arrays need, as `const ROWS = 8u;`. */
  readonly sizes?: Readonly<Record<string, number>>
  /** The file that stands for a library the shader names: `{ weights: 'weights_f16' }`. */
  readonly libraries?: Readonly<Record<string, ShaderName>>
}

/** Bind groups kept for a kernel; past that they are made anew. */
const mostGroups = 4096

/** The files that a kernel is made of: the libraries that its first line names as `// uses: weights`, and theirs, then its own. */
export async function kernelFiles({ shader, libraries = {} }: KernelSpec): Promise<ShaderName[]> {
  const used = /^\/\/ uses: (.*)/.exec(await shaderText(shader))?.[1]?.split(', ') ?? []
  const files = await Promise.all(
    used.map((name) => kernelFiles({ shader: libraries[name] ?? (name as ShaderName), libraries })),
  )
  return [...new Set([...files.flat(), shader])]
}

/** The text that is compiled: features, types, sizes, then the {@link kernelFiles}, their `//#` loops written out. */
export async function shaderCode(spec: KernelSpec): Promise<string> {
  const texts = await Promise.all((await kernelFiles(spec)).map(shaderText))
  return [
    ...(spec.enable ?? []).map((feature) => `enable ${feature};`),
    ...Object.entries(spec.types ?? {}).map(([name, type]) => `alias ${name} = ${type};`),
    ...Object.entries(spec.sizes ?? {}).map(([name, size]) => `const ${name} = ${size}u;`),
    ...texts.map((text) => unroll(text, spec.sizes)),
  ].join('\n')
}

/** A compute pipeline whose parameters and bindings are known by the names that the shader gives them. */
export class Kernel {
  #params: readonly Param[] = []
  #bindings: readonly Binding[] = []
  #layout: GPUBindGroupLayout | undefined
  readonly #groups = new Map<string, GPUBindGroup>()
  #compiled: Promise<GPUComputePipeline> | undefined
  #pipeline: GPUComputePipeline | undefined

  constructor(
    readonly device: GPUDevice,
    readonly spec: KernelSpec,
  ) {}

  get name(): ShaderName {
    return this.spec.shader
  }

  /** Compiles the pipeline; a fault names the shader and the line. */
  async compile(): Promise<void> {
    this.#compiled ??= this.#create()
    this.#pipeline = await this.#compiled
  }

  async #create(): Promise<GPUComputePipeline> {
    const { device, name } = this
    const code = await shaderCode(this.spec)
    const { params, bindings } = readInterface(name, code)
    this.#params = params
    this.#bindings = bindings
    this.#layout = bindGroupLayout(device, name, bindings)
    // The pipeline reports what is wrong with the text; nothing else shall.
    device.pushErrorScope('validation')
    const module = device.createShaderModule({ label: name, code })
    device.popErrorScope().catch(() => {})
    const layout = device.createPipelineLayout({ label: name, bindGroupLayouts: [this.#layout] })
    try {
      return await device.createComputePipelineAsync({ label: name, layout, compute: { module } })
    } catch (cause) {
      const { messages } = await module.getCompilationInfo()
      const errors = messages.filter(({ type }) => type === 'error')
      const lines = code.split('\n')
      const reported = errors.map(
        ({ lineNum, message }) => `${message} in "${lines[lineNum - 1]?.trim() ?? ''}"`,
      )
      throw new GpuError(
        'shader-invalid',
        `shader ${name} does not compile on this adapter: ${reported.join('; ') || (cause as Error).message}`,
        { cause },
      )
    }
  }

  get pipeline(): GPUComputePipeline {
    if (!this.#pipeline)
      throw new GpuError('internal', `internal: kernel ${this.name} is not compiled`)
    return this.#pipeline
  }

  /** Writes the parameters in the order of the shader's `Params`; gives the bytes used. */
  writeParams(values: Readonly<Record<string, number>>, out: DataView, at: number): void {
    this.#params.forEach(({ name, type }, index) => {
      const value = values[name]
      if (value === undefined) {
        throw new GpuError('internal', `internal: kernel ${this.name} needs the parameter ${name}`)
      }
      if (type === 'u32') out.setUint32(at + 4 * index, value, true)
      else out.setFloat32(at + 4 * index, value, true)
    })
  }

  /** Bytes of the uniform block. */
  get paramBytes(): number {
    return Math.ceil((4 * this.#params.length) / 16) * 16
  }

  /** The bind group over these buffers, made once. `uniforms` is the page that the parameters are in. */
  group(uniforms: GPUBuffer, buffers: Readonly<Record<string, GPUBufferBinding>>): GPUBindGroup {
    const bound = this.#bindings.map(({ name }) => {
      const binding = buffers[name]
      if (!binding)
        throw new GpuError('internal', `internal: kernel ${this.name} needs the buffer ${name}`)
      return binding
    })
    const places = bound.map(({ buffer, offset, size }) => `${buffer.label} ${offset} ${size}`)
    const key = [uniforms.label, ...places].join()
    let group = this.#groups.get(key)
    if (!group) {
      group = this.device.createBindGroup({
        label: this.name,
        layout: this.#layout as GPUBindGroupLayout,
        entries: [
          { binding: 0, resource: { buffer: uniforms, size: this.paramBytes } },
          ...bound.map((resource, index) => ({ binding: index + 1, resource })),
        ],
      })
      if (this.#groups.size >= mostGroups) this.#groups.clear()
      this.#groups.set(key, group)
    }
    return group
  }
}

/** The parameters, and then the buffers. */
const bindGroupLayout = (device: GPUDevice, label: string, bindings: readonly Binding[]) =>
  device.createBindGroupLayout({
    label,
    entries: [
      {
        binding: 0,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: 'uniform', hasDynamicOffset: true },
      },
      ...bindings.map(({ written }, index) => ({
        binding: index + 1,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: written ? ('storage' as const) : ('read-only-storage' as const) },
      })),
    ],
  })
