import ky, { HTTPError } from 'ky'
import pThrottle from 'p-throttle'
import { ServiceError } from './errors.ts'
import type { Service } from './services.ts'

/** Sends a body and gives the answer's. */
export type Send = (body: object, signal: AbortSignal | undefined) => Promise<unknown>

/** When a request is sent again, and for how long one may take. */
export interface RetrySettings {
  /** Further tries of a request that was refused for now (408, 429, 5xx) or not answered. */
  readonly retries: number
  /** The wait before the first of them, in ms; it doubles, and `Retry-After` comes before it. */
  readonly firstWait: number
  /** In ms. */
  readonly timeout: number
}

export const usualRetries: RetrySettings = { retries: 6, firstWait: 1000, timeout: 120_000 }

const longestWait = 60_000

/** Sends requests to a service, at most so many a minute, evenly spaced. */
export function senderTo(
  { url, key, requestsPerMinute }: Pick<Service, 'url' | 'key' | 'requestsPerMinute'>,
  { retries, firstWait, timeout }: RetrySettings = usualRetries,
): Send {
  const spaced = Number.isFinite(requestsPerMinute)
    ? pThrottle({ limit: 1, interval: 60_000 / requestsPerMinute })(() => {})
    : () => {}
  const client = ky.create({
    timeout,
    ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } }),
    // A key is for this host alone.
    redirect: 'error',
    retry: {
      limit: retries,
      methods: ['post'],
      statusCodes: [408, 429, 500, 502, 503, 504, 529],
      afterStatusCodes: [429, 503],
      maxRetryAfter: longestWait,
      delay: (attempt) => Math.min(firstWait * 2 ** (attempt - 1), longestWait),
      jitter: true,
      retryOnTimeout: true,
    },
  })
  return async (json, signal) => {
    await spaced()
    signal?.throwIfAborted()
    try {
      return await client.post(url, { json, ...(signal && { signal }) }).json()
    } catch (error) {
      signal?.throwIfAborted()
      throw await serviceError(error, url)
    }
  }
}

async function serviceError(error: unknown, url: string): Promise<ServiceError> {
  if (!(error instanceof HTTPError)) {
    const { message } = error as Error
    return new ServiceError('service-unreachable', `${url}: no answer: ${message}`, {
      cause: error,
    })
  }
  const { status } = error.response
  const text = (await error.response.text().catch(() => '')).trim().slice(0, 300)
  const code = status === 401 || status === 403 ? 'key-refused' : 'request-refused'
  return new ServiceError(code, `${url}: answered ${status}${text && `: ${text}`}`, {
    cause: error,
  })
}
