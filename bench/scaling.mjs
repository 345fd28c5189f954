// @ts-check
// Cost against batch and length: time per token of an encoder for more and more pairs of mixed length, and for pairs of
// more and more tokens, with attention's share of the pass at each length.
import { basename, join } from 'node:path'
import { Tokenizer } from '../dist/index.js'
import { spread } from './bars.mjs'
import { encoderFolder } from './encoder-shapes.mjs'
import { median } from './measure.mjs'
import { makeLongPairs, makeWorkload } from './peers/workload.mjs'
import { shares } from './profile-table.mjs'
import { digest, modelName } from './record.mjs'
import { grid, otherCores, percent, seconds, showCores } from './report.mjs'
import { bundle, enter, root } from './turns.mjs'

/** Pairs of mixed length; tokens of pairs of one length; tokens in all that a length is measured with. */
const whole = { counts: [8, 32, 128, 512, 1000], lengths: [16, 32, 64, 128, 256, 512], each: 4096 }
const quick = { counts: [8, 32], lengths: [16, 128, 512], each: 1024 }

/**
 * @typedef {{
 *   name: string, input: { pairs: [string, string][], options: Record<string, number> },
 *   lengths: number[], runs: import('./contestant.mjs').RunReport[], attention?: number,
 * }} Point what is scored; the tokens that the model is fed for each pair
 */

/**
 * Pairs of one length: long texts that the reranker itself cuts.
 * @param {number} length in tokens
 * @param {number} each tokens in all
 * @returns {Point}
 */
function pointOfLength(length, each) {
  const count = Math.max(1, Math.round(each / length))
  const pairs = makeLongPairs(count, length)
  return {
    name: `${count} pairs of ${length} tokens`,
    input: { pairs, options: { maxLength: length, queryMaxLength: Math.floor(length / 4) } },
    lengths: [],
    runs: [],
  }
}

/**
 * The first so many pairs of the mixed workload.
 * @param {[string, string][]} pairs
 * @param {number} count
 * @returns {Point}
 */
const pointOfCount = (pairs, count) => ({
  name: `${count} pairs of mixed length`,
  input: { pairs: pairs.slice(0, count), options: {} },
  lengths: [],
  runs: [],
})

/** @param {Point} point */
const tokensOf = ({ lengths }) => lengths.reduce((sum, length) => sum + length, 0)

/** @param {Point} point */
const usPerToken = (point) =>
  (1000 * median(point.runs.map(({ timing }) => timing.ms))) / tokensOf(point)

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {import('./encoder.mjs').Options} options
 */
export async function benchScaling(recorder, options) {
  const model = encoderFolder(options)
  const { counts, lengths, each } = options.quick ? quick : whole
  const { pairs } = makeWorkload(await Tokenizer.load(model), Math.max(...counts))
  const byCount = counts.map((count) => pointOfCount(pairs, count))
  const byLength = lengths.map((length) => pointOfLength(length, each))
  const points = [...byCount, ...byLength]
  const workload = {
    model: modelName(model),
    points: points.map(({ name }) => name).join('; '),
    texts: digest(JSON.stringify(points.map(({ input }) => input))),
  }
  recorder.begin('scaling', workload)
  console.log(`\nbench: ${basename(model)}: cost against batch and length`)

  const [first] = /** @type {[Point]} */ (points)
  const ours = await enter(
    'dawnrank',
    join(root, 'bench', 'ours.mjs'),
    { model, options: {} },
    { input: first.input },
  )
  if (!ours) throw new Error('dawnrank itself could not be measured')
  const { adapter, batchTokens } = ours.facts
  for (const point of points) {
    const report = await ours.contestant.run({ ...point.input, lengths: true })
    point.lengths = report.values
  }
  for (let round = 1; round <= options.rounds; round++) {
    for (const { input, runs } of points) runs.push(await ours.contestant.run(input))
    console.log(`bench: round ${round} of ${options.rounds} done`)
  }
  ours.contestant.end()
  // more pairs of mixed length have the same share
  const profiled = [first, ...byLength]
  const profile = await enter(
    'profile',
    await bundle('profile.ts'),
    { model, batchTokens },
    { input: { lengths: first.lengths } },
  )
  for (const point of profile ? profiled : []) {
    const report = await profile?.contestant.run({ lengths: point.lengths })
    point.attention = shares(report?.details).attention
  }
  profile?.contestant.end()

  console.log(`\nadapter: ${adapter}; batches of at most ${batchTokens} tokens`)
  console.log(table(points))
  const flat = (/** @type {readonly Point[]} */ some) => spread(some.map(usPerToken)).toFixed(2)
  console.log(
    `largest over smallest time per token: ${flat(byCount)} from ${counts[0]} to ${counts.at(-1)} pairs, ` +
      `${flat(byLength)} from ${lengths[0]} to ${lengths.at(-1)} tokens`,
  )
  recorder.keep('scaling', `scaling-${basename(model)}`, {
    workload,
    figures: Object.fromEntries(
      points.map((point) => [point.name, { value: usPerToken(point), unit: 'us/token' }]),
    ),
    otherCores: otherCores(points.flatMap(({ runs }) => runs)),
    details: {
      rounds: options.rounds,
      spread: {
        counts: spread(byCount.map(usPerToken)),
        lengths: spread(byLength.map(usPerToken)),
      },
      points: points.map((point) => ({
        name: point.name,
        tokens: tokensOf(point),
        attention: point.attention,
        runsMs: point.runs.map(({ timing }) => timing.ms),
      })),
    },
  })
}

/** @param {readonly Point[]} points */
const table = (points) =>
  grid(
    ['', 'tokens', 'median', 'us/token', 'tokens/s', "attention's share", 'other cores'],
    points.map((point) => [
      point.name,
      tokensOf(point),
      seconds((usPerToken(point) * tokensOf(point)) / 1000),
      usPerToken(point).toFixed(0),
      Math.round(1e6 / usPerToken(point)),
      point.attention === undefined ? '' : percent(point.attention),
      showCores(otherCores(point.runs)),
    ]),
  )
