// @ts-check
// Finds a Redis server, for the tests of offline jobs.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * The program file of a Redis server; undefined where there is none.
 * @returns {string | undefined}
 */
export function findRedis() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.map((folder) => join(folder, 'redis-server')).find((file) => existsSync(file))
}
