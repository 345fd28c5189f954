import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import {
  chromiumEnvironment,
  chromiumLaunch,
  chromiumVariable,
  findChromium,
} from '../../tools/setup/chromium.mjs'
import { buildWeb, serveWeb } from '../../tools/web.mjs'
import { type FixtureCase, fixtureFolder, readFixtures } from '../fixtures.ts'

/** The page, built with tiny models beside it, its server and a browser. */
export interface Site {
  readonly url: string
  readonly browser: Browser
  /** Stops the server: the network is then cut for whatever the browser does. */
  cut(): Promise<void>
  close(): Promise<void>
}

/** Names of the models beside the page. `wrong` is `encoder` with another score in its self-test. */
export const encoder = 'encoder'
export const layered = 'layered'
export const wrong = 'wrong'

/** Models of other names, each with what else is in its folder, in place of these. */
interface OtherModel {
  readonly label: string
  readonly files?: Readonly<Record<string, string>>
}
export type OtherModels = Readonly<Record<string, OtherModel>>

export async function openSite(others?: OtherModels): Promise<Site> {
  const executablePath = findChromium()
  if (!executablePath) throw new Error(`no Chromium; install one or set ${chromiumVariable}`)
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-web-'))
  const tested = (name: string, score: (score: number) => number) => {
    const to = join(folder, name)
    cpSync(fixtureFolder('xlm-roberta-514'), to, { recursive: true })
    const [{ query, passage, flag }] = casesOf('xlm-roberta-514') as [FixtureCase]
    const test = { query, passage, score: score(flag.score), tolerance: 2e-3 }
    writeFileSync(join(to, 'self-test.json'), JSON.stringify(test))
    return { name, label: `${name} for tests`, folder: to }
  }
  const other = ([name, { label, files = {} }]: [string, OtherModel]) => {
    const model = { ...tested(name, (score) => score), label }
    for (const [file, text] of Object.entries(files)) writeFileSync(join(model.folder, file), text)
    return model
  }
  const out = join(folder, 'page')
  const models = others
    ? Object.entries(others).map(other)
    : [
        tested(encoder, (score) => score),
        {
          name: layered,
          label: 'layers for tests',
          folder: fixtureFolder('minicpm-layerwise-gqa'),
        },
        tested(wrong, (score) => score + 1),
      ]
  await buildWeb(out, models)
  const server = await serveWeb(out)
  const browser = await chromium.launch({
    executablePath,
    env: chromiumEnvironment(),
    ...chromiumLaunch,
  })
  return {
    url: server.url,
    browser,
    cut: server.close,
    async close() {
      await browser.close()
      await server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** Cases of several scripts whose query has one line: a field for a query takes no more. */
const caseIds = ['panda-hi', 'panda-bear', 'plain', 'swapped', 'chinese', 'arabic', 'numbers']

/** Recorded cases that can be typed: one passage each, the defaults of the model. */
export const casesOf = (model: string): FixtureCase[] =>
  readFixtures(model).cases.filter(({ id }) => caseIds.includes(id))

/** Opens the page; a fault in it fails the test that closes it. */
export async function openPage(
  { url, browser }: Site,
  options: BrowserContextOptions & { readonly init?: string } = {},
): Promise<Page & AsyncDisposable> {
  const { init, ...rest } = options
  const context = await browser.newContext(rest)
  context.setDefaultTimeout(100_000)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) faults.push(message.text())
  })
  if (init) await page.addInitScript(init)
  await page.goto(url)
  await page.waitForSelector('[data-ready]')
  return Object.assign(page, {
    async [Symbol.asyncDispose]() {
      await context.close()
      expect(faults).toEqual([])
    },
  })
}

/** Ranks and waits for the end; gives what the page says of it. */
export async function rank(page: Page, start = () => page.click('#go')): Promise<string> {
  await page.evaluate(() => {
    const note = document.querySelector('#note')
    if (note) note.textContent = ''
  })
  await start()
  return ended(page)
}

/** Waits for the end of a ranking. */
export async function ended(page: Page): Promise<string> {
  const found = await page.waitForFunction(() => {
    const text = (id: string) => document.querySelector(id)?.textContent ?? ''
    if (!document.querySelector<HTMLElement>('#stop')?.hidden) return undefined
    return text('#rank-error') || (text('#note').includes('·') ? text('#note') : undefined)
  })
  return (await found.jsonValue()) as string
}

/** A row of the ranking as it is exported. */
export interface ExportedRow {
  readonly rank: number
  readonly score: number
  readonly document: string
  readonly place: string
  readonly index: number
  readonly tokens: number
  readonly truncated: boolean
  readonly layer?: number
  readonly text: string
  readonly [layer: `score_layer_${number}`]: number
}

/** Saves the ranking as a file; gives its text. */
export async function exported(page: Page, kind: 'csv' | 'json'): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.click(`#export-${kind}`),
  ])
  return readFileSync(await download.path(), 'utf8')
}

export const exportedRows = async (page: Page): Promise<ExportedRow[]> =>
  JSON.parse(await exported(page, 'json')).results

/** Gives files to the page as a picker does. */
export async function choose(
  page: Page,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<void> {
  await page.setInputFiles(
    '#files',
    Object.entries(files).map(([name, content]) => ({
      name,
      mimeType: '',
      buffer: Buffer.from(content as string),
    })),
  )
  await page.waitForFunction(() =>
    /document|No passages/.test(document.querySelector('#passage-count')?.textContent ?? ''),
  )
}

/** What a list of elements says, one text each. */
export const textsOf = (page: Page, selector: string): Promise<string[]> =>
  page.locator(selector).allTextContents()

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
interface AxeScope {
  axe: { run(): Promise<{ violations: { id: string; nodes: { target: unknown }[] }[] }> }
}
const widths = [1280, 390]

/** No violation in either colour scheme, at each width, and nothing wider than the page. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of widths) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width, height: 844 })
      const found = await page.evaluate(async () => {
        const { violations } = await (globalThis as unknown as AxeScope).axe.run()
        const wide = document.documentElement.scrollWidth - innerWidth
        return {
          violations: violations.map(
            ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`,
          ),
          wide: Math.max(0, wide),
        }
      })
      expect(found, `${colorScheme}, ${width} px`).toEqual({ violations: [], wide: 0 })
    }
  }
}
