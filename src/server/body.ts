import { ServerError } from './errors.ts'

/**
 * Reads the JSON of a request, of at most `limit` bytes.
 *
 * @throws ServerError `content-type-unsupported`, `body-too-large`, `body-malformed`, `client-left`
 */
export async function readJson(request: Request, limit: number): Promise<unknown> {
  checkType(request.headers)
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > limit) throw tooLarge(limit)
  const bytes = await readBytes(request, limit)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ServerError('body-malformed', 'the body is not valid UTF-8; send JSON as UTF-8', {
      cause,
    })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const found = text.trim() === '' ? 'an empty body' : `broken JSON (${reason(cause)})`
    throw new ServerError('body-malformed', `found ${found}; expected a JSON object`, { cause })
  }
  if (isDeeper(value, maxDepth)) {
    const message = `found JSON with lists or objects more than ${maxDepth} deep; no request needs that`
    throw new ServerError('body-malformed', message)
  }
  return value
}

/** How deep lists and objects may lie in each other: what writes them calls itself for each. */
const maxDepth = 64

function isDeeper(value: unknown, most: number): boolean {
  let level = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return true
    const next: unknown[] = []
    for (const one of level) {
      if (typeof one !== 'object' || one === null) continue
      for (const inner of Object.values(one)) if (typeof inner === 'object') next.push(inner)
    }
    level = next
  }
  return false
}

/** Where JSON breaks; without the excerpt of the text that V8 adds. */
const reason = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/,? ?"[\s\S]*" is not valid JSON$/, '') : 'unknown'

function checkType(headers: Headers): void {
  const type = headers.get('content-type') ?? ''
  const [media = '', ...parameters] = type.split(';').map((part) => part.trim().toLowerCase())
  const isJson = media === 'application/json' || /^application\/[\w.+-]+\+json$/.test(media)
  const charset = parameters.find((part) => part.startsWith('charset='))?.slice('charset='.length)
  const isUtf8 = charset === undefined || /^"?utf-?8"?$/.test(charset)
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (isJson && isUtf8 && encoding.toLowerCase() === 'identity') return
  const found = type === '' ? 'no content-type' : `content-type ${JSON.stringify(type)}`
  const encoded = encoding === 'identity' ? '' : ` with content-encoding ${encoding}`
  throw new ServerError(
    'content-type-unsupported',
    `found ${found}${encoded}; expected application/json in UTF-8, not compressed`,
  )
}

async function readBytes({ body }: Request, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = body?.getReader()
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      length += part.value.length
      if (length > limit) throw tooLarge(limit)
      chunks.push(part.value)
    }
  } catch (cause) {
    if (cause instanceof ServerError) throw cause
    throw new ServerError('client-left', 'the connection ended before the body did', { cause })
  }
  return Buffer.concat(chunks, length)
}

const tooLarge = (limit: number) =>
  new ServerError(
    'body-too-large',
    `the body has more than ${limit} bytes; send fewer or shorter texts in each request`,
  )
