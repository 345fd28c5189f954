// @ts-check
// What is said of compiled kernels: a table, and what is wrong.

/**
 * @typedef {import('./child.ts').Compiled} Compiled
 * @typedef {keyof import('./analyse.ts').Bounds} Bound
 *
 * @typedef {object} Floor of a kernel on a target
 * @property {number} [bound] the least share of the peak that its hottest loop may be bound to
 * @property {number} [cycles] the most cycles a multiply-add, all code counted: {@link cyclesOf}
 *
 * @typedef {Record<string, Floor>} Floors by the kernel
 */

/** What bounds a kernel where a scheduler issues an instruction of any kind a cycle, and where vector ones of other waves do. */
const limits = /** @type {const} */ ({
  navi31: ['vector', 'lds'],
  navi21: ['vector', 'lds'],
  dg2: ['issue'],
  ampere: ['issue', 'lds'],
  hopper: ['issue', 'lds'],
  sm_90: ['issue', 'lds'],
})

/**
 * The share of a target's peak of multiply-adds that the hottest loop of a kernel may reach at most; of the matrix units' peak where it
 * uses them.
 * @param {string} target
 * @param {Compiled} kernel
 */
export function boundOf(target, { bounds, hot }) {
  if (bounds?.matrix) return bounds.matrix
  if (!bounds || !hot || hot.fmaLanes === 0) return undefined
  const names = limits[/** @type {keyof typeof limits} */ (target)]
  return Math.min(...names.map((name) => bounds[name] ?? 1))
}

/**
 * The first of several statistics that a driver gives.
 * @param {Compiled} kernel
 * @param {...string} names
 */
const statistic = ({ statistics = {} }, ...names) =>
  names.map((name) => statistics[name]).find((value) => value !== undefined)

/** @param {Compiled} kernel */
const spills = (kernel) => statistic(kernel, 'Spilled VGPRs', 'Spill Count', 'Spills to memory')
/** @param {Compiled} kernel */
const scratch = (kernel) => statistic(kernel, 'Scratch size', 'Scratch Memory Size', 'SLM size')

/** How often the hottest loop runs: as ACO's model counts every loop, and for 768, 1,024 and 4,096 numbers a row. */
export const tripCounts = /** @type {const} */ ([8, 48, 64, 256])

/**
 * Cycles of RDNA3's vector unit for each multiply-add of a linear kernel, of 64 lanes, so that 1 is the peak; all of its code is
 * counted, by ACO's model, and its hottest loop so many times. What stands outside of the loop is counted by its place in the code, not by
 * what runs of it.
 * @param {string} target
 * @param {Compiled} kernel
 * @param {number} trips
 */
export function cyclesOf(target, kernel, trips) {
  const { hot } = kernel
  const throughput = statistic(kernel, 'Inverse Throughput')
  const isCounted = target === 'navi31' && kernel.kernel.startsWith('linear_tiled')
  if (!isCounted || !hot || !throughput || statistic(kernel, 'subgroup size') !== 64)
    return undefined
  return (throughput + (trips - tripCounts[0]) * hot.cycles) / (trips * hot.fmaLanes)
}

/**
 * What is wrong with a kernel. On Intel, whose registers are few, kernels that only tuning chooses may spill.
 * @param {string} target
 * @param {Compiled} kernel
 * @param {Floors} floors
 * @returns {string[]}
 */
export function faultsOf(target, kernel, floors) {
  const { name, error, hot } = kernel
  if (error !== undefined) return error.startsWith('compiled to') ? [] : [`${name}: ${error}`]
  if (target === 'dg2' && !kernel.first) return []
  const { bound: least = 0, cycles: most = Number.POSITIVE_INFINITY } = floors[kernel.kernel] ?? {}
  const found = []
  const registers = { spills: spills(kernel), 'bytes of scratch memory': scratch(kernel) }
  for (const [what, count = 0] of Object.entries(registers)) {
    if (count > 0) found.push(`${name}: ${count} ${what}; expected none`)
  }
  const bound = boundOf(target, kernel) ?? (hot ? 1 : 0)
  if (!(bound >= least)) {
    found.push(`${name}: bound ${bound.toFixed(3)} of the peak; expected at least ${least}`)
  }
  const cycles = cyclesOf(target, kernel, tripCounts[0]) ?? 0
  if (!(cycles <= most)) {
    found.push(`${name}: ${cycles.toFixed(3)} cycles a multiply-add; expected at most ${most}`)
  }
  return found
}

/** @param {unknown} value */
const text = (value) =>
  typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value ?? '-')

/** @type {[string, (kernel: Compiled, target: string) => unknown][]} */
const columns = [
  ['kernel', ({ name }) => name],
  ['subgroup', (kernel) => statistic(kernel, 'subgroup size')],
  ['registers', (kernel) => statistic(kernel, 'VGPRs', 'Number of GPRs', 'Max live registers')],
  ['spills', spills],
  ['scratch', scratch],
  ['waves', (kernel) => statistic(kernel, 'Subgroups per SIMD', 'Max warps/SM')],
  [
    'instr.',
    (kernel) => statistic(kernel, 'Instructions', 'Instruction count', 'Instruction Count'),
  ],
  ['inv. thr.', (kernel) => statistic(kernel, 'Inverse Throughput')],
  ['loop', ({ hot }) => hot?.all],
  ['FMA', ({ hot }) => hot?.fma],
  ['LDS words', ({ hot }) => hot?.ldsWords],
  ['issue', ({ bounds }) => bounds?.issue],
  ['vector', ({ bounds }) => bounds?.vector],
  ['lds', ({ bounds }) => bounds?.lds],
  ['matrix', ({ bounds }) => bounds?.matrix],
  ['bound', (kernel, target) => boundOf(target, kernel)],
  ...tripCounts.map(
    (trips) =>
      /** @type {(typeof columns)[number]} */ ([
        `cycles x${trips}`,
        (kernel, target) => cyclesOf(target, kernel, trips),
      ]),
  ),
]

/**
 * Figures as a table.
 * @param {string} target
 * @param {readonly Compiled[]} kernels
 */
export function table(target, kernels) {
  const rows = kernels.map((kernel) => columns.map(([, value]) => text(value(kernel, target))))
  const all = [columns.map(([title]) => title), ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => String(row[i]).length)))
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
