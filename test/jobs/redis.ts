import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedis } from '../../tools/setup/redis.mjs'

/** A Redis of a test, with data of its own. */
export interface TestRedis {
  readonly url: string
  readonly port: number
  /** Ends the server; the data stay. */
  stop(): Promise<void>
  /** Starts it again, with its data, on the same port. */
  start(): Promise<void>
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

export const hasRedis = findRedis() !== undefined
if (!hasRedis) console.warn('skipped: there is no redis-server; Debian has it as redis-server')

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Starts a Redis on a free port of loopback. */
export async function startRedis(): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-redis-'))
  const port = await freePort()
  let server: ChildProcess | undefined
  const start = async () => {
    const args = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--appendonly',
      'yes',
    ]
    server = spawn(findRedis()!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const text of server.stdout!) {
      if (String(text).includes('Ready to accept connections')) break
    }
  }
  const stop = async () => {
    if (!server || server.exitCode !== null) return
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    start,
    stop,
    async remove() {
      await stop()
      rmSync(folder, { recursive: true })
    },
  }
}
