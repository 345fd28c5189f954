// @ts-check
// dawnrank from the start of a process to its first score: node first-score.mjs '{"model":…,"pair":[…]}'. Prints the score
// and when, in ms of the process, each step was done.
import { loadReranker } from '../dist/index.js'

const { model, pair } = JSON.parse(process.argv[2] ?? '')
const imported = performance.now()
const reranker = await loadReranker(model)
const loaded = performance.now()
const score = await reranker.computeScore(pair)
const scored = performance.now()
const { user, system } = process.cpuUsage()
const report = { score, steps: { imported, loaded, scored }, cpuMs: (user + system) / 1000 }
// a process that holds a GPU may hang or crash while it takes it down: there is nothing to take down
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))
