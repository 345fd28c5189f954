/** The engine in its worker, as the page sees it. */
import type { Fault, FromWorker, Method, Methods, ToWorker } from './messages.ts'

export interface Call<M extends Method> {
  readonly signal?: AbortSignal | undefined
  readonly onUpdate?: (update: Methods[M]['update']) => void
}

export interface Engine {
  /** Asks the worker. Rejects with its error, or with the signal's reason once the worker has stopped. */
  call<M extends Method>(
    method: M,
    request: Methods[M]['request'],
    call?: Call<M>,
  ): Promise<Methods[M]['answer']>
}

interface Pending {
  resolve(value: unknown): void
  reject(reason: unknown): void
  update(value: unknown): void
}

/** An error of the engine, with its code. */
export class EngineFault extends Error {
  readonly code: string | undefined

  constructor({ name, code, message }: Fault) {
    super(message)
    this.name = name
    this.code = code
  }
}

/**
 * Starts the worker.
 *
 * @param onLost called when the model is gone: the device was lost, or the worker broke
 */
export function startEngine(worker: Worker, onLost: (why: EngineFault) => void): Engine {
  const pending = new Map<number, Pending>()
  let last = 0
  const send = (message: ToWorker) => worker.postMessage(message)

  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === 'lost') return onLost(new EngineFault(data.value))
    const call = pending.get(data.id)
    if (data.kind === 'update') return call?.update(data.value)
    pending.delete(data.id)
    if (data.kind === 'answer') call?.resolve(data.value)
    else call?.reject(new EngineFault(data.value))
  }
  worker.onerror = ({ message }) => {
    const fault = new EngineFault({
      name: 'Error',
      message: message || "the engine's script did not start; reload the page",
    })
    for (const call of pending.values()) call.reject(fault)
    pending.clear()
    onLost(fault)
  }

  return {
    call(method, request, { signal, onUpdate } = {}) {
      signal?.throwIfAborted()
      const id = ++last
      return new Promise((resolve, reject) => {
        const stop = () => send({ id, method: 'abort' })
        signal?.addEventListener('abort', stop, { once: true })
        const settle = <T>(then: (value: T) => void) => {
          return (value: T) => {
            signal?.removeEventListener('abort', stop)
            if (signal?.aborted) reject(signal.reason)
            else then(value)
          }
        }
        pending.set(id, {
          resolve: settle((value) => resolve(value as never)),
          reject: settle(reject),
          update: (value) => onUpdate?.(value as never),
        })
        send({ id, method, request })
      })
    },
  }
}
