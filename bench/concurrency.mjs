// @ts-check
// What concurrent calls gain by sharing batches: many short rankings at once, next to the same one after another.
import { basename, join } from 'node:path'
import { Tokenizer } from '../dist/index.js'
import { encoderFolder } from './encoder-shapes.mjs'
import { median } from './measure.mjs'
import { makeWorkload } from './peers/workload.mjs'
import { digest, modelName } from './record.mjs'
import { grid, otherCores, seconds } from './report.mjs'
import { enter, root } from './turns.mjs'

/** Calls, and passages of each: those of a small service. */
const calls = 32
const passages = 5

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {import('./encoder.mjs').Options} options
 */
export async function benchConcurrency(recorder, options) {
  const model = encoderFolder(options)
  const { pairs } = makeWorkload(await Tokenizer.load(model), calls * passages)
  const rankings = Array.from({ length: calls }, (_, i) => {
    const own = pairs.slice(i * passages, (i + 1) * passages)
    return { query: own[0]?.[0] ?? '', passages: own.map(([, passage]) => passage) }
  })
  const workload = {
    model: modelName(model),
    calls: `${calls} rankings of ${passages} passages`,
    texts: digest(JSON.stringify(rankings)),
  }
  recorder.begin('concurrency', workload)
  console.log(`\nbench: ${basename(model)}: ${workload.calls}, at once and one after another`)
  const atOnce = { name: 'at once', input: { rankings, width: calls } }
  const modes = [atOnce, { name: 'one after another', input: { rankings, width: 1 } }]
  const script = join(root, 'bench', 'ours.mjs')
  const ours = await enter('dawnrank', script, { model, options: {} }, { input: atOnce.input })
  if (!ours) throw new Error('dawnrank itself could not be measured')
  /** @type {import('./contestant.mjs').RunReport[][]} */
  const runs = modes.map(() => [])
  for (let round = 1; round <= options.rounds; round++) {
    for (const [i, { input }] of modes.entries()) runs[i]?.push(await ours.contestant.run(input))
  }
  ours.contestant.end()
  const scores = runs.flat().map(({ values }) => JSON.stringify(values))
  if (new Set(scores).size !== 1) throw new Error('the scores of a call depend on the others')
  const times = runs.map((some) => median(some.map(({ timing }) => timing.ms)))
  const [together = Number.NaN, apart = Number.NaN] = times
  console.log(
    grid(
      ['', 'median', 'calls/s', 'of one after another'],
      modes.map(({ name }, i) => {
        const ms = times[i] ?? Number.NaN
        return [name, seconds(ms), ((1000 * calls) / ms).toFixed(1), (apart / ms).toFixed(2)]
      }),
    ),
  )
  recorder.keep('concurrency', `concurrency-${basename(model)}`, {
    workload,
    figures: {
      'at once': { value: (1000 * calls) / together, unit: 'calls/s' },
      'one after another': { value: (1000 * calls) / apart, unit: 'calls/s' },
    },
    otherCores: otherCores(runs.flat()),
    details: { rounds: options.rounds, gain: apart / together },
  })
}
