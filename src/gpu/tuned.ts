import { canRemember, forget, processor, recall, remember } from '#platform'
import { version } from '../../package.json'
import type { KernelNames } from './choices.ts'

/** What an adapter is known by: its driver's version, too, where the description has it. */
type AdapterName = Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'description'>

/** What is kept of an adapter by operation: kernels that were tuned, and what a check of subgroup matrices found. */
type Note = Readonly<Record<'kernels' | 'matrices', Readonly<Record<string, string>>>>

/** Kernels change with the version; those of a software adapter are as fast as the processor makes them. */
const noteOf = ({ vendor, architecture, description }: AdapterName): string => {
  const words = [vendor, architecture, description, processor()].join(' ').toLowerCase()
  const name = (words.match(/[a-z0-9.]+/g) ?? []).join('-').slice(0, 160)
  return `kernels-${version}-${name}.json`
}

/** Whether what is kept of an adapter is there at the next load. */
export const canKeepKernels = (adapter: AdapterName): boolean => canRemember(noteOf(adapter))

/** What is kept of an adapter; nothing if the note cannot be read. */
async function readNote(adapter: AdapterName): Promise<Note> {
  const texts = (found: object = {}) =>
    Object.fromEntries(
      Object.entries(found).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      ),
    )
  try {
    const { kernels, matrices } = JSON.parse((await recall(noteOf(adapter))) ?? '{}')
    return { kernels: texts(kernels), matrices: texts(matrices) }
  } catch {
    return { kernels: {}, matrices: {} }
  }
}

async function keep(adapter: AdapterName, changed: Partial<Note>): Promise<string> {
  const note = { ...(await readNote(adapter)), ...changed }
  return remember(noteOf(adapter), `${JSON.stringify(note, null, 2)}\n`)
}

/** The kernels that were the fastest on an adapter when it was tuned; none if it never was, or the note cannot be read. */
export const tunedKernels = async (adapter: AdapterName): Promise<KernelNames> =>
  (await readNote(adapter)).kernels

/** Keeps the kernels for later loads on the same adapter; gives the place. */
export const keepKernels = (adapter: AdapterName, kernels: KernelNames): Promise<string> =>
  keep(adapter, { kernels })

/** What a check of kernels of subgroup matrices found on an adapter, by operation and kernel: empty where they are right. */
export const checkedMatrices = async (
  adapter: AdapterName,
): Promise<Readonly<Record<string, string>>> => (await readNote(adapter)).matrices

/** Keeps what a check found for later loads on the same adapter, beside what it found before; gives the place. */
export const keepChecked = async (
  adapter: AdapterName,
  found: Readonly<Record<string, string>>,
): Promise<string> => keep(adapter, { matrices: { ...(await checkedMatrices(adapter)), ...found } })

/** Forgets what was kept of an adapter; gives the place. */
export const forgetKernels = (adapter: AdapterName): Promise<string> => forget(noteOf(adapter))
