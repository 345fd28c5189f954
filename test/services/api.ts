import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as the server got it. */
export interface Received {
  readonly path: string
  readonly authorization: string | undefined
  readonly body: Record<string, unknown>
  /** In ms, of `performance.now()`. */
  readonly at: number
}

export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body: unknown
}

/** A server of an API at a port of its own. */
export interface Api {
  readonly url: string
  readonly received: Received[]
  close(): Promise<void>
}

/** Starts a server that answers with what `answer` gives, or that closes the connection where that is nothing. */
export async function startApi(
  answer: (request: Received, count: number) => Answer | undefined,
): Promise<Api> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const one: Received = {
      path: request.url!,
      authorization: request.headers.authorization,
      body: JSON.parse(await textOf(request)),
      at: performance.now(),
    }
    received.push(one)
    const found = answer(one, received.length)
    if (!found) return void request.socket.destroy()
    const { status = 200, headers = {}, body } = found
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

/** Words that a passage shares with the query. */
export function shared(query: string, passage: string): number {
  const words = new Set(query.toLowerCase().match(/\p{L}+/gu))
  return (passage.toLowerCase().match(/\p{L}+/gu) ?? []).filter((word) => words.has(word)).length
}

/** Answers as Cohere and Voyage do, best first, or as OpenAI: the counts of letters. */
export function answerOf({ body }: Received): Answer {
  if (body.input) {
    const data = (body.input as string[]).map((text, index) => ({
      index,
      embedding: letters(text),
    }))
    return { body: { object: 'list', data: data.reverse() } }
  }
  const rows = (body.documents as string[])
    .map((text, index) => ({ index, relevance_score: shared(body.query as string, text) / 100 }))
    .sort((a, b) => b.relevance_score - a.relevance_score)
  return { body: 'truncation' in body ? { data: rows } : { results: rows } }
}

export const letters = (text: string): number[] =>
  Array.from(
    { length: 26 },
    (_, i) => text.toLowerCase().split(String.fromCharCode(97 + i)).length - 1 + 0.5,
  )
