import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, posix } from 'node:path'

/** A server on this machine alone. */
export interface FileServer {
  readonly url: string
  close(): Promise<void>
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
}

/** Serves some folders of `root`, with range requests, to pages that are isolated from other origins. */
export async function serveFiles(root: string, folders: readonly string[]): Promise<FileServer> {
  const server = createServer((request, response) => {
    answer(request.url ?? '/', request.method ?? 'GET', request.headers.range, response).catch(
      (error: Error) => response.destroy(error),
    )
  })

  async function answer(
    url: string,
    method: string,
    range: string | undefined,
    response: ServerResponse,
  ): Promise<void> {
    // Normalised, so that no path leaves its folder.
    const path = posix.normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname))
    const allowed = folders.some((folder) => path.startsWith(`/${folder}/`))
    const file = join(root, path)
    const info = allowed ? await stat(file).catch(() => undefined) : undefined
    if (!info?.isFile()) {
      response.writeHead(404).end()
      return
    }
    const headers = {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'accept-ranges': 'bytes',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    }
    const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? '')
    const start = match ? Number(match[1]) : 0
    const end = match ? Math.min(Number(match[2]), info.size - 1) : info.size - 1
    response.writeHead(match ? 206 : 200, {
      ...headers,
      'content-length': end - start + 1,
      ...(match && { 'content-range': `bytes ${start}-${end}/${info.size}` }),
    })
    if (method === 'HEAD' || info.size === 0) response.end()
    else createReadStream(file, { start, end }).pipe(response)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
