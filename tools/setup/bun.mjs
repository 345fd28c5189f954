// @ts-check
// Finds the program of npm "bun", whose install script, which would link it, does not run here.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The program file of Bun; undefined where npm has none for this machine.
 * @param {string} root the repository
 */
export function findBun(root) {
  const { platform, arch } = process
  const system = platform === 'win32' ? 'windows' : platform
  const name = `bun-${system}-${arch === 'arm64' ? 'aarch64' : arch}`
  const file = platform === 'win32' ? 'bun.exe' : 'bun'
  return [name, `${name}-musl`]
    .map((folder) => join(root, 'node_modules', '@oven', folder, 'bin', file))
    .find((path) => existsSync(path))
}
