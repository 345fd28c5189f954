/** What the environment says about the hub, by the names that huggingface_hub reads. */
import { environment } from '#platform'
import { HubError } from './errors.ts'

/** How the hub is asked. */
export interface HubClient {
  /** The hub's URL without a slash at the end. */
  readonly endpoint: string
  readonly token: string | undefined
  /** Milliseconds to wait for an answer, and between two parts of one. */
  readonly answerMs: number
  readonly silenceMs: number
  readonly signal: AbortSignal | undefined
}

/** The value of the first variable that is set and not empty. */
export const firstSet = (...names: readonly string[]): string | undefined =>
  names.map(environment).find((value) => value)

/** Whether a variable says yes, as Python's huggingface_hub reads it. */
export const isTrue = (...names: readonly string[]): boolean =>
  /^(1|on|yes|true)$/i.test(firstSet(...names) ?? '')

export const isOffline = (): boolean => isTrue('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE')

/** The environment as a client. */
export function readClient(token: string | undefined, signal: AbortSignal | undefined): HubClient {
  // What cannot be part of a header would fail there, with a message that shows it.
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new HubError(
      'token-invalid',
      'the token (HF_TOKEN or the token file) has spaces or characters that no token has; set it again',
    )
  }
  return {
    endpoint: readEndpoint(),
    token,
    answerMs: seconds('HF_HUB_ETAG_TIMEOUT'),
    silenceMs: seconds('HF_HUB_DOWNLOAD_TIMEOUT'),
    signal,
  }
}

const defaultSeconds = 10

function seconds(name: string): number {
  const value = Number(environment(name) || defaultSeconds)
  return 1000 * (value > 0 && Number.isFinite(value) ? value : defaultSeconds)
}

function readEndpoint(): string {
  const endpoint = (firstSet('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '')
  if (URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)) return endpoint
  throw new HubError(
    'endpoint-invalid',
    `HF_ENDPOINT: found ${JSON.stringify(endpoint)}; expected a URL such as https://huggingface.co`,
  )
}
