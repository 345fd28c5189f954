// @ts-check
// The profile of a forward pass as a table, and the share of each kind of operation.
import { grid, percent } from './report.mjs'

/**
 * @typedef {{
 *   kernel: string, operation: string, calls: number, ms: number, flops: number, bytes: number,
 * }} ProfileRow what profile.ts gives for each kernel and operation
 */

/** @param {readonly ProfileRow[]} rows */
const totalMs = (rows) => rows.reduce((sum, { ms }) => sum + ms, 0)

/**
 * Of the time of all operations, that of the kernels whose name begins so.
 * @param {readonly ProfileRow[]} rows
 * @param {string} kind
 */
export const shareOf = (rows, kind) =>
  totalMs(rows.filter(({ kernel }) => kernel.startsWith(kind))) / totalMs(rows)

/** @param {readonly ProfileRow[]} rows */
export function shares(rows) {
  const linear = shareOf(rows, 'linear')
  const attention = shareOf(rows, 'attention')
  return { linear, attention, rest: 1 - linear - attention }
}

/**
 * The rows, the longest first, and all of them together.
 * @param {readonly ProfileRow[]} rows
 */
export function profileTable(rows) {
  const total = totalMs(rows)
  const line = (/** @type {string} */ name, /** @type {Omit<ProfileRow, 'operation'>} */ row) => [
    name,
    row.kernel,
    row.calls,
    `${row.ms.toFixed(1)} ms`,
    (row.flops / row.ms / 1e6).toFixed(1),
    (row.bytes / row.ms / 1e6).toFixed(2),
    percent(row.ms / total),
  ]
  const sum = (/** @type {'calls' | 'flops' | 'bytes'} */ key) =>
    rows.reduce((all, row) => all + row[key], 0)
  const sorted = [...rows].sort((a, b) => b.ms - a.ms)
  const whole = { kernel: '', calls: sum('calls'), ms: total, flops: sum('flops') }
  return grid(
    ['operation', 'kernel', 'calls', 'time', 'GFLOP/s', 'GB/s', 'share'],
    [
      ...sorted.map((row) => line(row.operation.replace(/^roberta\.(encoder\.)?/, ''), row)),
      line('all', { ...whole, bytes: sum('bytes') }),
    ],
    2,
  )
}
