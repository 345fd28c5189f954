import { environment } from '#platform'
import type { Gpu } from '../gpu/device.ts'
import { canKeepKernels, checkedMatrices, keepChecked } from '../gpu/tuned.ts'

/**
 * Declares a model, checks the kernels of subgroup matrices that it would use, and where they are wrong leaves them out and
 * declares it again. A kernel is checked at its first load on an adapter; at every load where the answer cannot be kept, or
 * the adapter does not tell its driver, which may change then.
 */
export async function declareChecked<T>(
  gpu: Gpu,
  declare: (gpu: Gpu) => T,
  signal?: AbortSignal,
): Promise<T> {
  const declared = declare(gpu)
  const used = Object.entries(gpu.choices.used).filter(([, kernel]) => /_matrix\b/.test(kernel))
  if (used.length === 0) return declared
  const before = await checkedMatrices(gpu.facts)
  const unchecked = used.filter((kernel) => before[keyOf(gpu, kernel.join(' '))] === undefined)
  const found = unchecked.length === 0 ? {} : await check(gpu, unchecked, signal)
  const fault = Object.values({ ...before, ...found }).find((text) => text !== '')
  if (fault === undefined) return declared
  gpu.leaveOutMatrices(fault)
  return declare(gpu)
}

/** Kernels are cut to the limits of the device, which a caller may have lowered. */
const keyOf = ({ facts: { maxWorkgroupMemory, maxInvocations } }: Gpu, kernel: string): string =>
  `${kernel}, ${maxInvocations} invocations, ${maxWorkgroupMemory} bytes`

async function check(
  gpu: Gpu,
  kernels: readonly (readonly [operation: string, kernel: string])[],
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, string>>> {
  const { facts } = gpu
  const { compareMatrices } = await import('./check-matrices.ts')
  const faults = Object.entries(await compareMatrices(gpu, kernels, signal))
  const found = Object.fromEntries(faults.map(([kernel, fault]) => [keyOf(gpu, kernel), fault]))
  const keeps =
    facts.description !== '' && environment('DAWNRANK_TUNE') !== '0' && canKeepKernels(facts)
  // A folder that cannot be written costs the next load another check, and nothing else.
  if (keeps) await keepChecked(facts, found).catch(() => {})
  return found
}
