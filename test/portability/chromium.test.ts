import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  CHROMIUM_LAUNCH,
  CHROMIUM_VARIABLE,
  chromiumEnvironment,
  findChromium,
} from '../../tools/setup/chromium.mjs'
import {
  expectFreshBuild,
  expectScores,
  modelFolder,
  models,
  quantizedCases,
  type Request,
  readCases,
  root,
  type Scores,
} from './cases.ts'
import { type FileServer, serveFiles } from './file-server.ts'

// dist/browser.js in headless Chromium on SwiftShader: no shader-f16, 256 invocations a workgroup.

/** What page.html puts into the page's global scope. */
interface PageScope {
  score(request: Request): Promise<Scores>
}

let server: FileServer
let browser: Browser

beforeAll(async () => {
  expectFreshBuild()
  const executablePath = findChromium()
  if (!executablePath) throw new Error(`no Chromium; install one or set ${CHROMIUM_VARIABLE}`)
  server = await serveFiles(root, ['dist', 'test/portability', ...models.map(modelFolder)])
  browser = await chromium.launch({
    executablePath,
    env: chromiumEnvironment(),
    ...CHROMIUM_LAUNCH,
  })
})

afterAll(async () => {
  await browser?.close()
  await server?.close()
})

async function scoreInPage(request: Request): Promise<Scores> {
  const page = await browser.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  await page.goto(`${server.url}/test/portability/page.html`)
  await page.waitForFunction('globalThis.score')
  const scores = await page.evaluate(
    (asked) => (globalThis as unknown as PageScope).score(asked),
    request,
  )
  expect(faults).toEqual([])
  await page.close()
  return scores
}

test.each(models)('scores of %s in a browser are those of the reference', async (model) => {
  const cases = readCases(model, 110)
  const scores = await scoreInPage({ folder: `/${modelFolder(model)}/`, cases, bare: false })
  expect(scores.adapter.architecture).toBe('swiftshader')
  expectScores(`Chromium, ${model}`, cases, scores)
})

test.each(models)(
  'so they are with %s on a device with the guaranteed limits alone',
  async (model) => {
    const cases = readCases(model, 64)
    const scores = await scoreInPage({ folder: `/${modelFolder(model)}/`, cases, bare: true })
    expect(scores.adapter).toMatchObject({ subgroupSize: 0, shaderF16: false })
    expectScores(`Chromium, bare device, ${model}`, cases, scores)
  },
)

test('int8 weights give the same scores in a browser', async () => {
  const [model] = models
  const cases = await quantizedCases(model, 64)
  const folder = `/${modelFolder(model)}/`
  const scores = await scoreInPage({ folder, cases, dtype: 'int8', bare: false })
  expectScores(`Chromium, int8, ${model}`, cases, scores)
})
