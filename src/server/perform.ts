import type { ScoreStats } from '../rerankers/index.ts'
import type { Admission } from './admission.ts'
import { ServerError } from './errors.ts'
import { breaksModel } from './faults.ts'
import type { Metrics } from './metrics.ts'
import type { Models, ServedModel } from './models.ts'
import { emptyList } from './parse.ts'

/** Bounds of requests. */
export interface Limits {
  /** Documents of a request. */
  readonly maxClientBatchSize: number
  /** Bytes of a body. */
  readonly payloadLimit: number
  /** Milliseconds from the acceptance of a request to its answer. */
  readonly requestTimeoutMs: number
}

/** What the routes share. */
export interface Service {
  readonly models: Models
  readonly admission: Admission
  readonly metrics: Metrics
  readonly limits: Limits
  /** Whether texts that are too long are shortened where a request of TEI's form does not say. */
  readonly autoTruncate: boolean
}

/** What a handler is given of a request besides its body. */
export interface Call {
  readonly id: string
  readonly signal: AbortSignal
  /** Notes for the log. */
  note(facts: Readonly<Record<string, unknown>>): void
}

/** A request to score or embed texts. */
export interface Task {
  /** The model that it names. */
  readonly model: string | null | undefined
  /** The list of its texts, and its name, as messages give it. */
  readonly list: { readonly name: string; readonly length: number }
}

/** What a call to a model is given besides its options. */
export interface Control {
  readonly signal: AbortSignal
  onProgress(progress: { done: number; total: number }): void
  onStats(stats: ScoreStats): void
}

/** What came of a task. */
export interface Performed<T> {
  readonly value: T
  /** The name of the model. */
  readonly name: string
  readonly model: ServedModel
  readonly stats: ScoreStats
  /** Milliseconds. */
  readonly ms: number
}

/**
 * Does the work of a request by `use`, once there is room for it, and notes it for the log.
 *
 * @throws ServerError: the model is unknown, the batch empty or too large, the queue full, the time over, the client gone;
 * what `use` throws
 */
export async function perform<T>(
  { models, admission, metrics, limits }: Service,
  { signal, note }: Call,
  { model: asked, list }: Task,
  use: (model: ServedModel, control: Control) => Promise<T>,
): Promise<Performed<T>> {
  const begun = performance.now()
  if (list.length === 0) throw emptyList(list.name)
  const method = list.length === 1 ? 'single' : 'batch'
  metrics.began(method)
  const name = models.find(asked)
  checkBatch(list, limits)
  const ticket = admission.enter(list.length)
  const stop = stopper(signal, limits.requestTimeoutMs)
  let stats: ScoreStats | undefined
  try {
    const lease = await models.acquire(name, stop.signal).catch((cause: unknown) => {
      throw cause instanceof ServerError ? cause : notLoaded(name, cause)
    })
    try {
      const value = await use(lease.model, {
        signal: stop.signal,
        onProgress: ({ done, total }) => ticket.progress((done / total) * list.length),
        onStats: (found) => {
          stats = found
        },
      })
      const ms = performance.now() - begun
      stats ??= { tokens: 0, tokenization: 0, queue: 0, inference: ms }
      metrics.answered(method, ms, stats, list.length)
      note({ model: name, documents: list.length, tokens: stats.tokens })
      return { value, name, model: lease.model, stats, ms }
    } catch (error) {
      if (breaksModel(error)) lease.fail(error)
      throw error
    } finally {
      lease.release()
    }
  } catch (error) {
    throw stop.reason ?? error
  } finally {
    stop.end()
    ticket.leave()
  }
}

/** The reason may name files of the server, and is for its log. */
const notLoaded = (name: string, cause: unknown) =>
  new ServerError('unhealthy', `${name} could not be loaded; the log of the server says why`, {
    cause,
    retryAfter: 5,
  })

function checkBatch({ name, length }: Task['list'], { maxClientBatchSize }: Limits): void {
  if (length <= maxClientBatchSize) return
  throw new ServerError(
    'batch-too-large',
    `${name}: found ${length} texts; this server accepts at most ${maxClientBatchSize} in a request`,
    { param: name },
  )
}

/** A signal that is aborted when the client leaves or the time is over, and why it was. */
function stopper(client: AbortSignal, timeoutMs: number) {
  const controller = new AbortController()
  let reason: ServerError | undefined
  const stop = (why: ServerError) => {
    reason ??= why
    controller.abort(why)
  }
  const leave = () => stop(new ServerError('client-left', 'the client closed the connection'))
  const seconds = timeoutMs / 1000
  const timer = setTimeout(() => {
    const text = `the request took longer than ${seconds} s; send fewer documents, or retry later`
    stop(new ServerError('timeout', text))
  }, timeoutMs)
  client.addEventListener('abort', leave)
  if (client.aborted) leave()
  return {
    signal: controller.signal,
    get reason() {
      return reason
    },
    end() {
      clearTimeout(timer)
      client.removeEventListener('abort', leave)
    },
  }
}
