import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { version } from '../../package.json'
import type { Endpoint } from './endpoints.ts'
import type { Form } from './faults.ts'
import { healthAnswer, infoAnswer, modelsAnswer } from './state.ts'

/** What the schemas are registered with. */
type Registry = OpenAPIHono['openAPIRegistry']

const errors: Readonly<Record<Form, z.ZodType>> = {
  cohere: z.object({ id: z.string().optional(), message: z.string() }).openapi('CohereError'),
  tei: z
    .object({ error: z.string(), error_type: z.string(), message: z.string() })
    .openapi('TeiError'),
  openai: z
    .object({
      error: z.object({
        message: z.string(),
        type: z.string(),
        param: z.string().nullable(),
        code: z.int(),
      }),
      message: z.string(),
    })
    .openapi('OpenAiError'),
}

/** Why requests fail, by status. */
const reasons: Readonly<Record<number, string>> = {
  400: 'The body is not JSON, a list is empty, or (except in the form of text-embeddings-inference) a field is missing or wrong',
  401: 'The key is missing or wrong',
  404: 'The model is unknown',
  413: 'The body is too large',
  415: 'The body is not JSON by its content type',
  422: 'A field is missing or wrong, or a text too long with truncate: false (the form of text-embeddings-inference)',
  424: 'The model failed, or (in the form of text-embeddings-inference) is of the other kind',
  429: 'The queue is full',
  500: 'A fault of the server',
  503: 'The server is loading, stopping, or opens its device again',
  504: 'The request took too long',
}

const oneOf = (schemas: readonly z.ZodType[]) =>
  schemas.length === 1 ? (schemas[0] as z.ZodType) : z.union(schemas as [z.ZodType, z.ZodType])

const json = (schema: z.ZodType) => ({ 'application/json': { schema } })

const errorResponses = (forms: readonly Form[], statuses: readonly number[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: reasons[status] as string,
        content: json(oneOf(forms.map((form) => errors[form]))),
        ...([429, 503].includes(status) && {
          headers: z.object({
            'Retry-After': z.string().optional().openapi({ description: 'Whole seconds' }),
          }),
        }),
      },
    ]),
  )

const bodyStatuses = [400, 401, 404, 413, 415, 424, 429, 500, 503, 504]

/** Describes the routes with bodies. */
export function describeEndpoints(registry: Registry, endpoints: readonly Endpoint[]): void {
  for (const { path, summary, requests, answers, forms } of endpoints) {
    const statuses = forms.includes('tei') ? [...bodyStatuses, 422] : bodyStatuses
    registry.registerPath({
      method: 'post',
      path,
      summary,
      request: { body: { required: true, content: json(oneOf(requests)) } },
      responses: {
        ...(answers.length > 0 && {
          200: { description: 'The answer', content: json(oneOf(answers)) },
        }),
        ...errorResponses(forms, statuses),
      },
    })
  }
}

/** Describes the routes that tell how the server is. */
export function describeState(registry: Registry): void {
  const open = { security: [] }
  const get = (path: string, summary: string, answer: z.ZodType, form: Form, more: object = {}) =>
    registry.registerPath({
      method: 'get',
      path,
      summary,
      ...more,
      responses: {
        200: { description: 'The answer', content: json(answer) },
        ...errorResponses([form], 'security' in more ? [503] : [401, 503]),
      },
    })
  get('/health', 'Whether the server takes requests', healthAnswer, 'tei', open)
  get('/ping', '/health under another name', healthAnswer, 'tei', open)
  get('/info', 'The first model, and the limits of the server', infoAnswer, 'tei')
  get('/v1/models', 'The models that requests may name', modelsAnswer, 'openai')
  get('/openapi.json', 'This document', z.looseObject({}), 'openai')
  registry.registerPath({
    method: 'get',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    ...open,
    responses: {
      200: {
        description: 'The text format of Prometheus',
        content: { 'text/plain; version=0.0.4': { schema: z.string() } },
      },
    },
  })
}

/** The OpenAPI document of an app. */
export function documentOf(app: OpenAPIHono, hasKeys: boolean): object {
  if (hasKeys) {
    app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
      type: 'http',
      scheme: 'bearer',
    })
  }
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'dawnrank',
      version,
      description: 'Ranks documents by their relevance to a query, and embeds texts.',
    },
    ...(hasKeys && { security: [{ key: [] }] }),
  })
}
