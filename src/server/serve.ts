import { once } from 'node:events'
import type { Server } from 'node:http'
import { serve as listen } from '@hono/node-server'
import type { LoadOptions } from '../rerankers/index.ts'
import { Admission } from './admission.ts'
import { createApp } from './app.ts'
import { followConnections } from './connections.ts'
import { defaults, type LogLevel } from './defaults.ts'
import { loadServed } from './embedder.ts'
import { type Log, makeLog } from './log.ts'
import { makeMetrics } from './metrics.ts'
import { Models, type ServedModel } from './models.ts'
import { specsOf } from './specs.ts'

/** Options of a server; the defaults of most are in {@link defaults}. */
export interface ServerOptions {
  /** The models: places, or `NAME=PLACE`. Default: the embedded one. */
  readonly models?: readonly string[]
  /** Default: an address that only this machine reaches. */
  readonly host?: string | undefined
  /** 0: any free port. */
  readonly port?: number | undefined
  /** Keys, one of which requests have to bring. Default: none is needed. */
  readonly apiKeys?: readonly string[]
  /** Origins of pages that may call the server. Default: none. */
  readonly corsOrigins?: readonly string[]
  /** Requests that are accepted at a time. */
  readonly maxConcurrentRequests?: number | undefined
  /** Documents of accepted requests that may wait for their scores. */
  readonly maxWaitingDocuments?: number | undefined
  /** Documents of a request. */
  readonly maxClientBatchSize?: number | undefined
  /** Bytes of a body. */
  readonly payloadLimit?: number | undefined
  /** Seconds from the acceptance of a request to its answer. */
  readonly requestTimeout?: number | undefined
  /** Bytes that loaded models may take together. Default: no limit. */
  readonly maxModelBytes?: number | undefined
  /** Whether texts that are too long are shortened where a request in TEI's form does not say. Default: true. */
  readonly autoTruncate?: boolean | undefined
  /** Options of loading a model. */
  readonly loadOptions?: Omit<LoadOptions, 'signal' | 'onBatch'>
  /** Loads a model in place of `Reranker.load` and `Embedder.load`. */
  readonly load?:
    | ((place: string | undefined, options: LoadOptions) => Promise<ServedModel>)
    | undefined
  readonly logLevel?: LogLevel | undefined
  readonly log?: Log | undefined
}

/** A server that listens. */
export interface RunningServer {
  readonly url: string
  /** Resolves when the first model is loaded; rejects where it cannot be. */
  readonly ready: Promise<void>
  /** Accepts nothing more, answers what it accepted, and frees everything. */
  close(): Promise<void>
}

/** How much longer than a request may take the end of the server waits for clients that do not read their answers. */
const closeGraceMs = 5000

/**
 * Starts a server. It listens at once; its health is good when the first model is loaded.
 *
 * @throws what listening throws, such as that the port is in use
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const { host = defaults.host, port = defaults.port, apiKeys = [], corsOrigins = [] } = options
  const { maxConcurrentRequests = defaults.maxConcurrentRequests } = options
  const { maxWaitingDocuments = defaults.maxWaitingDocuments } = options
  const { maxClientBatchSize = defaults.maxClientBatchSize } = options
  const { payloadLimit = defaults.payloadLimit } = options
  const { requestTimeout = defaults.requestTimeout } = options
  const { logLevel = defaults.logLevel, log = makeLog(logLevel) } = options
  const { autoTruncate = true, load = loadServed } = options
  const stopLoading = new AbortController()
  const models = new Models(
    specsOf(options.models ?? [], (place) =>
      load(place, {
        ...options.loadOptions,
        signal: stopLoading.signal,
        onBatch: (batch) => metrics.batch(batch),
      }),
    ),
    options.maxModelBytes,
    modelEvents(log, stopLoading.signal),
  )
  const requestTimeoutMs = requestTimeout * 1000
  const admission = new Admission({
    maxConcurrentRequests,
    maxWaitingDocuments,
    maxWaitMs: requestTimeoutMs,
  })
  const metrics = makeMetrics(admission, models)
  const limits = { maxClientBatchSize, payloadLimit, requestTimeoutMs }
  const health = { models, stopping: false }
  const app = createApp(
    { models, admission, metrics, limits, autoTruncate },
    { log, health, apiKeys, corsOrigins },
  )
  const server = listen({
    fetch: app.fetch,
    hostname: host,
    port,
    overrideGlobalObjects: false,
  }) as Server
  const endIdle = followConnections(server)
  await once(server, 'listening')
  const url = urlOf(server, host)
  log.info({ url, models: models.all.map(({ name }) => name) }, 'listening')
  const ready = models.acquire(models.first.name).then((lease) => lease.release())
  // Whoever does not wait for it is told by /health.
  ready.catch(() => {})

  let closing: Promise<void> | undefined
  async function close() {
    health.stopping = true
    log.info({ requests: admission.requests }, 'stopping')
    const closed = once(server, 'close')
    server.close()
    endIdle()
    const timer = setTimeout(() => server.closeAllConnections(), requestTimeoutMs + closeGraceMs)
    await admission.whenEmpty()
    stopLoading.abort()
    await closed
    clearTimeout(timer)
    await models.dispose()
    log.info({}, 'stopped')
  }
  return {
    url,
    ready,
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

function urlOf(server: Server, host: string): string {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : address
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** What happens to models, as the log has it. Messages of loading are about files, never about texts. */
const modelEvents = (log: Log, stopped: AbortSignal) => ({
  loaded: (name: string, { info }: ServedModel, ms: number) => {
    const { dtype, adapter, memory } = info
    const facts = { model: name, ms: Math.round(ms), dtype, adapter: adapter.description, memory }
    log.info(facts, 'model loaded')
    for (const warning of info.warnings) log.warn({ model: name }, warning)
  },
  evicted: (name: string) => log.info({ model: name }, 'model evicted'),
  lost: (name: string, error: Error) =>
    log.error({ model: name, error: error.message }, 'device lost'),
  failed: (name: string, error: unknown) => {
    if (stopped.aborted) return
    const why = error instanceof Error ? error.message : error
    log.error({ model: name, error: why }, 'model not loaded')
  },
})
