// @ts-check
// Child processes of the set-up: no input, output kept back unless they fail.
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'

/** A set-up step that cannot go on; its message says what to do. */
export class SetupError extends Error {}

/**
 * The environment of child processes. The Vulkan loader and Mesa warn where XDG_RUNTIME_DIR is not set.
 * @returns {NodeJS.ProcessEnv}
 */
export const childEnvironment = () => ({ XDG_RUNTIME_DIR: tmpdir(), ...process.env })

/**
 * Runs a program without input; its output is shown only where it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number }} [options] timeout in ms
 * @returns {string} what it wrote to standard output
 */
export function run(command, args, { cwd, env, timeout = 20 * 60_000 } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env: { ...childEnvironment(), ...env },
    timeout,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (result.status === 0) return result.stdout
  const outcome = result.error
    ? result.error.message
    : `ended with ${result.signal ?? result.status}`
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trimEnd().split('\n').slice(-60)
  throw new SetupError(
    `${output.join('\n')}\n\n${[command, ...args].join(' ')}: ${outcome}. Its last output is above.`,
  )
}

/**
 * Program and arguments that run npm: the one that started us where there is one.
 * @param {...string} args
 * @returns {[string, string[]]}
 */
export function npm(...args) {
  const script = process.env.npm_execpath
  if (script && /npm-cli\.[cm]?js$/.test(script)) return [process.execPath, [script, ...args]]
  // npm is a batch file on Windows, which only a shell starts.
  return process.platform === 'win32' ? ['cmd.exe', ['/c', 'npm', ...args]] : ['npm', args]
}
