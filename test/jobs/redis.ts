import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedis, freePort, startRedis as startServer } from '../../tools/setup/redis.mjs'

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

/** Starts a Redis on a free port of loopback. */
export async function startRedis(): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-redis-'))
  const port = await freePort()
  let server: ChildProcess | undefined
  const start = async () => {
    server = await startServer(port, folder, '--appendonly', 'yes')
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
