import { canRemember, forget, processor, recall, remember } from '#platform'
import { version } from '../../package.json'
import type { KernelNames } from './choices.ts'

/** What an adapter is known by: its driver's version, too, where the description has it. */
type AdapterName = Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'description'>

/** Kernels change with the version; those of a software adapter are as fast as the processor makes them. */
const noteOf = ({ vendor, architecture, description }: AdapterName): string => {
  const words = [vendor, architecture, description, processor()].join(' ').toLowerCase()
  const name = (words.match(/[a-z0-9.]+/g) ?? []).join('-').slice(0, 160)
  return `kernels-${version}-${name}.json`
}

/** Whether what is kept of an adapter is there at the next load. */
export const canKeepKernels = (adapter: AdapterName): boolean => canRemember(noteOf(adapter))

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
