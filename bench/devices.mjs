// @ts-check
// What a second device of one process gains: the same rankings on one device and on two, scores compared to the bit.
// A software device is held to half of the cores, so that two of them stand for two GPUs.
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { openDevices } from '../dist/devices.js'
import { Tokenizer } from '../dist/index.js'
import { encoderFolder } from './encoder-shapes.mjs'
import { median, peakMemoryMiB, timed } from './measure.mjs'
import { makeWorkload } from './peers/workload.mjs'
import { digest, modelName } from './record.mjs'
import { grid, otherCores, seconds } from './report.mjs'

/** The threads of one of Mesa's software devices. */
const environment = { LP_NUM_THREADS: String(Math.max(1, availableParallelism() >> 1)) }

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {import('./encoder.mjs').Options} options
 */
export async function benchDevices(recorder, options) {
  const model = encoderFolder(options)
  const tokenizer = await Tokenizer.load(model)
  const { pairs } = makeWorkload(tokenizer, options.pairs * 2)
  const workload = {
    model: modelName(model),
    pairs: pairs.length,
    texts: digest(JSON.stringify(pairs)),
  }
  recorder.begin('devices', workload)
  console.log(
    `\nbench: ${basename(model)}: ${pairs.length} pairs in one call, on one device and on two`,
  )
  /** @type {{ name: string, pool: any, runs: import('./contestant.mjs').RunReport[] }[]} */
  const contestants = []
  for (const count of [1, 2]) {
    const devices = Array.from({ length: count }, () => ({ environment }))
    const pool = await openDevices(model, /** @type {any} */ ({ devices }))
    contestants.push({ name: count === 1 ? '1 device' : `${count} devices`, pool, runs: [] })
  }
  const scores = new Set()
  const warmUp = pairs.slice(0, 16)
  for (const { pool } of contestants) await pool.computeScore(warmUp)
  for (let round = 1; round <= options.rounds; round++) {
    for (const { pool, runs } of contestants) {
      const { result, timing } = await timed(() => pool.computeScore(pairs))
      runs.push({ values: result, timing, peakMiB: peakMemoryMiB() })
      scores.add(JSON.stringify(result))
    }
  }
  const [first] = contestants
  const tokens = pairs.reduce(
    (sum, [query, passage]) => sum + (first?.pool.tokenizePair(query, passage).length ?? 0),
    0,
  )
  for (const { pool } of contestants) await pool.dispose()
  if (scores.size !== 1) throw new Error('the scores of one device and of two differ')
  const times = contestants.map(({ runs }) => median(runs.map(({ timing }) => timing.ms)))
  const [alone = Number.NaN] = times
  const perSecond = (/** @type {number} */ ms) => (1000 * tokens) / ms
  console.log(
    grid(
      ['', 'median', 'tokens/s', 'of one device'],
      contestants.map(({ name }, i) => {
        const ms = times[i] ?? Number.NaN
        return [name, seconds(ms), perSecond(ms).toFixed(0), (alone / ms).toFixed(2)]
      }),
    ),
  )
  console.log('the scores are the same to the bit')
  recorder.keep('devices', `devices-${basename(model)}`, {
    workload,
    figures: Object.fromEntries(
      contestants.map(({ name }, i) => [
        name,
        { value: perSecond(times[i] ?? Number.NaN), unit: 'tokens/s' },
      ]),
    ),
    otherCores: otherCores(contestants.flatMap(({ runs }) => runs)),
    details: { rounds: options.rounds, gain: alone / (times[1] ?? Number.NaN), ...environment },
  })
}
