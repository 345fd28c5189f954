/** Models that adapters hold: given ones, and those that they load themselves when they are first needed. */
import { AdapterError } from './errors.ts'

/** A model as an adapter holds it. */
export interface Held<Model> {
  /** Throws the signal's reason where it has aborted; AdapterError `disposed`. */
  check(signal?: AbortSignal): void
  /** The model, loaded unless it is. Rejects with the signal's reason; AdapterError `disposed`; what the load throws. */
  get(signal?: AbortSignal): Promise<Model>
  /** Frees the model unless it was given; a load that runs stops, and later calls reject. */
  dispose(): void
}

/** What is loaded here. */
interface Loaded {
  /** Resolves when its device is lost. */
  readonly lost: Promise<unknown>
  dispose(): void
}

/** Holds a model of the caller's, which stays theirs. */
export function holdGiven<Model>(model: Model): Held<Model> {
  const open = opened()
  return {
    check: open.check,
    async get(signal) {
      open.check(signal)
      return model
    },
    dispose: open.end,
  }
}

/** Whether an adapter may be used: until it is disposed of, and as long as the signal of a call has not aborted. */
function opened(): { check(signal?: AbortSignal): void; end(): void } {
  let isDisposed = false
  return {
    check(signal) {
      signal?.throwIfAborted()
      if (isDisposed) throw disposed()
    },
    end() {
      isDisposed = true
    },
  }
}

/**
 * Holds a model that is loaded by the first call. Concurrent calls share the load: it stops when all of them have left. After a
 * load that failed, or when the device is lost, the next call loads again.
 */
export function holdLoaded<Model extends Loaded>(
  load: (signal: AbortSignal) => Promise<Model>,
): Held<Model> {
  const open = opened()
  let current: Loading<Model> | undefined
  const forget = (loading: Loading<Model>) => {
    if (current === loading) current = undefined
  }

  function start(): Loading<Model> {
    const stop = new AbortController()
    const loading: Loading<Model> = { stop, calls: 0, model: undefined, done: load(stop.signal) }
    loading.done.then(
      (model) => {
        // The last caller may leave when the load can no longer be stopped.
        if (current !== loading) return model.dispose()
        loading.model = model
        model.lost.then(() => forget(loading))
      },
      () => forget(loading),
    )
    return loading
  }

  return {
    check: open.check,
    async get(signal) {
      open.check(signal)
      current ??= start()
      const loading = current
      loading.calls++
      try {
        const stops = [loading.stop.signal, ...(signal ? [signal] : [])]
        return await untilAborted(loading.done, AbortSignal.any(stops))
      } finally {
        loading.calls--
        if (loading.calls === 0 && !loading.model) {
          forget(loading)
          loading.stop.abort(signal?.reason)
        }
      }
    },
    dispose() {
      open.end()
      const loading = current
      current = undefined
      if (loading?.model) loading.model.dispose()
      else loading?.stop.abort(disposed())
    },
  }
}

/** A load, and what comes of it. */
interface Loading<Model> {
  readonly done: Promise<Model>
  readonly stop: AbortController
  /** Calls that wait for it. */
  calls: number
  model: Model | undefined
}

const disposed = () => new AdapterError('disposed', 'the adapter was disposed of; make a new one')

/** What a promise gives, or the reason of a signal that aborts before. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const settled = () => signal.removeEventListener('abort', abort)
    promise.then(resolve, reject).then(settled)
  })
}
