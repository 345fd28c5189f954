import type { z } from '@hono/zod-openapi'
import { show } from '../rerankers/options.ts'
import { ServerError } from './errors.ts'

/**
 * The body by its schema. Each part of a schema has as its `error` what is expected of it.
 *
 * @throws ServerError `request-invalid` that names the field, what was found and what is expected
 */
export function parse<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue
  throw invalid(nameOf(path), valueAt(body, path), message)
}

/** Whether a body has a field; `null` counts as absent. */
export const has = (body: unknown, name: string): boolean =>
  typeof body === 'object' && body !== null && (body as Record<string, unknown>)[name] != null

/** A field that is not as expected. */
export function invalid(name: string, found: unknown, expected: string): ServerError {
  const what = found === undefined ? 'missing' : `found ${show(found)}`
  return new ServerError(
    'request-invalid',
    `${name || 'the body'}: ${what}; expected ${expected}`,
    {
      param: /^\w+/.exec(name)?.[0],
    },
  )
}

/** A list that has nothing in it. */
export const emptyList = (name: string): ServerError =>
  new ServerError('list-empty', `${name}: found an empty list; expected at least one text`, {
    param: name,
  })

const nameOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : join(name, String(key))),
    '',
  )

const join = (name: string, key: string) => (name === '' ? key : `${name}.${key}`)

const valueAt = (body: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (Object(value) === value ? (value as never)[key] : undefined),
    body,
  )
