import { forget, recall, remember } from '#platform'
import type { KernelNames } from './choices.ts'

/** What an adapter is known by: its driver's version, too, where the description has it. */
type AdapterName = Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'description'>

const noteOf = ({ vendor, architecture, description }: AdapterName): string => {
  const words = `${vendor} ${architecture} ${description}`.toLowerCase().match(/[a-z0-9.]+/g) ?? []
  return `kernels-${words.join('-').slice(0, 120)}.json`
}

/** The kernels that were the fastest on an adapter when it was tuned; none if it never was, or the note cannot be read. */
export async function tunedKernels(adapter: AdapterName): Promise<KernelNames> {
  try {
    const note = JSON.parse((await recall(noteOf(adapter))) ?? '{}')
    const entries = Object.entries(note.kernels ?? {})
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    )
  } catch {
    return {}
  }
}

/** Keeps the kernels for later loads on the same adapter; gives the place. */
export const keepKernels = (adapter: AdapterName, kernels: KernelNames): Promise<string> =>
  remember(noteOf(adapter), `${JSON.stringify({ kernels }, null, 2)}\n`)

/** Forgets what was kept of an adapter; gives the place. */
export const forgetKernels = (adapter: AdapterName): Promise<string> => forget(noteOf(adapter))
