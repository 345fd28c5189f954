// @ts-check
// One side of a measurement in a process of its own: memory and device are its own, and it rests between
// its turns. `serve` is the process's end, `Contestant` the end that drives it.
import { fork } from 'node:child_process'
import { peakMemoryMiB, timed } from './measure.mjs'

/**
 * @typedef {Record<string, unknown>} Options what the process is told to load, or to run
 * @typedef {{ cpuMs: number, peakMiB: number }} Helper what a process that does the work for this one took
 * @typedef {{ values: number[], details?: unknown, helper?: Helper }} Result
 * @typedef {{
 *   facts: Record<string, unknown>, run: (input?: any) => Promise<number[] | Result>,
 * }} Loaded
 * @typedef {{ facts: Record<string, unknown>, loadMs: number }} LoadReport
 * @typedef {{
 *   values: number[], details?: any, timing: import('./measure.mjs').Timing, peakMiB: number,
 * }} RunReport
 */

/**
 * Answers the messages `load`, `run` and `end` of the process that started this one.
 * @param {(options: any) => Promise<Loaded>} load
 */
export function serve(load) {
  /** @type {Loaded | undefined} */
  let loaded
  /** @param {{ type: string, options?: Options }} message */
  const answer = async ({ type, options }) => {
    if (type === 'load') {
      const { result, timing } = await timed(() => load(options))
      loaded = result
      return { facts: loaded.facts, loadMs: timing.ms }
    }
    if (type !== 'run' || !loaded) throw new Error(`unexpected message ${type}`)
    const { run } = loaded
    const { result, timing } = await timed(() => run(options))
    const { helper, ...found } = Array.isArray(result) ? { values: result } : result
    if (!helper) return { ...found, timing, peakMiB: peakMemoryMiB() }
    const { ms, cpuMs, others } = timing
    const left = others && Math.max(0, others - helper.cpuMs / ms)
    return {
      ...found,
      timing: { ms, cpuMs: cpuMs + helper.cpuMs, others: left },
      peakMiB: helper.peakMiB,
    }
  }
  process.on('disconnect', () => process.exit(0))
  process.on('message', async (/** @type {any} */ message) => {
    // a process that holds a GPU may hang or crash while it takes it down: there is nothing to take down
    if (message.type === 'end') process.exit(0)
    try {
      process.send?.({ report: await answer(message) })
    } catch (error) {
      process.send?.({ failure: error instanceof Error ? error.message : String(error) })
    }
  })
}

/** A contestant's process. */
export class Contestant {
  #child
  #errors = ''
  /** @type {{ resolve: (report: any) => void, reject: (error: Error) => void } | undefined} */
  #waiting

  /**
   * @param {string} name
   * @param {string} script a module that calls `serve`
   * @param {Record<string, string>} environment
   */
  constructor(name, script, environment = {}) {
    this.name = name
    this.#child = fork(script, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr?.on('data', (text) => {
      this.#errors = `${this.#errors}${text}`.slice(-2000)
    })
    this.#child.on('message', (/** @type {any} */ { report, failure }) => {
      if (report) this.#waiting?.resolve(report)
      else this.#waiting?.reject(new Error(`${name}: ${failure}`))
    })
    this.#child.on('exit', (code, signal) => {
      const why = `${name}: the process ended with ${signal ?? code}\n${this.#errors}`
      this.#waiting?.reject(new Error(why.trim()))
    })
  }

  /**
   * @param {{ type: string, options?: Options }} message
   * @returns {Promise<any>}
   */
  #ask(message) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#child.send(message, (error) => error && reject(error))
    })
  }

  /**
   * @param {Options} options
   * @returns {Promise<LoadReport>}
   */
  load(options) {
    return this.#ask({ type: 'load', options })
  }

  /**
   * @param {Options} [input] what to run, where that is not settled by the load
   * @returns {Promise<RunReport>}
   */
  run(input) {
    return this.#ask(input ? { type: 'run', options: input } : { type: 'run' })
  }

  end() {
    this.#waiting = undefined
    if (this.#child.connected) this.#child.send({ type: 'end' }, () => {})
  }
}
