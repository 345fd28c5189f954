// @ts-check
// What is shown and kept of the runs.
import Table from 'cli-table3'
import { barShape } from './bars.mjs'
import { median } from './measure.mjs'

/**
 * @typedef {{
 *   name: string,
 *   contestant: import('./contestant.mjs').Contestant,
 *   facts: Record<string, any>,
 *   loadMs: number,
 *   cold: import('./contestant.mjs').RunReport,
 *   runs: import('./contestant.mjs').RunReport[],
 * }} Entry a contestant with what it has reported: its load, its first run, its measured runs
 * @typedef {string | number} Cell
 */

/** @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`

/** @param {number} share of 1 */
export const percent = (share) => `${(100 * share).toFixed(1)}%`

/** @param {Entry} entry */
export const medianMs = ({ runs }) => median(runs.map(({ timing }) => timing.ms))

/** @param {Entry} entry */
export const bestMs = ({ runs }) => Math.min(...runs.map(({ timing }) => timing.ms))

/** @param {Entry} entry the time until its first scores: load and first run, shaders compiled on the way */
export const coldMs = ({ loadMs, cold }) => loadMs + cold.timing.ms

/**
 * A table without lines between its rows: the first columns, as many as hold words, to the left, figures to the right.
 * @param {readonly string[]} head
 * @param {readonly (readonly Cell[])[]} rows
 * @param {number} words
 */
export function grid(head, rows, words = 1) {
  const printed = new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i < words ? 'left' : 'right')),
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  })
  for (const row of rows) printed.push([...row])
  return printed.toString()
}

/**
 * The cores that other processes kept busy, as tables show them.
 * @param {readonly import('./contestant.mjs').RunReport[]} runs
 */
export function otherCores(runs) {
  const found = runs.flatMap(({ timing }) => timing.others ?? [])
  return found.length > 0 ? median(found) : undefined
}

/** @param {number | undefined} cores */
export const showCores = (cores) => cores?.toFixed(2) ?? 'unknown'

/**
 * The figures of one contestant.
 * @param {Entry} entry
 * @param {number} tokens
 * @param {readonly number[]} reference scores to compare with
 */
export function summary(entry, tokens, reference) {
  const { name, facts, loadMs, cold, runs } = entry
  const times = runs.map(({ timing }) => timing.ms)
  const differences = cold.values.map((value, i) => Math.abs(value - (reference[i] ?? Number.NaN)))
  return {
    name,
    facts,
    tokensPerSecond: (tokens / medianMs(entry)) * 1000,
    medianMs: medianMs(entry),
    bestMs: bestMs(entry),
    cpuMs: median(runs.map(({ timing }) => timing.cpuMs)),
    otherCores: otherCores(runs),
    firstMs: cold.timing.ms,
    loadMs,
    coldMs: coldMs(entry),
    peakMiB: Math.max(...[cold, ...runs].map(({ peakMiB }) => peakMiB)),
    largestDifference: Math.max(...differences),
    runsMs: times,
  }
}

/** @param {readonly ReturnType<typeof summary>[]} rows */
export function table(rows) {
  const figures = ['tokens/s', 'median', 'CPU time', 'cold', 'load', 'first', 'peak RSS']
  return grid(
    ['', ...figures, 'other cores', 'max |diff|'],
    rows.map((row) => [
      row.name,
      Math.round(row.tokensPerSecond),
      seconds(row.medianMs),
      seconds(row.cpuMs),
      seconds(row.coldMs),
      seconds(row.loadMs),
      seconds(row.firstMs),
      `${Math.round(row.peakMiB)} MiB`,
      showCores(row.otherCores),
      row.largestDifference.toExponential(1),
    ]),
  )
}

/**
 * The best GFLOP/s of all runs of the matmul contestant.
 * @param {Entry} entry
 * @param {(name: string) => boolean} [counts]
 * @returns {{ name: string, gflops: number }}
 */
export function bestMatmul({ facts, cold, runs }, counts = () => true) {
  const names = /** @type {string[]} */ (facts.names)
  const best = names.map((name, i) => ({
    name,
    gflops: counts(name) ? Math.max(...[cold, ...runs].map(({ values }) => values[i] ?? 0)) : 0,
  }))
  return best.reduce((a, b) => (b.gflops > a.gflops ? b : a))
}

/**
 * The speed of a forward pass next to the matmul that bars are set by, and to the best of any shape.
 * @param {number} gflops
 * @param {Entry} matmul
 */
export function matmulShares(gflops, matmul) {
  const shape = barShape.join('x')
  const atBar = bestMatmul(matmul, (name) => name.endsWith(shape))
  const best = bestMatmul(matmul)
  const share = (/** @type {{ name: string, gflops: number }} */ found) =>
    `${((100 * gflops) / found.gflops).toFixed(0)}% of ${found.gflops.toFixed(1)} (${found.name})`
  const text = `${share(atBar)}, the matmul that the bar is set by; ${share(best)}, the best measured`
  return { atBar, best, text }
}
