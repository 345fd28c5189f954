// @ts-check
// The browser page, from its opening to its first score: cold, in a new browser that has nothing of it, and warm, in the same
// browser again, which has the page and the model. Chromium on SwiftShader, the default model, its sample of passages.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import {
  chromiumEnvironment,
  chromiumLaunch,
  chromiumVariable,
  findChromium,
} from '../tools/setup/chromium.mjs'
import { buildWeb, embedded, serveWeb } from '../tools/web.mjs'
import { median, timed } from './measure.mjs'
import { modelName } from './record.mjs'
import { grid, seconds, showCores } from './report.mjs'

/** Fewer give no median. */
const leastRounds = 3
const patienceMs = 10 * 60_000

/** @typedef {{ first: number, all: number, files: number, load: number, others: number | undefined }} Visit milliseconds */

/**
 * Opens the page and asks for the ranking; it starts by itself where the model is in the browser.
 * @param {import('playwright-core').BrowserContext} context
 * @param {string} url
 * @returns {Promise<Visit>}
 */
async function visit(context, url) {
  const page = await context.newPage()
  const { result, timing } = await timed(async () => {
    await page.goto(url)
    await page.waitForSelector('[data-ready]')
    if (await page.isHidden('#stop')) await page.click('#go')
    await page.waitForSelector('#export-csv:enabled', { timeout: patienceMs })
    const marks = await page.evaluate(() =>
      ['model files', 'model loaded', 'first score', 'ranked'].map(
        (name) => performance.getEntriesByName(name)[0]?.startTime ?? Number.NaN,
      ),
    )
    const [files = 0, loaded = 0, first = 0, all = 0] = marks
    return { first, all, files, load: loaded - files }
  })
  // What is kept in the background belongs to this visit.
  await page.waitForFunction(() => navigator.serviceWorker.controller)
  await page.close()
  return { ...result, others: timing.others }
}

/**
 * @param {import('./record.mjs').Recorder} recorder
 * @param {{ rounds: number }} options
 */
export async function benchWeb(recorder, options) {
  const executablePath = findChromium()
  if (!executablePath) throw new Error(`no Chromium; install one or set ${chromiumVariable}`)
  const [model] = embedded
  if (!model) throw new Error('tools/web.mjs names no model')
  const workload = { model: modelName(model.folder), texts: 'sample of the page' }
  recorder.begin('web', workload)
  const rounds = Math.max(options.rounds, leastRounds)
  console.log(`\nbench: browser page, ${model.name}: page opened to first score, ${rounds} rounds`)
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-bench-web-'))
  await buildWeb(folder, [model])
  const server = await serveWeb(folder)
  /** @type {{ cold: Visit[], warm: Visit[] }} */
  const visits = { cold: [], warm: [] }
  try {
    for (let round = 1; round <= rounds; round++) {
      const browser = await chromium.launch({
        executablePath,
        env: chromiumEnvironment(),
        ...chromiumLaunch,
      })
      const context = await browser.newContext()
      visits.cold.push(await visit(context, server.url))
      visits.warm.push(await visit(context, server.url))
      await browser.close()
      console.log(`bench: round ${round} of ${rounds} done`)
    }
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
  const entries = Object.entries(visits)
  const of = (/** @type {Visit[]} */ runs, /** @type {'first' | 'all' | 'files' | 'load'} */ key) =>
    median(runs.map((run) => run[key]))
  const others = (/** @type {Visit[]} */ runs) => {
    const told = runs.flatMap((run) => run.others ?? [])
    return told.length > 0 ? median(told) : undefined
  }
  const rows = entries.map(([name, runs]) => [
    name,
    seconds(of(runs, 'first')),
    seconds(Math.min(...runs.map(({ first }) => first))),
    seconds(of(runs, 'all')),
    seconds(of(runs, 'files')),
    seconds(of(runs, 'load')),
    showCores(others(runs)),
  ])
  const head = [
    '',
    'first score',
    'best',
    'all scores',
    'model files',
    'model to device',
    'busy cores',
  ]
  console.log(`\n${grid(head, rows)}`)
  console.log(
    'Medians, from the opening of the page; "model to device" is the time between. Cold: a new browser; the model comes from\n' +
      'a server on this machine. Busy cores are those of all other processes, the browser among them.',
  )
  recorder.keep('web', 'web', {
    workload,
    figures: Object.fromEntries(
      entries.map(([name, runs]) => [
        `first score, ${name}`,
        { value: of(runs, 'first'), unit: 'ms' },
      ]),
    ),
    otherCores: undefined,
    details: visits,
  })
}
