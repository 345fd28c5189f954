/**
 * The process that sees the pretended GPU: compiles kernels through Dawn, and writes what the driver made of each. Run by
 * compile.mjs with a job as its only argument.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { create, globals } from 'webgpu'
import { Gpu } from '../../src/gpu/device.ts'
import { shaderCode } from '../../src/gpu/kernel.ts'
import { type Analysis, analyse } from './analyse.ts'
import { projectKernels } from './project-kernels.ts'

/** What compile.mjs asks for. */
export interface Job {
  /** Where the layer writes a file for each pipeline. */
  readonly out: string
  /** Where the answer goes. */
  readonly result: string
  /** Kernels whose names match. */
  readonly only: string
  /** WGSL files in place of the project's kernels. */
  readonly files: readonly string[]
  /** Where code goes, if it is wanted. */
  readonly code?: string | undefined
  readonly robustness: boolean
}

/** What a compiler made of a kernel; or why there is none. */
export interface Compiled extends Partial<Analysis> {
  readonly name: string
  /** What its floor is kept by. */
  readonly kernel: string
  readonly first: boolean
  readonly ms?: number
  readonly error?: string
}

/** What is compiled, under its full name. */
interface Wanted {
  readonly name: string
  readonly kernel: string
  readonly first: boolean
  readonly code: string
}

const job: Job = JSON.parse(process.argv[2] as string)
Object.assign(globalThis, globals)
// Dawn offers no f16 on NVIDIA's Vulkan without the second.
const toggles = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia']
if (!job.robustness) toggles.push('disable_robustness')
const dawn = create([`enable-dawn-features=${toggles}`])
// Dawn crashes when this is collected.
Object.assign(globalThis, { dawn })
const adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' })
if (!adapter) throw new Error('Dawn finds no adapter')
const gpu = await Gpu.open({ adapter })
const kernels: Compiled[] = []
for (const wanted of await wantedKernels()) kernels.push(await compile(wanted))
const { vendor, architecture, description } = gpu.facts
const name = `${vendor} ${architecture} (${description})`
writeFileSync(job.result, JSON.stringify({ adapter: name, kernels }))
// The pretended device cannot be closed.
process.exit(0)

async function wantedKernels(): Promise<Wanted[]> {
  const all =
    job.files.length > 0
      ? job.files.map((file) => {
          const kernel = basename(file, '.wgsl')
          return { name: kernel, kernel, first: true, code: readFileSync(file, 'utf8') }
        })
      : await Promise.all(
          (['f32', 'f16'] as const)
            .flatMap((activations) =>
              projectKernels({ ...gpu.facts, software: false }, activations),
            )
            .map(async ({ kernel, variant, first, spec }) => {
              return { name: `${kernel} ${variant}`, kernel, first, code: await shaderCode(spec) }
            }),
        )
  return all.filter((wanted) => new RegExp(job.only).test(wanted.name))
}

async function compile({ name, kernel, first, code }: Wanted): Promise<Compiled> {
  const module = gpu.device.createShaderModule({ code })
  const start = performance.now()
  try {
    await gpu.device.createComputePipelineAsync({ layout: 'auto', compute: { module } })
  } catch (error) {
    const { messages } = await module.getCompilationInfo()
    const [told] = messages.filter(({ type }) => type === 'error')
    const why = told ? `line ${told.lineNum}: ${told.message}` : (error as Error).message
    return { name, kernel, first, error: why.split('\n')[0] as string }
  }
  const ms = Math.round(performance.now() - start)
  const file = join(job.out, `${kernels.filter(({ statistics }) => statistics).length}.txt`)
  if (!existsSync(file)) return { name, kernel, first, ms, error: 'compiled to what another did' }
  if (job.code) {
    mkdirSync(job.code, { recursive: true })
    const place = join(job.code, name.replace(/\W+/g, '-'))
    copyFileSync(file, `${place}.txt`)
    writeFileSync(`${place}.wgsl`, code)
  }
  return { name, kernel, first, ms, ...analyse(readFileSync(file, 'utf8')) }
}
