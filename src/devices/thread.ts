import { Worker } from 'node:worker_threads'
import type {
  LayerwiseLoadOptions,
  RerankerInfo,
  ScoreProgress,
  ScoreStats,
} from '../rerankers/index.ts'
import type { AdapterChoice } from './adapters.ts'
import { withEnvironment } from './environment.ts'
import { DevicesError } from './errors.ts'
import { type Method, type Reply, type Request, receiveError, type ThreadData } from './messages.ts'

/** The bundle of worker.ts: beside this one, or made of the sources by the build. */
const entry = new URL(
  `${/\/dist\/[^/]*$/.test(import.meta.url) ? '.' : '../../dist'}/device-worker.js`,
  import.meta.url,
)

/** How long a thread that was asked to end may take, in ms; then it is stopped. */
const patience = 10_000

/** Threads that have not ended. */
const alive = new Set<DeviceThread>()

/**
 * Ends all threads before the process does. Node stops threads where they are, and Dawn then aborts the whole process
 * if one of its promises is pending.
 */
function endAll(): void {
  for (const thread of alive) thread.endNow()
}

export interface CallReport {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined
  readonly onStats?: ((stats: ScoreStats) => void) | undefined
}

interface Pending {
  readonly report: CallReport
  resolve(result: unknown): void
  reject(error: Error): void
}

/** A worker thread with one device, and a model on it. It keeps the process alive only while calls are pending. */
export class DeviceThread {
  readonly #worker: Worker
  readonly #ended = new SharedArrayBuffer(4)
  readonly #pending = new Map<number, Pending>()
  readonly #exited: Promise<void>
  readonly #adapterDone: Promise<void>
  readonly #loading: Promise<unknown>
  readonly #onBatch: LayerwiseLoadOptions['onBatch']
  #nextId = 0
  #fault: Error | undefined
  #info: RerankerInfo | undefined
  #layers: readonly number[] = []

  private constructor(
    given: Omit<ThreadData, 'ended' | 'reportsBatches'>,
    onBatch: LayerwiseLoadOptions['onBatch'],
    report: CallReport,
  ) {
    const reportsBatches = onBatch !== undefined
    const data: ThreadData = { ...given, reportsBatches, ended: this.#ended }
    this.#onBatch = onBatch
    // Threads that tune beside each other could choose different kernels, and with them different bits.
    const env = { ...process.env, DAWNRANK_TUNE: '0' }
    this.#worker = new Worker(entry, { workerData: data, execArgv: [], env })
    if (alive.size === 0) process.on('exit', endAll)
    alive.add(this)
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        const message = `the worker thread of a device ended with exit code ${code}`
        this.#fail(new DevicesError('thread-failed', message))
        alive.delete(this)
        if (alive.size === 0) process.off('exit', endAll)
        resolve()
      })
    })
    this.#worker.on('error', (cause) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `the worker thread of a device failed: ${why}`
      this.#fail(new DevicesError('thread-failed', message, { cause }))
    })
    const firstMessage = new Promise<void>((resolve) => {
      this.#worker.once('message', () => resolve())
    })
    this.#worker.on('message', (reply: Reply) => this.#receive(reply))
    // The thread loads the model without being asked; this is request 0.
    this.#loading = this.#ask(report, () => {})
    const failed = this.#loading.then(
      () => {},
      () => {},
    )
    this.#adapterDone = Promise.race([firstMessage, failed])
  }

  /**
   * Starts a thread, opens its adapter, and loads the model there.
   *
   * @throws what `Reranker.load` throws; DevicesError `adapter-missing`, `thread-failed`; the signal's reason. Nothing is
   * left open then.
   */
  static async open(
    { flags = [], environment = {} }: AdapterChoice,
    model: string | undefined,
    { signal, onProgress, onBatch, ...options }: LayerwiseLoadOptions,
  ): Promise<DeviceThread> {
    const thread = await withEnvironment(environment, async () => {
      signal?.throwIfAborted()
      const report = {
        signal,
        // The files are there already.
        onProgress: onProgress && ((now: ScoreProgress) => onProgress({ phase: 'load', ...now })),
      }
      const begun = new DeviceThread({ flags, model, options }, onBatch, report)
      await begun.#adapterDone
      return begun
    })
    try {
      thread.#layers = (await thread.#loading) as number[]
      return thread
    } catch (error) {
      await thread.end(error as Error)
      throw error
    }
  }

  /** As of the last answer. */
  get info(): RerankerInfo {
    return this.#info!
  }

  get layers(): readonly number[] {
    return this.#layers
  }

  /** Why the thread or its device is gone. It then answers no call. */
  get fault(): Error | undefined {
    return this.#fault
  }

  /**
   * Calls a method of the reranker. Settles when nothing of the call is on the device any more.
   *
   * @throws what the method throws; DevicesError `thread-failed`; the signal's reason
   */
  call(method: Method, args: readonly unknown[], report: CallReport = {}): Promise<unknown> {
    return this.#ask(report, (id) => this.#send({ type: 'call', id, method, args }))
  }

  /** Frees the device and ends the thread; pending calls reject with `why`, and so do later ones. */
  async end(why: Error): Promise<void> {
    this.#fail(why)
    this.#worker.ref()
    this.#send({ type: 'dispose' })
    const timer = setTimeout(() => this.#worker.terminate(), patience)
    await this.#exited
    clearTimeout(timer)
  }

  /** Frees the device and ends the thread while the process waits. */
  endNow(): void {
    this.#send({ type: 'dispose' })
    Atomics.wait(new Int32Array(this.#ended), 0, 0, patience)
  }

  #send(request: Request): void {
    this.#worker.postMessage(request)
  }

  #fail(why: Error): void {
    this.#fault ??= why
    for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(this.#fault)
  }

  /** Sends a request with a number of its own, and waits for its answer. */
  async #ask(report: CallReport, send: (id: number) => void): Promise<unknown> {
    if (this.#fault) throw this.#fault
    const { signal } = report
    const id = this.#nextId++
    const abort = () => this.#send({ type: 'abort', id })
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { report, resolve, reject })
    })
    this.#worker.ref()
    signal?.addEventListener('abort', abort)
    try {
      send(id)
      return await answer
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    } finally {
      this.#take(id)
      signal?.removeEventListener('abort', abort)
    }
  }

  /** A request that is no longer pending; with the last one, the thread no longer holds the process. */
  #take(id: number): Pending | undefined {
    const call = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#worker.unref()
    return call
  }

  #receive(reply: Reply): void {
    if (reply.type === 'progress') {
      const { done, total } = reply
      this.#pending.get(reply.id)?.report.onProgress?.({ done, total })
    } else if (reply.type === 'batch') {
      this.#onBatch?.(reply.batch)
    } else if (reply.type === 'done') {
      this.#info = reply.info
      const call = this.#take(reply.id)
      if (reply.stats) call?.report.onStats?.(reply.stats)
      call?.resolve(reply.result)
    } else if (reply.type === 'failed') {
      this.#take(reply.id)?.reject(receiveError(reply.error))
    }
  }
}
