import type { Command } from 'commander'
import { forgetTuned, type TuneReport, tune } from '../tensor/tune.ts'
import { type Io, write } from './io.ts'
import { noProgressOption, progressOn } from './progress.ts'
import { table } from './table.ts'

interface TuneCommandOptions {
  json: boolean
  keep: boolean
  forget: boolean
  progress: boolean
}

const help = `
Several kernels can compute the same operation; the fastest one depends on the
adapter. The defaults were measured on a software adapter and are a guess for
GPUs. Stop other programs first; they distort the figures.

The result is saved in XDG_CACHE_HOME (~/.cache) for this adapter and driver;
every later load uses it. Scores stay within the tolerances of the tests.
`

/** Adds `dawnrank tune` to the program. */
export function addTune(program: Command, io: Io): void {
  program
    .command('tune')
    .summary('measure the kernels on this adapter and save the fastest')
    .description('Measures the kernels on this adapter and saves the fastest for later loads.')
    .argument('[operations...]', 'what to measure, such as "linear f16" (default: everything)')
    .option('--json', 'print the figures as JSON', false)
    .option('--no-keep', 'do not save the result')
    .option('--forget', 'delete the saved result of this adapter and measure nothing', false)
    .option(...noProgressOption)
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
