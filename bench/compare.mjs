// @ts-check
// A run against an earlier one: only where machine, adapter and workload are the same do their figures compare.
import { readFileSync } from 'node:fs'
import { grid } from './report.mjs'

/** @typedef {import('./record.mjs').Run} Run */
/** @typedef {import('./record.mjs').Figure} Figure */

/** Units of which less is better. */
const times = ['ms', 'us/token']

/**
 * @param {string} file what an earlier run kept
 * @returns {Run}
 * @throws Error where it is no such file
 */
export function readRun(file) {
  let run
  try {
    run = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = error instanceof Error ? error.message : error
    throw new Error(`--against ${file}: cannot be read (${why})`)
  }
  const missing = ['machine', 'adapter', 'versions', 'parts'].find((key) => !run?.[key])
  if (missing) {
    throw new Error(
      `--against ${file}: has no "${missing}"; expected what npm run bench keeps in bench/out`,
    )
  }
  return run
}

/**
 * The members in which two records differ, each as a line.
 * @param {Record<string, unknown>} then
 * @param {Record<string, unknown>} now
 */
function differences(then, now) {
  const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])]
  return keys
    .filter((key) => then[key] !== now[key])
    .map((key) => `  ${key}: ${then[key] ?? 'not told'} then, ${now[key] ?? 'not told'} now`)
}

/**
 * @param {string} what
 * @param {readonly string[]} lines
 */
function refuse(what, lines) {
  if (lines.length === 0) return
  throw new Error(
    `the earlier run does not compare: ${what}\n${lines.join('\n')}\n` +
      'Run without --against, and keep its file to compare the next one with.',
  )
}

/**
 * @param {Run} then
 * @param {Run} now
 * @throws Error where they ran on another machine or adapter
 */
export function checkPlace(then, now) {
  refuse('another machine', differences({ ...then.machine }, { ...now.machine }))
  refuse('another adapter', differences({ adapter: then.adapter }, { adapter: now.adapter }))
}

/**
 * @param {Run} then
 * @param {readonly string[]} parts
 * @throws Error where the earlier run lacks one
 */
export function checkParts(then, parts) {
  const missing = parts.filter((part) => !Object.hasOwn(then.parts, part))
  const has = Object.keys(then.parts).join(', ') || 'none'
  refuse(
    'it lacks what is to be measured now',
    missing.map((part) => `  ${part}: it has ${has}`),
  )
}

/**
 * @param {Run} then
 * @param {string} part
 * @param {import('./record.mjs').Workload} workload
 * @throws Error where the part measured something else
 */
export function checkWorkload(then, part, workload) {
  const earlier = then.parts[part]?.workload ?? {}
  refuse(`part ${part} measured something else`, differences(earlier, workload))
}

/**
 * How many times as good: above 1 is better, whether the unit is one of time or of speed.
 * @param {Figure} then
 * @param {Figure} now
 */
export const ratioOf = (then, now) =>
  times.includes(now.unit) ? then.value / now.value : now.value / then.value

/**
 * One part of two runs as a table: each contestant then, now, and how many times as good.
 * @param {Run} then
 * @param {Run} now
 * @param {string} part
 */
export function comparison(then, now, part) {
  const earlier = then.parts[part]?.figures ?? {}
  const figures = now.parts[part]?.figures ?? {}
  const names = [...new Set([...Object.keys(earlier), ...Object.keys(figures)])]
  const rows = names.map((name) => {
    const [old, found] = [earlier[name], figures[name]]
    const ratio = old && found ? ratioOf(old, found).toFixed(2) : ''
    return [name, show(old), show(found), ratio]
  })
  const head = `${part} against the run of ${then.when}; above 1 is better now`
  const versions = differences(then.versions, now.versions).map(
    (line) => `\nversions differ:${line}`,
  )
  const busy = [then, now].map((run) => run.parts[part]?.otherCores?.toFixed(2) ?? 'unknown')
  return (
    `${head}\n${grid(['', 'then', 'now', 'ratio'], rows)}${versions.join('')}\n` +
    `other cores: ${busy[0]} then, ${busy[1]} now`
  )
}

/** @param {Figure | undefined} figure */
const show = (figure) =>
  figure ? `${Number(figure.value.toPrecision(4)).toLocaleString('en')} ${figure.unit}` : 'missing'
