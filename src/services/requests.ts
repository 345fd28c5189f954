import ky, { HTTPError } from 'ky'
import pThrottle from 'p-throttle'
import { ServiceError } from './errors.ts'
import type { Service } from './services.ts'

/** Sends a body and gives the answer's. */
export type Send = (body: object) => Promise<unknown>

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

/**
 * Sends requests to a service, at most so many a minute, evenly spaced.
 *
 * @param signal ends requests, and what waits to be sent
 */
export function senderTo(
  { url, key, requestsPerMinute }: Pick<Service, 'url' | 'key' | 'requestsPerMinute'>,
  { retries, firstWait, timeout }: RetrySettings = usualRetries,
  signal?: AbortSignal,
): Send {
  const ended = signal && { signal }
  const spaced = Number.isFinite(requestsPerMinute)
    ? pThrottle({ limit: 1, interval: 60_000 / requestsPerMinute, ...ended })(() => {})
    : () => {}
  const client = ky.create({
    ...ended,
    timeout,
    headers: {
      accept: 'application/json',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
    // A key is for this host alone; `serviceError` says where to.
    redirect: 'manual',
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
  return async (json) => {
    // After an abort, the throttle would make calls wait again.
    signal?.throwIfAborted()
    await spaced()
    const answer = client.post(url, { json }).text()
    const text = await answer.catch(async (error: Error) => {
      signal?.throwIfAborted()
      throw await serviceError(error, url)
    })
    return parsed(text)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const start = JSON.stringify(text.slice(0, 100))
    throw new ServiceError('answer-invalid', `answered, but not with JSON: ${start}`, { cause })
  }
}

async function serviceError(error: Error, url: string): Promise<ServiceError> {
  if (!(error instanceof HTTPError)) {
    const text = `${url}: no answer: ${error.message}${reasonOf(error)}`
    return new ServiceError('service-unreachable', text, { cause: error })
  }
  const { status, headers } = error.response
  const location = headers.get('location')
  if (status < 400 && location !== null) {
    return new ServiceError(
      'request-refused',
      `${url}: answered ${status}, a redirect to ${location}, which is not followed, as a key is for one host alone; ` +
        'give that URL instead if it is right',
      { cause: error },
    )
  }
  const text = (await error.response.text().catch(() => '')).trim().slice(0, 300)
  const code = status === 401 || status === 403 ? 'key-refused' : 'request-refused'
  return new ServiceError(code, `${url}: answered ${status}${text && `: ${text}`}`, {
    cause: error,
  })
}

/** What `fetch` says of a failure is in its cause; the message of several tries to connect is empty. */
function reasonOf({ cause }: Error): string {
  if (!(cause instanceof Error)) return ''
  return ` (${cause.message || (cause as NodeJS.ErrnoException).code})`
}
