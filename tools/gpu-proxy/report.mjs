// @ts-check
// What is said of compiled kernels: a table, and what is wrong.

/**
 * @typedef {import('./child.ts').Compiled} Compiled
 * @typedef {keyof import('./analyse.ts').Bounds} Bound
 *
 * @typedef {object} Floor of a kernel on a target
 * @property {number} [bound] the least share of the peak that its hottest loop may be bound to
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
  const { bound: least = 0 } = floors[kernel.kernel] ?? {}
  const found = []
  const registers = { spills: spills(kernel), 'bytes of scratch memory': scratch(kernel) }
  for (const [what, count = 0] of Object.entries(registers)) {
    if (count > 0) found.push(`${name}: ${count} ${what}; expected none`)
  }
  const bound = boundOf(target, kernel) ?? (hot ? 1 : 0)
  if (!(bound >= least)) {
    found.push(`${name}: bound ${bound.toFixed(3)} of the peak; expected at least ${least}`)
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
