// @ts-check
// npm run check:kernels: compiles every kernel for GPUs that are not there, and fails where registers overflow or a bound fell.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compileFor, TargetMissing, targets } from './gpu-proxy/compile.mjs'
import { boundOf, cyclesOf, faultsOf, table, tripCounts } from './gpu-proxy/report.mjs'

const usage = `Usage: npm run check:kernels -- [options] [file.wgsl ...]
Compiles the project's kernels, or WGSL files that stand alone, with the compilers of GPUs that are not there
(tools/gpu-proxy/README.md). Fails on scratch memory, spilled registers, and bounds below tools/gpu-proxy/floors.json.

  --target NAME    ${Object.keys(targets).join(', ')}; may be repeated (default: all that can be had here)
  --shims DIR      folder of build-shim.sh, for Intel and NVIDIA (default: $DAWNRANK_GPU_SHIMS)
  --mesa DIR       folder of newer-mesa.sh, for NVIDIA (default: $DAWNRANK_GPU_MESA)
  --cuda DIR       folder of CUDA, for NVIDIA's own compiler (default: $DAWNRANK_CUDA, then PATH)
  --only REGEX     kernels whose names match
  --no-robustness  Dawn without checks of bounds
  --table          prints the figures of every kernel
  --code DIR       writes statistics and machine code of each kernel there, by target
  --json FILE      writes all figures there
  --help`

const { values: options, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', multiple: true },
    shims: { type: 'string', default: process.env.DAWNRANK_GPU_SHIMS },
    mesa: { type: 'string', default: process.env.DAWNRANK_GPU_MESA },
    cuda: { type: 'string', default: process.env.DAWNRANK_CUDA },
    only: { type: 'string', default: '' },
    'no-robustness': { type: 'boolean' },
    table: { type: 'boolean' },
    code: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
})

if (options.help) {
  console.log(usage)
  process.exit()
}

/** @type {Record<string, import('./gpu-proxy/report.mjs').Floors>} */
const floors = JSON.parse(readFileSync(new URL('gpu-proxy/floors.json', import.meta.url), 'utf8'))
/** @type {Record<string, import('./gpu-proxy/compile.mjs').Report>} */
const reports = {}
for (const target of options.target ?? Object.keys(targets)) {
  const start = performance.now()
  try {
    const report = await compileFor(target, options, {
      files,
      only: options.only,
      robustness: !options['no-robustness'],
      code: options.code && join(options.code, target),
    })
    reports[target] = report
    const { adapter, kernels } = report
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${target}: ${adapter}, ${kernels.length} kernels, ${seconds} s`)
    if (options.table || files.length > 0) console.log(`\n${table(target, kernels)}\n`)
    if (files.length > 0) continue
    const faults = kernels.flatMap((kernel) => faultsOf(target, kernel, floors[target] ?? {}))
    for (const fault of faults) console.log(`  FAILED ${fault}`)
    if (faults.length > 0) process.exitCode = 1
  } catch (error) {
    if (!(error instanceof TargetMissing)) throw error
    console.log(`${target}: skipped: ${error.message}`)
  }
}
if (options.json) {
  const figures = Object.fromEntries(
    Object.entries(reports).map(([target, { adapter, kernels }]) => {
      const rows = kernels.map((kernel) => ({
        ...kernel,
        bound: boundOf(target, kernel),
        cycles: Object.fromEntries(
          tripCounts.map((trips) => [trips, cyclesOf(target, kernel, trips)]),
        ),
      }))
      return [target, { adapter, kernels: rows }]
    }),
  )
  writeFileSync(options.json, `${JSON.stringify(figures, null, 1)}\n`)
}
