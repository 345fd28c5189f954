// @ts-check
// Times, and how much of the machine they had.
import { existsSync, readFileSync } from 'node:fs'

/** Peak resident memory of this process in MiB. */
export function peakMemoryMiB() {
  const status = '/proc/self/status'
  const peak = existsSync(status) && /VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]
  return (peak ? Number(peak) : process.resourceUsage().maxRSS) / 1024
}

/** Milliseconds that all cores were busy since the start of the machine; undefined where that is not told. */
function busyMs() {
  if (!existsSync('/proc/stat')) return undefined
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) * 10
}

/**
 * @typedef {{
 *   ms: number,
 *   cpuMs: number,
 *   others: number | undefined,
 * }} Timing wall time, CPU time of this process, and the cores that other processes kept busy meanwhile
 */

/**
 * Runs something and times it.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<{ result: T, timing: Timing }>}
 */
export async function timed(work) {
  const busy = busyMs()
  const cpu = process.cpuUsage()
  const start = performance.now()
  const result = await work()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  const cpuMs = (user + system) / 1000
  const after = busyMs()
  const others =
    busy === undefined || after === undefined ? undefined : Math.max(0, (after - busy - cpuMs) / ms)
  return { result, timing: { ms, cpuMs, others } }
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const high = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2
}
