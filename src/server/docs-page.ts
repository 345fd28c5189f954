/** The part of an OpenAPI document that the page shows. */
interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

interface Operation {
  readonly summary: string
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { description: string; content?: Content }>>
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly enum?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

/** An OpenAPI document as a page that needs nothing from elsewhere. */
export function docsPage(document: object): string {
  const { paths, components } = document as Described
  const resolve = (schema: Schema): Schema =>
    schema.$ref ? (components.schemas[schema.$ref.split('/').at(-1) as string] as Schema) : schema
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(method, path, operation, resolve)),
  )
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>dawnrank: routes</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid #8886; margin-top: 1.5rem }
h2 { font: 600 1.05rem ui-monospace, monospace; overflow-wrap: anywhere }
.table { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #8883; padding: .25rem .75rem .25rem 0; vertical-align: top }
td:first-child { white-space: nowrap }
code { font-family: ui-monospace, monospace; font-size: .9em }
</style>
<h1>dawnrank</h1>
<p>The routes of this server. <a href="openapi.json">openapi.json</a> is the same for programs.</p>
${operations.join('\n')}
</html>`
}

function section(
  method: string,
  path: string,
  { summary, requestBody, responses }: Operation,
  resolve: (schema: Schema) => Schema,
): string {
  const schema = requestBody?.content['application/json']?.schema
  const forms = schema ? (resolve(schema).anyOf ?? [schema]).map(resolve) : []
  const tables = forms.map(({ properties = {}, required = [] }) => {
    const rows = Object.entries(properties).map(([name, field]) =>
      row([
        `<code>${escaped(name)}</code>${required.includes(name) ? ' (required)' : ''}`,
        escaped(typeOf(field, resolve)),
        escaped(field.description ?? ''),
      ]),
    )
    return table(rows)
  })
  const statuses = Object.entries(responses).map(([status, { description }]) =>
    row([status, escaped(description)]),
  )
  return `<section>
<h2>${method.toUpperCase()} ${escaped(path)}</h2>
<p>${escaped(summary)}</p>
${tables.join('\n<p>or</p>\n')}
<details><summary>Answers</summary>${table(statuses)}</details>
</section>`
}

function typeOf(schema: Schema, resolve: (schema: Schema) => Schema): string {
  const { type, items, anyOf, enum: values } = resolve(schema)
  if (anyOf) {
    const types = anyOf.map((one) => typeOf(one, resolve))
    return types.filter(Boolean).join(' or ')
  }
  if (values)
    return values
      .filter((one) => one !== null)
      .map((one) => JSON.stringify(one))
      .join(' or ')
  if (items) return `list of ${typeOf(items, resolve)}`
  const types = Array.isArray(type) ? type : [type ?? 'any']
  return types.filter((one) => one !== 'null').join(' or ')
}

const table = (rows: readonly string[]) =>
  `<div class="table"><table>${rows.join('')}</table></div>`
const row = (cells: readonly string[]) =>
  `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}
const escaped = (text: string) => text.replace(/[&<>"]/g, (found) => entities[found] as string)
