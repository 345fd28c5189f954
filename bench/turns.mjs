// @ts-check
// Contestants entered and run in turns.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Contestant } from './contestant.mjs'
import { seconds } from './report.mjs'

/** @typedef {import('./report.mjs').Entry} Entry */

export const root = fileURLToPath(new URL('..', import.meta.url))
export const out = join(root, 'bench', 'out')

/**
 * Bundles a contestant of bench/ that takes the engine's parts from its sources; gives the bundle's path.
 * @param {string} file
 */
export async function bundle(file) {
  const outfile = join(out, file.replace(/\.ts$/, '.js'))
  await build({
    absWorkingDir: root,
    entryPoints: [join('bench', file)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    loader: { '.wgsl': 'text' },
    external: ['webgpu'],
    logLevel: 'warning',
  })
  return outfile
}

/**
 * Starts a contestant, loads it and runs it once; undefined, with the reason told, where it cannot.
 * @param {string} name
 * @param {string} script
 * @param {Record<string, unknown>} options
 * @param {{ environment?: Record<string, string>, input?: Record<string, unknown> }} [more] input: of the first run
 * @returns {Promise<Entry | undefined>}
 */
export async function enter(name, script, options, { environment, input } = {}) {
  const contestant = new Contestant(name, script, environment)
  try {
    const { facts, loadMs } = await contestant.load(options)
    const cold = await contestant.run(input)
    console.log(
      `bench: ${name}: loaded in ${seconds(loadMs)}, first run ${seconds(cold.timing.ms)}`,
    )
    return { name, contestant, facts, loadMs, cold, runs: [] }
  } catch (error) {
    contestant.end()
    console.log(`bench: skipped: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
}

/**
 * The runs that count, each contestant in its turn, so that a change of the machine's speed meets all.
 * @param {readonly Entry[]} entries
 * @param {number} rounds
 */
export async function runInTurns(entries, rounds) {
  for (let round = 1; round <= rounds; round++) {
    for (const { contestant, runs } of entries) runs.push(await contestant.run())
    console.log(`bench: round ${round} of ${rounds} done`)
  }
}
