// @ts-check
// Contestants entered and run in turns, and the best matmul of the adapter beside them.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Contestant } from './contestant.mjs'
import { seconds } from './report.mjs'

/** @typedef {import('./report.mjs').Entry} Entry */

export const root = fileURLToPath(new URL('..', import.meta.url))
export const out = join(root, 'bench', 'out')

/** Bundles matmul.ts, which takes the engine's own kernels from its sources. */
export async function buildMatmul() {
  const outfile = join(out, 'matmul.js')
  await build({
    absWorkingDir: root,
    entryPoints: ['bench/matmul.ts'],
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
 * @param {Record<string, string>} [environment]
 * @returns {Promise<Entry | undefined>}
 */
export async function enter(name, script, options, environment) {
  const contestant = new Contestant(name, script, environment)
  try {
    const { facts, loadMs } = await contestant.load(options)
    const cold = await contestant.run()
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
