// @ts-check
// Finds and starts a Redis server, for the tests of offline jobs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'

/**
 * The program file of a Redis server; undefined where there is none.
 * @returns {string | undefined}
 */
export function findRedis() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.map((folder) => join(folder, 'redis-server')).find((file) => existsSync(file))
}

/** A port of loopback that nothing listens at. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Starts a Redis server on loopback; resolves when it accepts connections.
 * @param {number} port
 * @param {string} folder where its data are
 * @param {...string} options of the server
 */
export async function startRedis(port, folder, ...options) {
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, ...options]
  const server = spawn(String(findRedis()), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const text of server.stdout) if (`${text}`.includes('Ready to accept')) break
  return server
}
