import { randomUUID } from 'node:crypto'
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { cors } from 'hono/cors'
import { keyChecker } from './auth.ts'
import { readJson } from './body.ts'
import { docsPage } from './docs-page.ts'
import { type Endpoint, endpoints } from './endpoints.ts'
import { ServerError } from './errors.ts'
import { errorResponse, type Form, faultOf, formOf, statusOf } from './faults.ts'
import type { Log } from './log.ts'
import { describeEndpoints, describeState, documentOf } from './openapi.ts'
import page from './page.html'
import type { Service } from './perform.ts'
import { checkHealth, type Health, info, listModels, unhealthy } from './state.ts'

/** What an app needs besides the service. */
export interface AppOptions {
  readonly log: Log
  readonly health: Health
  readonly apiKeys: readonly string[]
  /** Origins of pages that may call the server; `*` for any. */
  readonly corsOrigins: readonly string[]
}

interface Variables {
  id: string
  /** What the log tells of the request. */
  notes: Record<string, unknown>
}

type Ctx = Context<{ Variables: Variables }>

/** Routes that need no key. */
const openRoutes = new Set(['/', '/health', '/ping', '/metrics'])

/** The pages load nothing from elsewhere, and stand in no other page. */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
}

const isOpen = ({ req }: Ctx) =>
  (req.method === 'GET' || req.method === 'HEAD') && openRoutes.has(req.path)

/** The server as a function from a request to an answer. */
export function createApp(service: Service, options: AppOptions) {
  const { log, health, apiKeys, corsOrigins } = options
  const { models, metrics } = service
  const app = new OpenAPIHono<{ Variables: Variables }>()
  const created = Math.floor(Date.now() / 1000)

  app.use(async (c, next) => {
    const begun = performance.now()
    c.set('id', requestId(c))
    c.set('notes', {})
    await next()
    c.header('x-request-id', c.get('id'))
    // A connection that is kept would hold up the end of the server.
    if (health.stopping) c.header('connection', 'close')
    const { id, notes } = c.var
    const { method, path } = c.req
    const ms = Math.round(performance.now() - begun)
    const line = { id, method, path, status: c.res.status, ms, ...notes }
    if (method === 'POST') log.info(line, 'request')
    else log.debug(line, 'request')
  })
  if (corsOrigins.length > 0) {
    const exposeHeaders = ['retry-after', 'x-request-id', 'x-compute-time', 'x-compute-tokens']
    const origin = corsOrigins.includes('*') ? '*' : [...corsOrigins]
    app.use(cors({ origin, exposeHeaders, maxAge: 600 }))
  }
  const checkKey = keyChecker(apiKeys)
  app.use(async (c, next) => {
    if (!isOpen(c)) checkKey?.(c.req.header('authorization'))
    if (health.stopping && c.req.method === 'POST') throw unhealthy('the server stops')
    await next()
  })
  app.onError((error, c) => failed(c, error, formOf(c.req.path)))

  /** Answers an error, and notes it. The message is for the client alone: it may quote texts. */
  function failed(c: Ctx, error: unknown, form: Form): Response {
    const fault = faultOf(error)
    const status = statusOf(fault, form)
    if (c.req.method === 'POST') metrics.failed(fault.kind.metric)
    c.var.notes.error = fault.code
    if (fault.code === 'internal') log.error({ id: c.var.id, ...traceOf(error) }, 'internal error')
    if (status === 424 || status === 503) c.var.notes.cause = codeOf(fault.cause)
    return errorResponse(fault, form, c.var.id)
  }

  function post(endpoint: Endpoint): void {
    app.post(endpoint.path, async (c) => {
      let form = formOf(endpoint.path)
      try {
        const body = await readJson(c.req.raw, service.limits.payloadLimit)
        form = endpoint.formOf?.(body) ?? form
        const answer = await endpoint.handle(service, body, {
          id: c.var.id,
          signal: c.req.raw.signal,
          note: (facts) => Object.assign(c.var.notes, facts),
        })
        return answer instanceof Response ? answer : c.json(answer)
      } catch (error) {
        return failed(c, error, form)
      }
    })
  }

  for (const endpoint of endpoints) post(endpoint)
  app.get('/', (c) => c.html(page, 200, pageHeaders))
  for (const path of ['/health', '/ping']) app.get(path, (c) => c.json(checkHealth(health)))
  app.get('/info', (c) => c.json(info(service)))
  app.get('/v1/models', (c) => c.json(listModels(models, created)))
  app.get('/metrics', async (c) => {
    return c.body(await metrics.text(), 200, { 'content-type': metrics.contentType })
  })
  describeEndpoints(app.openAPIRegistry, endpoints)
  describeState(app.openAPIRegistry)
  const document = documentOf(app as unknown as OpenAPIHono, apiKeys.length > 0)
  for (const path of ['/openapi.json', '/api-doc/openapi.json']) {
    app.get(path, (c) => c.json(document))
  }
  app.get('/docs', (c) => c.html(docsPage(document), 200, pageHeaders))
  app.notFound((c) => {
    const { method, path } = c.req
    const allowed = methodsOf(path, app.routes)
    const response = failed(c, unknownRoute(method, path, allowed), formOf(path))
    if (allowed.length > 0) response.headers.set('allow', allowed.join(', '))
    return response
  })
  return app
}

/** The id of a request: that of the client or of a proxy, where it is short and plain. */
function requestId(c: Ctx): string {
  const given = c.req.header('x-request-id')
  return given && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}

/** The methods that a path takes. */
const methodsOf = (path: string, routes: readonly { method: string; path: string }[]) => {
  const methods = routes.filter((one) => one.path === path && one.method !== 'ALL')
  return [...new Set(methods.map(({ method }) => method))]
}

/** The error of a request that no route takes. */
const unknownRoute = (method: string, path: string, allowed: readonly string[]) =>
  allowed.length === 0
    ? new ServerError('route-unknown', `${path}: there is no such route; /docs lists them`)
    : new ServerError(
        'method-unsupported',
        `${path}: found ${method}; expected ${allowed.join(' or ')}`,
      )

const codeOf = (error: unknown) => (error as { code?: unknown } | undefined)?.code

/** An error without its message, which may quote texts. */
function traceOf(error: unknown) {
  if (!(error instanceof Error)) return { name: typeof error }
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at '))
  return { name: error.name, stack: frames?.join('\n') }
}
