import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../../cli/dist/cli.js', import.meta.url))

/** The command line in a process of its own. */
export interface CliProcess {
  readonly child: ChildProcess
  readonly stdout: string
  readonly stderr: string
  /** Exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** Starts cli/dist/cli.js against a Redis. */
export function startCli(url: string, ...args: readonly string[]): CliProcess {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, REDIS_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text.stdout += part
  })
  child.stderr.setEncoding('utf8').on('data', (part) => {
    text.stderr += part
  })
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  return {
    child,
    ended,
    get stdout() {
      return text.stdout
    },
    get stderr() {
      return text.stderr
    },
  }
}
