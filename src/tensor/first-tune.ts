import { environment } from '#platform'
import type { Gpu } from '../gpu/device.ts'
import { canKeepKernels, keepKernels, tunedKernels } from '../gpu/tuned.ts'
import { linearKernels, tunedName } from './linear.ts'
import type { LinearDtype } from './tensor.ts'

/** Time for the first load on an adapter, in milliseconds. Compiling takes most of it: 1.4 s for a kernel on an H100. */
const budgetMs = { software: 1000, gpu: 3000 }
/** Rows of the layer that is measured: with fewer, upload and readback weigh as much as the layer. */
const rows = { software: 512, gpu: 2048 }
const leastMs = 20
const rounds = { least: 2, most: 3 }
/** Another kernel than the first must be faster by as much in every round: beside other programs one round says little. */
const margin = 1.1

/**
 * Measures the kernels of linear layers with weights and activations of these dtypes at the first load on an adapter, and keeps the
 * fastest for all later ones; `tune` does so thoroughly. Nothing is measured where the kernel is asked for, was tuned before,
 * or could not be kept, nor with DAWNRANK_TUNE=0. The first kernel stays where the time does not suffice, or another is not
 * clearly faster. A kernel that the driver does not compile is left out.
 */
export async function tuneFirst(
  gpu: Gpu,
  dtype: LinearDtype,
  activations: 'f32' | 'f16',
  signal?: AbortSignal,
): Promise<void> {
  const { choices, facts } = gpu
  const operation = tunedName(dtype, activations)
  const isKnown = operation in choices.tuned || `linear ${dtype}` in choices.asked
  if (isKnown || environment('DAWNRANK_TUNE') === '0' || !canKeepKernels(facts)) return
  const all = linearKernels(facts, dtype, activations)
  // On a processor the kernels of GPUs are hopeless.
  const kernels = facts.software ? all.filter(({ shader }) => shader === all[0].shader) : all
  if (kernels.length < 2) return

  const { compiles, linearEntries, measure } = await import('./tune.ts')
  const adapterKind = facts.software ? 'software' : 'gpu'
  const end = performance.now() + budgetMs[adapterKind]
  const entries = linearEntries(gpu, kernels, dtype, activations, rows[adapterKind])
  const tasks = entries.map(({ task, kernel }) => ({ ...task(), kernel }))
  const measured: number[][] = []
  let fastest: string | undefined
  try {
    const taken = await Promise.all(tasks.map(compiles))
    const running = tasks.filter((_, i) => taken[i])
    // The first round may compile.
    for (let round = 0; round <= rounds.most && performance.now() < end; round++) {
      const rates: number[] = []
      for (const task of running) {
        signal?.throwIfAborted()
        rates.push(await measure(task, leastMs))
      }
      if (round > 0) measured.push(rates)
    }
    fastest = running[clearlyFastest(measured)]?.kernel
  } finally {
    for (const { free } of tasks) free()
  }
  // The load will say what is wrong with its kernel.
  if (fastest === undefined) return
  const found = { [operation]: fastest }
  // Another process may have finished first; both should take the same kernel, for the same bits.
  const kept = await tunedKernels(facts)
  choices.learn({ ...found, ...kept })
  if (operation in kept) return
  // A folder that cannot be written costs the next load the same time, and nothing else.
  await keepKernels(facts, { ...found, ...kept }).catch(() => {})
}

/** The kernel that beat the first one clearly in every round, of several the one with the highest rates; else the first. */
export function clearlyFastest(measured: readonly (readonly number[])[]): number {
  if (measured.length < rounds.least) return 0
  const rateOf = (kernel: number) => Math.min(...measured.map((rates) => rates[kernel] as number))
  const beatsFirst = (kernel: number) =>
    measured.every((rates) => (rates[kernel] as number) > margin * (rates[0] as number))
  return (measured[0] ?? [])
    .map((_, kernel) => kernel)
    .filter(beatsFirst)
    .reduce((a, b) => (a === 0 || rateOf(b) > rateOf(a) ? b : a), 0)
}
