/** The entry of a device's worker thread: loads the model, answers calls until it is disposed of. */
import { parentPort, workerData } from 'node:worker_threads'
import { webgpu } from '#platform'
import { Reranker, type ScoreProgress, type ScoreStats } from '../rerankers/index.ts'
import { DevicesError } from './errors.ts'
import { type Method, type Reply, type Request, sendError, type ThreadData } from './messages.ts'

const port = parentPort!
const { flags, model, options, reportsBatches, ended } = workerData as ThreadData
const aborts = new Map<number, AbortController>()
const send = (reply: Reply) => port.postMessage(reply)

process.once('exit', () => {
  Atomics.store(new Int32Array(ended), 0, 1)
  Atomics.notify(new Int32Array(ended), 0)
})

let reranker: Reranker | undefined
/** Why the device is gone, once it is. */
let lost: Error | undefined
/** Messages that came while the model was loading wait for it. */
const loaded = answer(0, load)

port.on('message', async (request: Request) => {
  if (request.type === 'abort') {
    aborts.get(request.id)?.abort()
  } else if (request.type === 'dispose') {
    aborts.get(0)?.abort()
    await loaded
    reranker?.dispose()
    port.close()
  } else {
    const { id, method, args } = request
    await answer(id, async (report) => {
      if (lost) throw new DevicesError('device-lost', lost.message, { cause: lost })
      return methods[method](report, ...(args as [never, never, never]))
    })
  }
})

interface Report {
  readonly signal: AbortSignal
  readonly onProgress: (progress: ScoreProgress) => void
  readonly onStats: (stats: ScoreStats) => void
}

/** Runs a call and sends what comes of it. */
async function answer(id: number, work: (report: Report) => Promise<unknown>): Promise<void> {
  const abort = new AbortController()
  aborts.set(id, abort)
  const onProgress: Report['onProgress'] = ({ done, total }) =>
    send({ type: 'progress', id, done, total })
  try {
    let stats: ScoreStats | undefined
    const onStats = (found: ScoreStats) => {
      stats = found
    }
    const result = await work({ signal: abort.signal, onProgress, onStats })
    send({ type: 'done', id, result, stats, info: reranker!.info })
  } catch (error) {
    send({ type: 'failed', id, error: sendError(error) })
  } finally {
    aborts.delete(id)
  }
}

async function load({ signal, onProgress }: Report): Promise<readonly number[]> {
  const gpu = await webgpu(flags)
  const adapter = await gpu
    .requestAdapter({ powerPreference: 'high-performance' })
    .catch((cause: unknown) => {
      throw new DevicesError(
        'adapter-missing',
        `no adapter fits ${flags.join(' ')}: ${cause instanceof Error ? cause.message : cause}`,
        { cause },
      )
    })
  send({ type: 'adapter' })
  reranker = await Reranker.load(model, {
    ...options,
    signal,
    onProgress,
    onBatch: reportsBatches ? (batch) => send({ type: 'batch', batch }) : undefined,
    adapter: adapter ?? undefined,
  })
  reranker.lost.then((why) => {
    lost = why
  })
  return reranker.layers
}

/** What the thread does for each method; passages do not travel back. */
const methods = {
  rank: async (report: Report, query: string, passages: string[], given: object) => {
    const rows = await reranker!.rank(query, passages, { ...given, ...report })
    return rows.map(({ passage: _, ...row }) => row)
  },
  computeScore: (report: Report, pairs: string[][], given: object) =>
    reranker!.computeScore(pairs, { ...given, ...report }),
  hiddenStates: (
    { signal, onProgress }: Report,
    pairs: string[][],
    layers: number[],
    given: object,
  ) => reranker!.hiddenStates(pairs, layers, { ...given, signal, onProgress }),
  selfTest: () => reranker!.selfTest(),
} satisfies Record<Method, (...args: never[]) => Promise<unknown>>
