import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { BatchSize } from '../inference/queue.ts'
import type { ScoreStats } from '../rerankers/index.ts'
import type { Admission } from './admission.ts'
import { failureLabels } from './errors.ts'
import type { Models } from './models.ts'

const prefix = 'dawnrank_'

/** Seconds, from a quick request to one that waits. */
const seconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
]
const powersOfTwo = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => from * 2 ** i)

export type Metrics = ReturnType<typeof makeMetrics>

/** The metrics of a server, under the names that TEI has, with a prefix of ours. */
export function makeMetrics(admission: Admission, models: Models) {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: prefix + name, help, labelNames, registers })
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: prefix + name, help, buckets, registers })
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })

  const count = counter('request_count', 'Requests to score or embed', ['method'])
  const success = counter('request_success', 'Requests that were answered', ['method'])
  const failure = counter('request_failure', 'Requests that failed, by kind of error', ['err'])
  const duration = histogram('request_duration', 'Seconds from request to answer', seconds)
  const tokenization = histogram(
    'request_tokenization_duration',
    'Seconds in which the texts of a request became tokens',
    seconds,
  )
  const queue = histogram(
    'request_queue_duration',
    'Seconds until the first batch of a request',
    seconds,
  )
  const inference = histogram(
    'request_inference_duration',
    'Seconds from the first batch of a request to its last score',
    seconds,
  )
  const inputLength = histogram('request_input_length', 'Tokens of a request', powersOfTwo(16, 16))
  const tokens = counter('tokens', 'Tokens that models were fed')
  const documents = counter(
    'documents',
    'Pairs of query and document that were scored, and texts that were embedded',
  )
  const batchSize = histogram('batch_next_size', 'Pairs or texts in a batch', powersOfTwo(1, 12))
  const batchTokens = histogram('batch_next_tokens', 'Tokens in a batch', powersOfTwo(16, 13))
  gauge('queue_size', 'Documents of accepted requests that have no score yet', () => {
    return admission.waiting
  })
  gauge('requests_in_flight', 'Requests that are accepted and not answered', () => {
    return admission.requests
  })
  gauge('models_loaded', 'Models on a device', () => {
    return models.all.filter(({ loaded }) => loaded).length
  })
  for (const err of failureLabels) failure.inc({ err }, 0)
  for (const method of ['single', 'batch']) {
    count.inc({ method }, 0)
    success.inc({ method }, 0)
  }

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    began: (method: string) => count.inc({ method }),
    failed: (err: string) => failure.inc({ err }),
    /** Notes an answered request: its time in all, in milliseconds, and what its call took. */
    answered(method: string, ms: number, stats: ScoreStats, pairs: number) {
      success.inc({ method })
      duration.observe(ms / 1000)
      tokenization.observe(stats.tokenization / 1000)
      queue.observe(stats.queue / 1000)
      inference.observe(stats.inference / 1000)
      inputLength.observe(stats.tokens)
      tokens.inc(stats.tokens)
      documents.inc(pairs)
    },
    batch(batch: BatchSize) {
      batchSize.observe(batch.sequences)
      batchTokens.observe(batch.tokens)
    },
  }
}
