import { DawnrankError } from '../error.ts'

/** How an error goes over HTTP. */
interface Kind {
  /** The status; TEI's form has 422 where others have 400. */
  readonly status: number
  readonly tei?: number
  /** `error_type` of TEI's form. */
  readonly errorType: string
  /** `type` of OpenAI's form. */
  readonly type: string
  /** The label `err` of the metric. */
  readonly metric: string
}

const invalid = {
  status: 400,
  errorType: 'Validation',
  type: 'BadRequestError',
  metric: 'validation',
} as const

const kinds = {
  'body-malformed': invalid,
  'list-empty': { ...invalid, errorType: 'Empty' },
  'request-invalid': { ...invalid, tei: 422 },
  'batch-too-large': { ...invalid, tei: 422, metric: 'batch_size' },
  'input-too-long': { ...invalid, tei: 422, errorType: 'Tokenizer', metric: 'tokenization' },
  'model-type': {
    status: 400,
    tei: 424,
    errorType: 'Backend',
    type: 'BadRequestError',
    metric: 'model_type',
  },
  unauthorized: {
    ...invalid,
    status: 401,
    errorType: 'Unauthorized',
    type: 'AuthenticationError',
  },
  'model-unknown': { ...invalid, status: 404, errorType: 'NotFound', type: 'NotFoundError' },
  'route-unknown': { ...invalid, status: 404, errorType: 'NotFound', type: 'NotFoundError' },
  'method-unsupported': { ...invalid, status: 405, type: 'MethodNotAllowedError' },
  'body-too-large': { ...invalid, status: 413, type: 'PayloadTooLargeError' },
  'content-type-unsupported': { ...invalid, status: 415, type: 'UnsupportedMediaTypeError' },
  'inference-failed': {
    status: 424,
    errorType: 'Backend',
    type: 'InferenceError',
    metric: 'inference',
  },
  overloaded: {
    status: 429,
    errorType: 'Overloaded',
    type: 'RateLimitError',
    metric: 'overloaded',
  },
  'client-left': {
    status: 499,
    errorType: 'Cancelled',
    type: 'ClientClosedRequestError',
    metric: 'cancelled',
  },
  internal: {
    status: 500,
    errorType: 'Backend',
    type: 'InternalServerError',
    metric: 'inference',
  },
  unhealthy: {
    status: 503,
    errorType: 'Unhealthy',
    type: 'ServiceUnavailableError',
    metric: 'unhealthy',
  },
  timeout: { status: 504, errorType: 'Timeout', type: 'TimeoutError', metric: 'timeout' },
} as const satisfies Readonly<Record<string, Kind>>

export type ServerErrorCode = keyof typeof kinds

/** The kinds of failed requests, as the metric names them. */
export const failureLabels = [...new Set(Object.values(kinds).map(({ metric }) => metric))]

/** A request that is refused or failed. Its `code` says how it goes over HTTP. */
export class ServerError extends DawnrankError {
  static override readonly name: string = 'ServerError'
  declare readonly code: ServerErrorCode
  /** The field of the request that is meant. */
  readonly param: string | undefined
  /** Seconds until a retry makes sense. */
  readonly retryAfter: number | undefined

  constructor(
    code: ServerErrorCode,
    message: string,
    {
      param,
      retryAfter,
      ...options
    }: ErrorOptions & { param?: string | undefined; retryAfter?: number } = {},
  ) {
    super(code, message, options)
    this.param = param
    this.retryAfter = retryAfter
  }

  get kind(): Kind {
    return kinds[this.code]
  }
}
