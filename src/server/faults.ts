import { EmbedderError } from '../embedders/index.ts'
import { DawnrankError } from '../error.ts'
import { GpuError } from '../gpu/errors.ts'
import { RerankerError } from '../rerankers/index.ts'
import { ServerError, type ServerErrorCode } from './errors.ts'

/** Names of the library's options, as requests have them. */
const wireNames: Readonly<Record<string, string>> = {
  cutoffLayers: 'cutoff_layers',
  maxLength: 'max_length',
  queryMaxLength: 'max_tokens_per_query',
  passageMaxLength: 'max_tokens_per_doc',
  truncationSide: 'truncation_side',
}

const rerankerCodes: Readonly<Record<string, ServerErrorCode>> = {
  'input-invalid': 'request-invalid',
  'option-invalid': 'request-invalid',
  'input-too-long': 'input-too-long',
}

/** Faults of a device, or of the thread that has it, after which a retry may succeed: it is opened again. */
const passing = new Set(['device-lost', 'disposed', 'adapter-missing', 'thread-failed'])

/** Whether an error says that a loaded model is of no use any more. */
export const breaksModel = (error: unknown): error is GpuError => error instanceof GpuError

/** Any error as one that goes over HTTP. */
export function faultOf(error: unknown): ServerError {
  if (error instanceof ServerError) return error
  if (error instanceof DawnrankError && passing.has(error.code)) {
    return new ServerError('unhealthy', `${error.message}; the server opens it again, retry`, {
      cause: error,
      retryAfter: 1,
    })
  }
  if (error instanceof RerankerError || error instanceof EmbedderError) {
    const message = error.message.replace(/\b[a-z]+[A-Z]\w*/g, (name) => wireNames[name] ?? name)
    const param = /^([a-z_]+)(\[\d+\])?[.:]/.exec(message)?.[1]
    const code = rerankerCodes[error.code] ?? 'inference-failed'
    return new ServerError(code, message, { cause: error, param })
  }
  if (error instanceof DawnrankError) {
    return new ServerError('inference-failed', error.message, { cause: error })
  }
  return new ServerError('internal', 'internal error; the log of the server has more', {
    cause: error,
  })
}

/** The forms of error bodies. */
export type Form = 'cohere' | 'tei' | 'openai'

const teiPaths = new Set([
  '/',
  '/rerank',
  '/invocations',
  '/embed',
  '/info',
  '/health',
  '/ping',
  '/metrics',
])

/** The form of errors at a path, as far as the path alone tells. */
export function formOf(path: string): Form {
  if (path.startsWith('/v2/')) return 'cohere'
  return teiPaths.has(path) ? 'tei' : 'openai'
}

/** An error as a JSON answer in the form of a dialect; each has `message` at the top. */
export function errorResponse(error: ServerError, form: Form, id: string): Response {
  const { message, retryAfter, code } = error
  const status = statusOf(error, form)
  const headers = new Headers({ 'content-type': 'application/json' })
  if (retryAfter !== undefined) headers.set('retry-after', String(Math.max(1, retryAfter)))
  if (code === 'unauthorized') headers.set('www-authenticate', 'Bearer')
  return new Response(JSON.stringify(bodies[form](error, status, id, message)), {
    status,
    headers,
  })
}

export const statusOf = ({ kind }: ServerError, form: Form): number =>
  form === 'tei' ? (kind.tei ?? kind.status) : kind.status

const bodies: Readonly<
  Record<Form, (error: ServerError, status: number, id: string, message: string) => object>
> = {
  cohere: (_error, _status, id, message) => ({ id, message }),
  tei: ({ kind }, _status, _id, message) => ({
    error: message,
    error_type: kind.errorType,
    message,
  }),
  openai: ({ kind, param = null }, status, _id, message) => ({
    error: { message, type: kind.type, param, code: status },
    message,
  }),
}
