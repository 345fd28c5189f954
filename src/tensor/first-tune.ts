import { environment } from '#platform'
import type { Gpu } from '../gpu/device.ts'
import { canKeepKernels, keepKernels, tunedKernels } from '../gpu/tuned.ts'
import { linearKernels, tunedName } from './linear.ts'
import type { LinearDtype } from './tensor.ts'
import { fastest, linearEntries, measure, prepare } from './tune.ts'

/** Time for the first load on an adapter, in milliseconds: compiling on a processor takes most of it. */
const budgetMs = { software: 1000, gpu: 300 }
/** Rows of the layer that is measured. */
const rows = { software: 128, gpu: 2048 }
const leastMs = 10
const mostRounds = 3

/**
 * Measures the kernels of linear layers with weights and activations of these dtypes at the first load on an adapter, and keeps the
 * fastest for all later ones; `tune` does so thoroughly. Nothing is measured where the kernel is asked for, was tuned before,
 * or could not be kept, nor with DAWNRANK_TUNE=0. Where the time does not suffice for all of them, the first one stays.
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

  const adapterKind = facts.software ? 'software' : 'gpu'
  const end = performance.now() + budgetMs[adapterKind]
  const entries = linearEntries(gpu, kernels, dtype, activations, rows[adapterKind])
  const tasks = entries.map(({ task }) => task())
  const best = tasks.map(() => 0)
  try {
    for (const task of tasks) await prepare(task)
    // The first round may compile.
    for (let round = 0; round <= mostRounds && performance.now() < end; round++) {
      for (const [i, task] of tasks.entries()) {
        signal?.throwIfAborted()
        const rate = await measure(task, leastMs)
        if (round > 0) best[i] = Math.max(best[i] as number, rate)
      }
    }
  } finally {
    for (const { free } of tasks) free()
  }
  const isMeasured = best.every((rate) => rate > 0)
  const measured = entries.map((entry, i) => ({ ...entry, gflops: best[i] as number }))
  const found = isMeasured ? fastest(measured) : { [operation]: kernels[0]?.name ?? '' }
  // Another process may have finished first; both should take the same kernel, for the same bits.
  const kept = await tunedKernels(facts)
  choices.learn({ ...found, ...kept })
  if (operation in kept) return
  // A folder that cannot be written costs the next load the same time, and nothing else.
  await keepKernels(facts, { ...found, ...kept }).catch(() => {})
}
