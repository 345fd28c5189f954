/**
 * Several devices in one process, one worker thread each.
 *
 * @module dawnrank/devices
 */
import { isAddress } from '../platform/locations.ts'
import { checkOptions } from '../rerankers/check-options.ts'
import type { CutoffLayers, CutoffOf, LayerwiseLoadOptions } from '../rerankers/index.ts'
import { withinModel, withLens } from '../rerankers/load.ts'
import { openModel } from '../rerankers/open-model.ts'
import { show } from '../rerankers/options.ts'
import { chooseRecipe } from '../rerankers/recipes.ts'
import { Tokenizer } from '../tokenizers/index.ts'
import { type AdapterChoice, chooseAdapters } from './adapters.ts'
import { DevicesError } from './errors.ts'
import { type Devices, poolOf } from './pool.ts'
import { Scheduler } from './scheduler.ts'
import { type CallReport, DeviceThread } from './thread.ts'

export type { AdapterChoice } from './adapters.ts'
export { DevicesError } from './errors.ts'
export type { Devices, DevicesInfo } from './pool.ts'

/** Options of {@link openDevices}: those of `Reranker.load` but for what belongs to one device of this thread. */
export interface DevicesOptions<Cutoff = CutoffLayers | undefined>
  extends Omit<LayerwiseLoadOptions<Cutoff>, 'device' | 'adapter' | 'profile'> {
  /**
   * How many devices are opened, 1 to 64; or the adapter of each: a part of its name, or Dawn's flags and environment
   * variables. A number is spread over the GPUs of one model that the machine has.
   */
  readonly devices: number | readonly (string | AdapterChoice)[]
}

/**
 * Loads a model on several devices, each in a worker thread. Calls are cut into pieces of about a batch; each goes to the
 * device with the least to do. Scores are those of one device to the bit where the adapters are alike. The pieces of a
 * device that is lost are done by another one; a device that worked before is opened again. A call rejects if one of its
 * pieces was running on two devices as they were lost.
 *
 * @param model a path, a URL or a name, as of `Reranker.load`; the embedded model if none is given
 * @throws what `Reranker.load` throws; DevicesError `option-invalid`, `adapter-missing`, `thread-failed`. Nothing is left
 * open then.
 */
export async function openDevices<const Own extends CutoffLayers | undefined = undefined>(
  model: string | URL | undefined,
  given: DevicesOptions<Own>,
): Promise<Devices<CutoffOf<Own, number>>> {
  // What is no object has no devices, and is refused for that.
  const { devices, ...load } = Object(given) as DevicesOptions<Own>
  checkOwn(load)
  const adapters = chooseAdapters(devices)
  checkOptions({ name: 'Reranker', layerwise: true, merges: true }, 'load', load)
  const place = placeOf(model)
  const { signal, onProgress, ...options } = load
  const { recipe: asked, revision } = options
  // A model of the hub is fetched once, and the threads find it in the cache.
  const folder = await openModel(place, {
    recipe: asked,
    revision,
    signal,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, phase: 'download' })),
  })
  const recipe = withLens((await chooseRecipe(folder, asked)).recipe, options)
  const stop = new AbortController()
  const loads = adapters.map(() => ({ done: 0, total: 0 }))
  const openers = adapters.map(
    (adapter) =>
      (report: CallReport = {}) =>
        DeviceThread.open(adapter, place, {
          ...options,
          ...(folder.commit && { revision: folder.commit }),
          ...report,
        }),
  )
  const opening = openers.map((open, i) =>
    open({
      signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
      onProgress:
        onProgress &&
        ((now) => onProgress({ phase: 'load', ...sumOf(Object.assign(loads, { [i]: now })) })),
    }),
  )
  for (const one of opening) one.catch((error) => stop.abort(error))
  const settled = await Promise.allSettled(opening)
  const threads = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const end = (why: Error) => Promise.all(threads.map((thread) => thread.end(why)))
  try {
    signal?.throwIfAborted()
    stop.signal.throwIfAborted()
    const [first] = threads as [DeviceThread]
    const tokenizer = await Tokenizer.load(folder)
    const scheduler = new Scheduler(
      threads.map((thread, i) => ({ thread, open: () => openers[i]!() })),
    )
    return poolOf(scheduler, tokenizer, first, {
      options,
      recipe: withinModel(recipe, first.info.limits.maxTokens),
    })
  } catch (error) {
    await end(error as Error)
    throw error
  }
}

/** The place of a model as threads are told it. */
function placeOf(model: unknown): string | undefined {
  if (model === undefined) return undefined
  if (isAddress(model)) return model.toString()
  throw new DevicesError(
    'option-invalid',
    `model: found ${show(model)}; expected a path, a URL or a name. Reranker.load takes folders and files, which other threads cannot read`,
  )
}

/** What is of one device of this thread cannot be taken to another one. */
function checkOwn(options: object): void {
  for (const name of ['device', 'adapter', 'profile']) {
    if ((options as Record<string, unknown>)[name] === undefined) continue
    throw new DevicesError(
      'option-invalid',
      `${name}: belongs to one device; leave it out, or use Reranker.load. The option devices chooses adapters`,
    )
  }
}

const sumOf = (counts: readonly { done: number; total: number }[]) => ({
  done: counts.reduce((sum, { done }) => sum + done, 0),
  total: counts.reduce((sum, { total }) => sum + total, 0),
})
