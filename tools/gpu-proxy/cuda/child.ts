/**
 * Compiles the kernels in f32 by NVIDIA's compiler, as CUDA, and prints what it made of each as child.ts does. Run by
 * compile.mjs with a job as its only argument.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AdapterFacts } from '../../../src/gpu/device.ts'
import { shaderCode } from '../../../src/gpu/kernel.ts'
import { analyseCode } from '../analyse.ts'
import type { Compiled } from '../child.ts'
import { type ProjectKernel, projectKernels } from '../project-kernels.ts'
import { translate } from './translate.ts'

/** What compile.mjs asks for. */
interface Job {
  /** A folder for what is compiled. */
  readonly out: string
  /** Of wgsl.cuh. */
  readonly include: string
  readonly nvcc: string
  readonly nvdisasm: string
  readonly architecture: string
  /** Kernels whose names match. */
  readonly only: string
  /** Where code goes, if it is wanted. */
  readonly code?: string
}

/** What kernels are chosen by on NVIDIA's GPUs. */
const facts: AdapterFacts = {
  ...{ vendor: 'nvidia', architecture: '', description: 'CUDA', software: false },
  ...{ subgroupSize: 32, subgroupMinSize: 32, subgroupMaxSize: 32, subgroupSizeControl: false },
  ...{ subgroupMatrices: [], shaderF16: false, timestamps: false, maxBinding: 2 ** 31 },
  ...{ maxInvocations: 1024, maxWorkgroupMemory: 49152 },
}

/** The kernels with the most arithmetic, of which translate.ts takes those in f32. */
const ported = /^(linear_tiled (128x128|64x64) f32,|attention_tiled (64|128)) x f32$/

const job: Job = JSON.parse(process.argv[2] as string)

function run(program: string, args: string[]): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (error || status !== 0) throw new Error(`${program} failed: ${error ?? stderr}`)
  return stdout + stderr
}

async function compile({ kernel, first, spec }: ProjectKernel, name: string): Promise<Compiled> {
  const file = name.replace(/\W+/g, '-')
  const source = join(job.out, `${file}.cu`)
  const binary = join(job.out, `${file}.cubin`)
  writeFileSync(source, translate(await shaderCode(spec)))
  const start = performance.now()
  const log = run(job.nvcc, [
    ...['-std=c++20', `-arch=${job.architecture}`, '-use_fast_math', '-w', '-I', job.include],
    ...['-Xptxas', '-v', '-cubin', '-o', binary, source],
  ])
  const ms = Math.round(performance.now() - start)
  const sass = run(job.nvdisasm, ['-c', binary])
  if (job.code) {
    mkdirSync(job.code, { recursive: true })
    copyFileSync(source, join(job.code, `${file}.cu`))
    writeFileSync(join(job.code, `${file}.txt`), sass)
  }
  /** A number of ptxas's report. */
  const told = (pattern: RegExp) => Number(pattern.exec(log)?.[1])
  const statistics = {
    'Number of GPRs': told(/Used (\d+) registers/),
    'Spill Count': told(/(\d+) bytes spill stores/) / 4,
    'Scratch size': told(/(\d+) bytes stack frame/),
    'subgroup size': 32,
  }
  return { name, kernel, first, ms, statistics, ...analyseCode(sass) }
}

const kernels: Compiled[] = []
for (const kernel of projectKernels(facts, 'f32')) {
  const name = `${kernel.kernel} ${kernel.variant}`
  if (ported.test(name) && new RegExp(job.only).test(name))
    kernels.push(await compile(kernel, name))
}
const version = /release [\d.]+, V([\d.]+)/.exec(run(job.nvcc, ['--version']))?.[1]
process.stdout.write(JSON.stringify({ adapter: `ptxas ${version}`, kernels }))
