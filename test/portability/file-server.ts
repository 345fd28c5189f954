import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, posix } from 'node:path'

/** A server on this machine alone. */
export interface FileServer {
  readonly url: string
  /** The requests so far: method, path with query, range. */
  readonly log: readonly string[]
  close(): Promise<void>
}

/** What is asked of a server. */
export interface Asked {
  readonly method: string
  readonly url: URL
  readonly range: string | undefined
  readonly headers: IncomingMessage['headers']
  /** The whole of the file; `undefined` where there is none. */
  readonly file: Buffer | undefined
  /** How many requests there were for this file before. */
  readonly before: number
}

/** What it answers. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** How a host differs from a plain one: its answer in place of the plain one; `undefined` closes the connection. */
export type Host = (answer: Answer, asked: Asked) => Answer | undefined

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
}

/** Serves some folders of `root`, with range requests, to pages that are isolated from other origins. */
export async function serveFiles(
  root: string,
  folders: readonly string[],
  host: Host = (answer) => answer,
): Promise<FileServer> {
  const log: string[] = []
  const counts = new Map<string, number>()
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.destroy(error))
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const { method = 'GET', headers } = request
    log.push(`${method} ${request.url} ${headers.range ?? ''}`.trim())
    // Normalised, so that no path leaves its folder.
    const path = posix.normalize(decodeURIComponent(url.pathname))
    const isAllowed = folders.some((folder) => path.startsWith(`/${folder}/`))
    const file = isAllowed ? await readFile(join(root, path)).catch(() => undefined) : undefined
    const before = counts.get(path) ?? 0
    counts.set(path, before + 1)
    const { range } = headers
    const asked = { method, url, range, headers, file, before }
    const found = host(plainAnswer(path, range, file), asked)
    if (!found) {
      response.destroy()
      return
    }
    response.writeHead(found.status, { 'content-length': found.body.length, ...found.headers })
    response.end(method === 'HEAD' ? undefined : found.body)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    log,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function plainAnswer(path: string, range: string | undefined, file: Buffer | undefined): Answer {
  if (!file) return { status: 404, headers: {}, body: Buffer.alloc(0) }
  const headers = {
    'content-type': types[extname(path)] ?? 'application/octet-stream',
    'accept-ranges': 'bytes',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  }
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? '')
  if (!match) return { status: 200, headers, body: file }
  const [start = 0, asked = 0] = match.slice(1).map(Number)
  if (start >= file.length) {
    const place = { 'content-range': `bytes */${file.length}` }
    return { status: 416, headers: { ...headers, ...place }, body: Buffer.alloc(0) }
  }
  const end = Math.min(asked, file.length - 1)
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${start}-${end}/${file.length}` },
    body: file.subarray(start, end + 1),
  }
}
