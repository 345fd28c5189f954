// @ts-check
// What is shown and kept of the runs.
import Table from 'cli-table3'
import { median } from './measure.mjs'

/** A table without lines between its rows. */
export const NO_RULES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }

/**
 * @typedef {{
 *   name: string,
 *   contestant: import('./contestant.mjs').Contestant,
 *   facts: Record<string, any>,
 *   loadMs: number,
 *   cold: import('./contestant.mjs').RunReport,
 *   runs: import('./contestant.mjs').RunReport[],
 * }} Entry a contestant with what it has reported: its load, its first run, its measured runs
 */

/** @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`

/** @param {Entry} entry */
export const medianMs = ({ runs }) => median(runs.map(({ timing }) => timing.ms))

/**
 * The figures of one contestant.
 * @param {Entry} entry
 * @param {number} tokens
 * @param {readonly number[]} reference scores to compare with
 */
export function summary(entry, tokens, reference) {
  const { name, facts, loadMs, cold, runs } = entry
  const times = runs.map(({ timing }) => timing.ms)
  const others = runs.flatMap(({ timing }) => timing.others ?? [])
  const differences = cold.values.map((value, i) => Math.abs(value - (reference[i] ?? Number.NaN)))
  return {
    name,
    facts,
    tokensPerSecond: (tokens / medianMs(entry)) * 1000,
    medianMs: medianMs(entry),
    bestMs: Math.min(...times),
    cpuMs: median(runs.map(({ timing }) => timing.cpuMs)),
    otherCores: others.length > 0 ? median(others) : undefined,
    firstMs: cold.timing.ms,
    loadMs,
    peakMiB: Math.max(...[cold, ...runs].map(({ peakMiB }) => peakMiB)),
    largestDifference: Math.max(...differences),
    runsMs: times,
  }
}

/** @param {readonly ReturnType<typeof summary>[]} rows */
export function table(rows) {
  const figures = ['tokens/s', 'median', 'best', 'CPU time', 'first', 'load', 'peak RSS']
  const head = ['', ...figures, 'other cores', 'max |diff|']
  const printed = new Table({
    head,
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [] },
    chars: NO_RULES,
  })
  for (const row of rows) {
    printed.push([
      row.name,
      Math.round(row.tokensPerSecond),
      seconds(row.medianMs),
      seconds(row.bestMs),
      seconds(row.cpuMs),
      seconds(row.firstMs),
      seconds(row.loadMs),
      `${Math.round(row.peakMiB)} MiB`,
      row.otherCores?.toFixed(2) ?? 'unknown',
      row.largestDifference.toExponential(1),
    ])
  }
  return printed.toString()
}

/**
 * The best GFLOP/s of all runs of the matmul contestant.
 * @param {Entry} entry
 * @returns {{ name: string, gflops: number }}
 */
export function bestMatmul({ facts, cold, runs }) {
  const names = /** @type {string[]} */ (facts.names)
  const best = names.map((name, i) => ({
    name,
    gflops: Math.max(...[cold, ...runs].map(({ values }) => values[i] ?? 0)),
  }))
  return best.reduce((a, b) => (b.gflops > a.gflops ? b : a))
}
