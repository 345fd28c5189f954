import type { KernelNames } from '../gpu/choices.ts'
import { type AdapterFacts, Gpu, type GpuOptions } from '../gpu/device.ts'
import type { Kernel } from '../gpu/kernel.ts'
import { forgetKernels, keepKernels } from '../gpu/tuned.ts'
import {
  type AttentionKernel,
  attention,
  attentionKernels,
  attentionTiles,
  tunedAttention,
} from './attention.ts'
import { matrixAttention } from './attention-matrix.ts'
import { TensorError } from './errors.ts'
import { linearBytes } from './layout.ts'
import { type LinearKernel, linear, linearKernels, tunedName } from './linear.ts'
import { matrixKernels } from './linear-matrix.ts'
import { PlanTape, RecordTape, type Tape } from './tape.ts'
import type { LinearDtype, Tensor } from './tensor.ts'

/** A kernel that could serve an operation, and how fast it did. */
export interface Measured {
  /** As `info.kernels` of a reranker has it: `linear f16`, `attention 64` by the numbers of a head. */
  readonly operation: string
  readonly kernel: string
  /** Billions of multiplications and additions a second; 0 for a kernel that the driver does not compile. */
  readonly gflops: number
}

/** Options of {@link tune}. */
export interface TuneOptions extends Pick<GpuOptions, 'device' | 'adapter'> {
  /** The operations to measure, as `info.kernels` has them. Default: all. */
  readonly operations?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
  /** Called after each operation; `total` is the number of operations. */
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined
  /** Keeps the result for later loads on this adapter. Default true. */
  readonly keep?: boolean | undefined
}

/** What {@link tune} has found. */
export interface TuneReport {
  readonly adapter: AdapterFacts
  /** The kernel of each operation from now on, of those measured and of those kept before. */
  readonly kernels: KernelNames
  readonly measured: readonly Measured[]
  /** Where the result is kept, if it is. */
  readonly kept?: string
}

/** A shape of a linear layer. */
export type LinearShape = readonly [rows: number, inner: number, columns: number]

/** Attention over sequences of equal length. */
export interface AttentionShape {
  readonly sequences: number
  readonly length: number
  readonly heads: number
  readonly headDim: number
}

/** Work of one kernel that is done over and over. */
interface Task {
  /** Where the kernels are those to be measured. */
  readonly gpu: Gpu
  readonly activations: 'f32' | 'f16'
  readonly flops: number
  /** Records the work so many times. */
  record(tape: Tape, times: number): Tensor
  /** Frees what it reads, once no more is recorded. */
  free(): void
}

/** A submission takes at least as long, so that its fixed costs do not count. */
const enoughMs = 50
const mostRepeats = 256
const rounds = 3
/** The kernel that comes first is left for one that is faster by more than this: less may be noise. */
const margin = 1.1

const dtypes: readonly LinearDtype[] = ['f16', 'bf16', 'f32', 'int8', 'int4']
const headDims = [32, 64, 128, 256]

/**
 * 1.0 in f16, a small normal number in f32, small numbers or a scale in int8 and int4: values do not matter, denormals
 * would.
 */
const filler = 0x3c003c00

/** A tensor of numbers 0.5 that lasts until its block is released: an upload in each pass would be measured, too. */
function halves(gpu: Gpu, shape: readonly [number, number], dtype: 'f32' | 'f16'): Tensor {
  const count = shape[0] * shape[1]
  const data =
    dtype === 'f16' ? new Uint16Array(count).fill(0x3800) : new Float32Array(count).fill(0.5)
  const block = gpu.memory.acquire(data.byteLength, 'upload')
  gpu.device.queue.writeBuffer(block.buffer, 0, data)
  return { shape, dtype, block }
}

/** A linear layer with weights and activations of these dtypes by one kernel. */
export function linearTask(
  gpu: Gpu,
  kernel: LinearKernel,
  dtype: LinearDtype,
  [rows, inner, columns]: LinearShape,
  activations: 'f32' | 'f16' = 'f32',
): Task {
  const shape = [columns, inner] as const
  const bytes = linearBytes(kernel, dtype, shape)
  const block = gpu.memory.acquire(bytes, 'upload')
  gpu.device.queue.writeBuffer(block.buffer, 0, new Uint32Array(bytes / 4).fill(filler))
  const weight = { name: 'matmul', shape, dtype, block, kernel, tile: 0 }
  const x = halves(gpu, [rows, inner], activations)
  return {
    gpu,
    activations,
    flops: 2 * rows * inner * columns,
    record(tape, times) {
      const outputs = Array.from({ length: times }, () => linear(tape, x, { weight }))
      return outputs[0] as Tensor
    },
    free() {
      for (const each of [block, x.block]) gpu.memory.release(each)
    },
  }
}

/** Full attention of sequences of equal length by one kernel. */
export function attentionTask(
  gpu: Gpu,
  kernel: AttentionKernel,
  { sequences, length, heads, headDim }: AttentionShape,
  activations: 'f32' | 'f16' = 'f32',
): Task {
  const width = heads * headDim
  const x = halves(gpu, [sequences * length, width], activations)
  const spans = Array.from({ length: sequences }, (_, i) => {
    return { row: i * length, rows: length, position: 0, key: i * length, keys: length }
  })
  return {
    gpu,
    activations,
    flops: 4 * sequences * length * length * width,
    record(tape, times) {
      const tiles = attentionTiles(tape, spans, headDim, kernel)
      const outputs = Array.from({ length: times }, () => attention(tape, x, x, x, tiles, headDim))
      return outputs[0] as Tensor
    },
    free: () => gpu.memory.release(x.block),
  }
}

/** The kernels that a task needs. */
function kernelsOf({ gpu, activations, record }: Task): Iterable<Kernel> {
  const plan = new PlanTape(gpu, activations)
  record(plan, 1)
  return plan.kernels
}

/** Compiles what a task needs. */
export const prepare = (task: Task): Promise<void> => task.gpu.compile(kernelsOf(task))

/** Compiles what a task needs; false where the driver does not take it. */
export const compiles = async (task: Task): Promise<boolean> =>
  (await task.gpu.refusal(kernelsOf(task))) === undefined

/** GFLOP/s of a task that is repeated until it takes `leastMs`, from recording to the end of the device's work. */
export async function measure(
  { gpu, activations, flops, record }: Task,
  leastMs: number = enoughMs,
): Promise<number> {
  for (let times = 1; ; times *= 4) {
    const tape = new RecordTape(gpu, activations, 'measured')
    await gpu.device.queue.onSubmittedWorkDone()
    const start = performance.now()
    const output = record(tape, times)
    await tape.read([{ ...output, shape: [1] }])
    const ms = performance.now() - start
    if (ms >= leastMs || times >= mostRepeats) return (flops * times) / ms / 1e6
  }
}

/** A kernel to be measured. */
export interface Entry {
  readonly operation: string
  readonly kernel: string
  readonly task: () => Task
}

/** Kernels of the linear layers with weights and activations of these dtypes, over so many rows. */
export const linearEntries = (
  gpu: Gpu,
  kernels: readonly LinearKernel[],
  dtype: LinearDtype,
  activations: 'f32' | 'f16',
  rows: number,
): Entry[] =>
  kernels.map((kernel) => ({
    operation: tunedName(dtype, activations),
    kernel: kernel.name,
    task: () => linearTask(gpu, kernel, dtype, [rows, 768, 3072], activations),
  }))

/** Operations that have several kernels on an adapter, with each of them. */
function entriesFor(gpu: Gpu, wanted: readonly string[] | undefined): Entry[] {
  const { facts } = gpu
  // As many rows as a batch has by default: fewer would leave a GPU idle.
  const rows = facts.software ? 512 : 8192
  const layersOf = (dtype: LinearDtype, activations: 'f32' | 'f16') =>
    linearEntries(gpu, linearKernels(facts, dtype, activations), dtype, activations, rows)
  const layers = dtypes.flatMap((dtype) => layersOf(dtype, 'f32'))
  // Activations in f16 have kernels of their own where there are subgroup matrices.
  const matrices = dtypes.filter((dtype) => matrixKernels(facts, dtype).length > 0)
  layers.push(...matrices.flatMap((dtype) => layersOf(dtype, 'f16')))
  const headsOf = (headDim: number, activations: 'f32' | 'f16') =>
    attentionKernels(facts, headDim, activations).map((kernel) => ({
      operation: tunedAttention(headDim, activations),
      kernel: kernel.name,
      task: () => {
        const shape = { sequences: rows / 128, length: 128, heads: 8, headDim }
        return attentionTask(gpu, kernel, shape, activations)
      },
    }))
  const heads = headDims.flatMap((headDim) => headsOf(headDim, 'f32'))
  const matrixHeads = headDims.filter((headDim) => matrixAttention(facts, headDim).length > 0)
  heads.push(...matrixHeads.flatMap((headDim) => headsOf(headDim, 'f16')))
  const all = [...layers, ...heads]
  const known = new Set(all.map(({ operation }) => operation))
  const unknown = wanted?.find((operation) => !known.has(operation))
  if (unknown !== undefined) {
    throw new TensorError(
      'operation-unknown',
      `operations: found ${JSON.stringify(unknown)}; expected some of ${[...known].join(', ')}`,
    )
  }
  return wanted ? all.filter(({ operation }) => wanted.includes(operation)) : all
}

/** See `tune` of tuning.ts. */
export async function tune(options: TuneOptions = {}): Promise<TuneReport> {
  const { operations, signal, onProgress, keep = true } = options
  signal?.throwIfAborted()
  const gpu = await Gpu.open(options)
  try {
    const entries = entriesFor(gpu, operations)
    const measured: Measured[] = []
    const total = entries.length
    for (const operation of new Set(entries.map((entry) => entry.operation))) {
      const own = entries.filter((entry) => entry.operation === operation)
      const best = await measureInTurns(own, signal)
      own.forEach(({ kernel }, i) => {
        measured.push({ operation, kernel, gflops: best[i] as number })
      })
      onProgress?.({ done: measured.length, total })
    }
    const kernels = { ...gpu.choices.tuned, ...fastest(measured) }
    const report = { adapter: gpu.facts, kernels, measured }
    return keep ? { ...report, kept: await keepKernels(gpu.facts, kernels) } : report
  } finally {
    gpu.dispose()
  }
}

/**
 * The best GFLOP/s of each kernel of an operation; one that is hopeless is measured once, one that the driver does not
 * compile not at all.
 */
async function measureInTurns(
  entries: readonly Entry[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const tasks = entries.map(({ task }) => task())
  const refused = new Set<Task>()
  for (const task of tasks) {
    // Some adapters compile at the first dispatch.
    if (await compiles(task)) await measure(task)
    else refused.add(task)
    signal?.throwIfAborted()
  }
  const best = tasks.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    const hopeless = Math.max(...best) / 3
    for (const [i, task] of tasks.entries()) {
      const before = best[i] as number
      if (refused.has(task) || (round > 0 && before < hopeless)) continue
      best[i] = Math.max(before, await measure(task))
      signal?.throwIfAborted()
    }
  }
  return best
}

/** The kernel for each operation: the first, unless another is clearly faster. */
export function fastest(measured: readonly Measured[]): KernelNames {
  const operations = [...new Set(measured.map(({ operation }) => operation))]
  const pick = (name: string): [string, string] => {
    const [first, ...others] = measured.filter(({ operation }) => operation === name)
    const best = others.reduce((a, b) => (b.gflops > a.gflops ? b : a), first as Measured)
    const isFaster = best.gflops > (first as Measured).gflops * margin
    return [name, (isFaster ? best : (first as Measured)).kernel]
  }
  return Object.fromEntries(operations.map(pick))
}

/** See `forgetTuned` of tuning.ts. */
export async function forgetTuned(
  options: Pick<GpuOptions, 'device' | 'adapter'> = {},
): Promise<string> {
  const gpu = await Gpu.open(options)
  try {
    return await forgetKernels(gpu.facts)
  } finally {
    gpu.dispose()
  }
}
