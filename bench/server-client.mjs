// @ts-check
// The clients of the part `server`, in a process of their own: many at a time, each with one request after another, to a
// server over HTTP or to the library in a process.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { serve } from './contestant.mjs'

/**
 * @typedef {{ query: string, documents: string[] }} Request
 * @typedef {{ status: number, retryAfter?: number, tokens: number, scores: number[] }} Answer
 * @typedef {(request: Request, signal?: AbortSignal) => Promise<Answer>} Send
 * @typedef {{
 *   requests: Request[], clients: number, abortAfterMs?: number[], retry?: boolean,
 * }} Input abortAfterMs: for each request when it is aborted, 0 for never; retry: whether a full queue is asked again
 * @typedef {{
 *   latencies: number[], tokens: number, statuses: Record<string, number>, scores: (number[] | null)[],
 * }} Details latencies in ms, of answered requests; scores: null for those that were not answered
 */

/** @param {string} url @returns {Send} */
const overHttp = (url) => async (request, signal) => {
  const response = await fetch(`${url}/v1/rerank`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
    ...(signal && { signal }),
  })
  /** @type {any} */
  const json = await response.json()
  const retryAfter = Number(response.headers.get('retry-after') ?? 0)
  if (response.status !== 200) return { status: response.status, retryAfter, tokens: 0, scores: [] }
  const rows = json.results.map((/** @type {any} */ row) => [row.index, row.relevance_score])
  return { status: 200, tokens: json.usage.total_tokens, scores: inOrder(rows) }
}

/** @param {[number, number][]} rows index and score */
function inOrder(rows) {
  /** @type {number[]} */
  const scores = []
  for (const [index, score] of rows) scores[index] = score
  return scores
}

/** @param {string} model @returns {Promise<Send>} */
async function overProcess(model) {
  const library = fork(fileURLToPath(new URL('server-library.mjs', import.meta.url)), [model], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  await once(library, 'message')
  /** @type {Map<number, (answer: Answer) => void>} */
  const waiting = new Map()
  let last = 0
  library.on('message', (/** @type {any} */ { id, tokens, results }) => {
    const rows = results.map((/** @type {any} */ row) => [row.index, row.score])
    waiting.get(id)?.({ status: 200, tokens, scores: inOrder(rows) })
    waiting.delete(id)
  })
  return (request) =>
    new Promise((resolve) => {
      last++
      waiting.set(last, resolve)
      library.send({ id: last, ...request })
    })
}

serve(async (/** @type {{ url?: string, model?: string }} */ { url, model = '' }) => {
  const send = url === undefined ? await overProcess(model) : overHttp(url)
  return {
    facts: {},
    run: async (/** @type {Input} */ { requests, clients, abortAfterMs = [], retry = false }) => {
      /** @type {Details} */
      const details = { latencies: [], tokens: 0, statuses: {}, scores: requests.map(() => null) }
      /** @param {number | string} status */
      const count = (status) => {
        details.statuses[status] = (details.statuses[status] ?? 0) + 1
      }
      let next = 0
      /** @param {number} index */
      async function one(index) {
        const request = /** @type {Request} */ (requests[index])
        const wait = abortAfterMs[index] ?? 0
        while (true) {
          const start = performance.now()
          /** @type {Answer} */
          let answer
          try {
            answer = await send(request, wait > 0 ? AbortSignal.timeout(wait) : undefined)
          } catch (error) {
            return count(error instanceof Error ? error.name : 'error')
          }
          count(answer.status)
          if (answer.status === 429 && retry) {
            await new Promise((resolve) => setTimeout(resolve, 1000 * (answer.retryAfter ?? 1)))
            continue
          }
          if (answer.status !== 200) return
          details.latencies.push(performance.now() - start)
          details.tokens += answer.tokens
          details.scores[index] = answer.scores
          return
        }
      }
      await Promise.all(
        Array.from({ length: clients }, async () => {
          while (next < requests.length) await one(next++)
        }),
      )
      return { values: [], details }
    },
  }
})
