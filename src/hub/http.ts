/**
 * Requests to the hub: time limits, retries, and errors by what the hub answers.
 *
 * `@huggingface/hub` has none of these (measured: it waits forever on a silent connection and fails at the first 429), so its
 * functions are given {@link asFetch}. Files are fetched here as well: its `downloadFile` hides the status and the range of an
 * answer, sends the token to whatever URL its `fileDownloadInfo` found, and takes no token that does not begin with "hf_".
 * Files in Xet storage come through the hub's HTTP bridge, which serves ranges of the same bytes.
 */
import { busyStatuses, unfetchedText } from '../platform/http.ts'
import { HubError } from './errors.ts'
import type { HubClient } from './settings.ts'

/** What a request is about, for messages. */
export interface Subject {
  readonly name: string
  readonly revision?: string | undefined
  readonly path?: string | undefined
}

type PassingCode = 'unreachable' | 'rate-limited' | 'hub-failed'

/** A fault that may be gone at the next attempt. */
export class Passing extends Error {
  readonly code: PassingCode
  /** Milliseconds that the hub asks to wait. */
  readonly waitMs: number | undefined

  constructor(code: PassingCode, message: string, waitMs?: number, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.waitMs = waitMs
  }
}

/** Attempts in a row without progress. */
const mostAttempts = 5
/** Milliseconds of the first pause, which doubles, and the longest one. */
const pauses = { first: 300, longest: 10_000 }
/** The longest that the hub may ask to wait: the window of its rate limits. */
const longestWaitMs = 310_000

interface Persistence {
  /** Grows with progress, which makes a fault count as the first one. */
  readonly position?: () => number
  readonly attempts?: number
}

/** Works until it succeeds; what may pass is tried again after a pause. */
export async function persist<T>(
  { signal }: HubClient,
  subject: Subject,
  work: () => Promise<T>,
  { position = () => 0, attempts = mostAttempts }: Persistence = {},
): Promise<T> {
  for (let failures = 0; ; ) {
    const before = position()
    try {
      signal?.throwIfAborted()
      return await work()
    } catch (fault) {
      signal?.throwIfAborted()
      if (!(fault instanceof Passing)) throw fault
      failures = position() > before ? 1 : failures + 1
      const wait = fault.waitMs ?? 0
      if (failures >= attempts || wait > longestWaitMs) {
        throw new HubError(fault.code, `${nameOf(subject)}: ${fault.message}`, { cause: fault })
      }
      const backoff = Math.min(pauses.first * 2 ** (failures - 1), pauses.longest)
      // Spread, so that many clients do not come back at the same moment.
      await pause(Math.max(wait, backoff * (0.5 + Math.random() / 2)), signal)
    }
  }
}

/** Waits; rejects with the reason of the signal as soon as that aborts. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      resolve()
    }
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
  })
}

/** An answer whose body is not read yet. Read it or drop it. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** Whether the answer is of another origin, to which the hub redirected. */
  readonly foreign: boolean
  chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>>
  drop(): Promise<void>
}

/**
 * One request. The token goes to the hub's own origin alone: `fetch` removes it where a redirect leads to another origin, and
 * it is not added for one.
 *
 * @throws Passing where there is no answer, or none in time; the signal's reason
 */
export async function get(
  { endpoint, token, answerMs, silenceMs, signal }: HubClient,
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const { origin } = new URL(endpoint)
  const isOwn = new URL(address).origin === origin
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  let timer: ReturnType<typeof setTimeout> | undefined
  const watch = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      stop.abort(new Passing('unreachable', `no data for ${ms / 1000} s (a time limit)`))
    }, ms)
  }
  const end = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  const passing = (fault: unknown) => {
    end()
    signal?.throwIfAborted()
    if (fault instanceof Passing) return fault
    return new Passing('unreachable', unfetchedText(fault), undefined, { cause: fault })
  }

  signal?.throwIfAborted()
  signal?.addEventListener('abort', onAbort)
  watch(answerMs)
  let answer: Response
  try {
    answer = await fetch(address, {
      headers: {
        // Small files would be compressed on the way, and then have no length.
        'accept-encoding': 'identity',
        ...(token && isOwn && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      signal: stop.signal,
    })
  } catch (fault) {
    throw passing(fault)
  }
  clearTimeout(timer)
  return {
    status: answer.status,
    headers: answer.headers,
    foreign: answer.url !== '' && new URL(answer.url).origin !== origin,
    async *chunks() {
      const reader = answer.body?.getReader()
      try {
        while (reader) {
          watch(silenceMs)
          const { done, value } = await reader.read().catch((fault) => {
            throw passing(fault)
          })
          clearTimeout(timer)
          if (done) return
          yield value as Uint8Array<ArrayBuffer>
        }
      } finally {
        end()
        await reader?.cancel().catch(() => {})
      }
    },
    async drop() {
      end()
      await answer.body?.cancel().catch(() => {})
    },
  }
}

/**
 * Throws for an answer that is not 2xx; its body is dropped.
 *
 * @throws Passing, HubError
 */
export async function checkStatus(
  reply: Reply,
  subject: Subject,
  { token, endpoint }: HubClient,
): Promise<void> {
  const { status, headers, foreign } = reply
  if (status >= 200 && status < 300) return
  await reply.drop()
  if (busyStatuses.includes(status)) {
    const code = status === 429 ? 'rate-limited' : 'hub-failed'
    const wait = waitOf(headers)
    const asked = wait ? `, and asks to wait ${Math.ceil(wait / 1000)} s` : ''
    throw new Passing(code, `the hub answered ${status}${asked}`, wait)
  }
  // A signed address may have expired; the next attempt gets a new one.
  if (foreign) throw new Passing('hub-failed', `the hub's file store answered ${status}`)
  throw refusal(status, headers, subject, token, endpoint)
}

/** Milliseconds until the hub takes another request, where it says so. */
function waitOf(headers: Headers): number | undefined {
  const after = headers.get('retry-after')?.trim()
  if (after && /^\d+$/.test(after)) return 1000 * Number(after)
  const date = after ? Date.parse(after) : Number.NaN
  // By the hub's own clock, where the answer shows it.
  const now = Date.parse(headers.get('date') ?? '') || Date.now()
  if (!Number.isNaN(date)) return Math.max(0, date - now)
  const left = /;\s*r=0\b.*;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')
  return left ? 1000 * Number(left[1]) : undefined
}

function refusal(
  status: number,
  headers: Headers,
  subject: Subject,
  token: string | undefined,
  endpoint: string,
): HubError {
  const { name, revision } = subject
  const page = `${endpoint}/${name}`
  const code = headers.get('x-error-code')
  if (code === 'GatedRepo') {
    return new HubError(
      'gated',
      token
        ? `${name}: gated, and the account of the token has no access; accept the licence at ${page} with that account, and use a token that may read gated models`
        : `${name}: gated; accept the licence at ${page}, then set HF_TOKEN to a token of ${endpoint}/settings/tokens`,
    )
  }
  if (code === 'RevisionNotFound') {
    return new HubError('revision-missing', `${name}: no revision ${JSON.stringify(revision)}`)
  }
  if (status === 401 && token && !code) {
    return new HubError(
      'token-invalid',
      `${name}: the hub rejects the token (HF_TOKEN or the token file); make a new one at ${endpoint}/settings/tokens, or unset it for public models`,
    )
  }
  if (code === 'EntryNotFound' && subject.path) {
    return new HubError('hub-failed', `${nameOf(subject)}: listed, but the hub does not have it`)
  }
  if (status === 401 || status === 403 || status === 404) {
    return new HubError(
      'repo-missing',
      `${name}: ${endpoint} has no such model, or it is private (the answer is ${status}). Check the name; ${
        token
          ? 'for a private model, the token must be of an account that may read it'
          : 'for a private model, set HF_TOKEN to a token that may read it'
      }`,
    )
  }
  const message = headers.get('x-error-message')
  return new HubError(
    'hub-failed',
    `${nameOf(subject)}: the hub answered ${status}${message ? ` (${message.slice(0, 200)})` : ''}`,
  )
}

/** How messages call a subject. */
export const nameOf = ({ name, path }: Subject): string => (path ? `${name}/${path}` : name)

/** The JSON of an address of the API, and its headers. */
async function getJson(
  client: HubClient,
  address: string,
  subject: Subject,
): Promise<{ text: string; link: string | null }> {
  const reply = await get(client, address, { accept: 'application/json' })
  await checkStatus(reply, subject, client)
  const type = reply.headers.get('content-type') ?? ''
  if (!/\bjson\b/i.test(type)) {
    await reply.drop()
    throw new Passing(
      'hub-failed',
      `expected JSON of ${client.endpoint}; found ${type || 'no type'}, perhaps the sign-in page of a network`,
    )
  }
  const parts: Uint8Array<ArrayBuffer>[] = []
  for await (const chunk of reply.chunks()) parts.push(chunk)
  const text = await new Blob(parts).text()
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new Passing('hub-failed', 'the answer is not JSON', undefined, { cause })
  }
  return { text, link: reply.headers.get('link') }
}

/** A `fetch` for functions of `@huggingface/hub`: whole JSON answers, after retries; all else throws. */
export const asFetch =
  (client: HubClient, subject: Subject, attempts?: number): typeof fetch =>
  async (input) => {
    const address = input instanceof Request ? input.url : String(input)
    const { text, link } = await persist(
      client,
      subject,
      () => getJson(client, address, subject),
      attempts === undefined ? {} : { attempts },
    )
    return new Response(text, link ? { headers: { link } } : {})
  }
