// @ts-check
// A Python environment of its own for a check, with pinned packages of PyPI.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.mjs'

/**
 * The folder of programs of an environment that has these packages; made where it is missing.
 * @param {string} root the repository
 * @param {string} name of the environment
 * @param {readonly string[]} packages with their versions
 */
export function pythonEnvironment(root, name, packages) {
  const folder = join(root, 'node_modules', '.cache', 'dawnrank', name)
  const programs = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin')
  const stamp = join(folder, `${packages.join(' ').replace(/[^\w.=-]+/g, '_')}.installed`)
  if (existsSync(stamp)) return programs
  mkdirSync(folder, { recursive: true })
  run('python3', ['-m', 'venv', '--clear', folder])
  run(join(programs, 'pip'), ['-q', 'install', ...packages])
  writeFileSync(stamp, '')
  return programs
}
