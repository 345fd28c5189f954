import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Browser, chromium, type Route } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  chromiumEnvironment,
  chromiumLaunch,
  chromiumVariable,
  findChromium,
} from '../../tools/setup/chromium.mjs'
import { fixtureFolder } from '../fixtures.ts'
import { startHubMock } from '../hub/hub-mock.mjs'
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
import { foreign, hosts } from './hosts.ts'

// dist/browser.js in headless Chromium on SwiftShader: no shader-f16, 256 invocations a workgroup.

/** What page.html puts into the page's global scope. */
interface PageScope {
  score(request: Omit<Request, 'folder'> & { folder: string | FileList }): Promise<Scores>
}

let server: FileServer
let browser: Browser

beforeAll(async () => {
  expectFreshBuild()
  const executablePath = findChromium()
  if (!executablePath) throw new Error(`no Chromium; install one or set ${chromiumVariable}`)
  server = await serveFiles(root, ['dist', 'test/portability', ...models.map(modelFolder)])
  browser = await chromium.launch({
    executablePath,
    env: chromiumEnvironment(),
    ...chromiumLaunch,
  })
})

afterAll(async () => {
  await browser?.close()
  await server?.close()
})

/** Scores in a new page, by `ask`, which runs there. */
async function scoreInPage(
  request: Request,
  ask = (asked: Request) => (globalThis as unknown as PageScope).score(asked),
  files?: string,
  onRequest: (url: URL) => void = () => {},
): Promise<Scores> {
  const page = await browser.newPage()
  page.on('request', (asked) => onRequest(new URL(asked.url())))
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  await page.goto(`${server.url}/test/portability/page.html`)
  await page.waitForFunction('globalThis.score')
  if (files) await page.setInputFiles('input', files)
  const scores = await page.evaluate(ask, request)
  expect(faults).toEqual([])
  await page.close()
  return scores
}

test.each(models)('scores of %s in a browser are those of the reference', async (model) => {
  const cases = readCases(model, 110, 8)
  const scores = await scoreInPage({ folder: `/${modelFolder(model)}/`, cases, bare: false })
  expect(scores.adapter.architecture).toBe('swiftshader')
  expectScores(`Chromium, ${model}`, cases, scores)
})

test.each(models)(
  'so they are with %s on a device with the guaranteed limits alone',
  async (model) => {
    const cases = readCases(model, 80, 6)
    const scores = await scoreInPage({ folder: `/${modelFolder(model)}/`, cases, bare: true })
    expect(scores.adapter).toMatchObject({ subgroupSize: 0, shaderF16: false })
    expectScores(`Chromium, bare device, ${model}`, cases, scores)
  },
)

test('int8 weights give the same scores in a browser', async () => {
  const [model] = models
  const cases = await quantizedCases(model, 64, 6)
  const folder = `/${modelFolder(model)}/`
  const scores = await scoreInPage({ folder, cases, dtype: 'int8', bare: false })
  expectScores(`Chromium, int8, ${model}`, cases, scores)
})

const [encoder] = models
const small = (folder: string): Request => ({
  folder,
  cases: readCases(encoder, 64, 2).filter(({ isScored }) => isScored),
  bare: false,
})

// How files are fetched is tested in test/platform. Here is what a browser does by itself: it refuses packed answers to
// ranges, keeps what it fetched, and hides headers of other origins.
test.each([
  'packs JSON as GitHub Pages does',
  'has no ranges, and packs',
  'wants a signature',
  'redirects to signed addresses',
  'has ETags',
  ...Object.keys(foreign),
])('a model loads from a host that %s', async (name) => {
  const shows = foreign['shows its headers to other origins']!
  const host = await serveFiles(root, [modelFolder(encoder)], (answer, asked) => {
    const found = (hosts[name] ?? foreign[name])!(answer, asked)
    return found && (name in foreign ? found : shows(found, asked))
  })
  try {
    const request = small(`${host.url}/${modelFolder(encoder)}?sig=1`)
    expectScores(`Chromium, ${name}`, request.cases, await scoreInPage(request))
    // From its cache, if it has one.
    if (name === 'has ETags') expectScores('again', request.cases, await scoreInPage(request))
    const later = host.log.filter((line) => /bytes=[1-9]/.test(line))
    expect(later.length > 0).toBe(!/hides? |has no ranges/.test(name))
  } finally {
    await host.close()
  }
})

test('a page that loads an XLM-RoBERTa fetches less than 98 kB of code, gzipped', async () => {
  const scripts = new Set<string>()
  const watch = ({ pathname }: URL) => {
    if (/^\/dist\/.*\.js$/.test(pathname)) scripts.add(pathname)
  }
  const request = { ...small(`/${modelFolder(encoder)}/`), bare: true }
  await scoreInPage(request, undefined, undefined, watch)
  const bytes = [...scripts].map((path) => gzipSync(readFileSync(join(root, path))).length)
  // Those of bundle.test.ts, and what measures kernels at the first load on an adapter.
  expect(bytes.reduce((sum, size) => sum + size)).toBeLessThan(98_000)
})

test('a model loads from a folder that was picked', async () => {
  const request = small('')
  const ask = (asked: Request) => {
    const { files } = document.querySelector('input') as HTMLInputElement
    return (globalThis as unknown as PageScope).score({ ...asked, folder: files as FileList })
  }
  const scores = await scoreInPage(request, ask, `${root}/${modelFolder(encoder)}`)
  expectScores('Chromium, picked', request.cases, scores)
})

test.each([
  ['a worker', `../fixtures/${encoder}/model`],
  ['a worker made of a blob', `/${modelFolder(encoder)}`],
])('a model loads in %s', async (name, folder) => {
  const request = small(folder)
  const ask = (asked: Request) => {
    const script = new URL('worker.mjs', document.baseURI).href
    const blob = new Blob([`import ${JSON.stringify(script)}`], { type: 'text/javascript' })
    const url = asked.folder.startsWith('/') ? URL.createObjectURL(blob) : script
    const worker = new Worker(url, { type: 'module' })
    worker.postMessage(asked)
    return new Promise<Scores>((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message))
      worker.onmessage = ({ data }) => (data.scores ? resolve(data.scores) : reject(data.fault))
    })
  }
  expectScores(`Chromium, ${name}`, request.cases, await scoreInPage(request, ask))
})

test('a model loads by its name: from the hub once, then from the Cache API, also offline', async () => {
  const hub = await startHubMock({ repos: { 'seed/tiny': fixtureFolder(encoder) } })
  const context = await browser.newContext()
  let isUp = true
  const answer = async (route: Route) => {
    if (!isUp) return route.abort()
    const { pathname, search } = new URL(route.request().url())
    const { range } = await route.request().allHeaders()
    const found = await fetch(hub.url + pathname + search, { headers: range ? { range } : {} })
    const whole = Buffer.from(await found.arrayBuffer())
    const isWeights = pathname.endsWith('model.safetensors')
    // The first answer breaks off. Of other files the range is hidden, as of a store of another origin.
    const body = isWeights && range === 'bytes=0-' ? whole.subarray(0, 100_000) : whole
    const headers = {
      ...Object.fromEntries([...found.headers].filter(([name]) => name !== 'content-length')),
      'access-control-allow-origin': '*',
      'access-control-expose-headers': isWeights ? 'content-range' : '',
    }
    return route.fulfill({ status: found.status, headers, body })
  }
  await context.route('https://huggingface.co/**', answer)
  const request = small('seed/tiny')
  const open = async () => {
    const page = await context.newPage()
    await page.goto(`${server.url}/test/portability/page.html`)
    await page.waitForFunction('globalThis.score')
    return page
  }
  const ask = (asked: Request) => (globalThis as unknown as PageScope).score(asked)
  const stored = async () =>
    (await (await caches.open('dawnrank')).keys()).map(({ url }) => new URL(url).pathname)
  try {
    // A broken answer is resumed, a wrong one fetched again; of two pages one downloads.
    hub.set('corrupt,match=sentencepiece,times=1', 'corrupt,match=tokenizer.json,times=1')
    const pages = await Promise.all([open(), open()])
    for (const scores of await Promise.all(pages.map((page) => page.evaluate(ask, request)))) {
      expectScores('Chromium, by name', request.cases, scores)
    }
    const weights = hub.requests.filter(({ path }) => String(path).endsWith('/model.safetensors'))
    expect(weights.filter(({ on }) => on === 'cdn').map(({ range }) => range)).toEqual([
      'bytes=0-',
      'bytes=100000-',
    ])
    const commit = hub.repo('seed/tiny')?.refs.get('main')
    const paths = await pages[0]!.evaluate(stored)
    expect(paths).toContain(`/seed/tiny/snapshots/${commit}`)
    expect(paths).toContain('/seed/tiny/refs/main')
    expect(paths.filter((path) => path.endsWith('model.safetensors'))).toHaveLength(1)

    hub.reset()
    const again = await (await open()).evaluate(ask, request)
    expectScores('Chromium, from its cache', request.cases, again)
    expect(hub.requests).toHaveLength(1)
    isUp = false
    const offline = await (await open()).evaluate(ask, request)
    expectScores('Chromium, offline', request.cases, offline)
  } finally {
    await context.close()
    await hub.close()
  }
})
