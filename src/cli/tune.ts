import type { Command } from 'commander'
import { forgetTuned, type TuneReport, tune } from '../tensor/tune.ts'
import { type Io, write } from './io.ts'
import { progressOn } from './progress.ts'
import { table } from './table.ts'

interface TuneCommandOptions {
  json: boolean
  keep: boolean
  forget: boolean
  progress: boolean
}

const help = `
Several kernels can do the same work; which is the fastest depends on the adapter. What is used unless this command finds
better was measured on a software adapter, and is a guess on a GPU. Quiet the machine first: what else runs disturbs the
figures.
The result is kept in XDG_CACHE_HOME (~/.cache) for this adapter and driver, and used by every later load. Scores stay the
same within the tolerances of the tests.
`

/** Adds `dawnrank tune` to the program. */
export function addTune(program: Command, io: Io): void {
  program
    .command('tune')
    .summary('measure the kernels on this adapter and keep the fastest')
    .description('Measures the kernels on this adapter and keeps the fastest for later loads.')
    .argument('[operations...]', 'what to measure, such as "linear f16"; all if none is named')
    .option('--json', 'print the figures as JSON', false)
    .option('--no-keep', 'measure only')
    .option('--forget', 'measure nothing, and forget what was kept for this adapter', false)
    .option('--no-progress', 'no progress bar (there is none where stderr is no terminal)')
    .addHelpText('after', help)
    .action(async (named: string[], { json, keep, forget, progress }: TuneCommandOptions) => {
      if (forget) {
        await write(io.stdout, `forgotten: ${await forgetTuned()}\n`)
        return
      }
      const bar = progressOn(io, progress)
      let started = false
      try {
        const report = await tune({
          operations: named.length > 0 ? named : undefined,
          keep,
          signal: io.signal,
          onProgress({ done, total }) {
            if (!started) bar.start('kernels', total)
            started = true
            bar.update(done)
          },
        })
        bar.stop()
        const text = json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report)
        await write(io.stdout, text)
      } finally {
        bar.stop()
      }
    })
}

function reportText({ adapter, kernels, measured, kept }: TuneReport): string {
  const rows = measured.map(({ operation, kernel, gflops }, i) => [
    measured[i - 1]?.operation === operation ? '' : operation,
    kernel,
    gflops.toFixed(1),
    kernels[operation] === kernel ? 'used' : '',
  ])
  const name = adapter.description || adapter.vendor
  const end = kept ? `kept in ${kept}` : 'not kept'
  return `${name}\n${table(['operation', 'kernel', 'GFLOP/s', ''], rows)}${end}\n`
}
