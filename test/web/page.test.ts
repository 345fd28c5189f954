import { fileURLToPath } from 'node:url'
import type { Page, Route } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FixtureCase } from '../fixtures.ts'
import { fixtureFolder } from '../fixtures.ts'
import { startHubMock } from '../hub/hub-mock.mjs'
import {
  casesOf,
  choose,
  type ExportedRow,
  encoder,
  ended,
  expectAccessible,
  exported,
  exportedRows,
  layered,
  openPage,
  openSite,
  rank,
  type Site,
  textsOf,
  wrong,
} from './open-page.ts'
import { makePdf } from './pdf.ts'

// The page in headless Chromium on SwiftShader, with tiny models and the scores of the reference.

let site: Site

beforeAll(async () => {
  site = await openSite()
})

afterAll(async () => {
  await site?.close()
})

const jsonLines = (cases: readonly FixtureCase[]) =>
  cases.map(({ id, passage }) => JSON.stringify({ id, text: passage })).join('\n')

/** Puts in the passages and the query of recorded cases, and asks for logits. */
async function enter(page: Page, cases: readonly FixtureCase[]): Promise<void> {
  await choose(page, { 'cases.jsonl': jsonLines(cases) })
  await page.fill('#query', cases[0]?.query ?? '')
  await page.check('#raw')
}

const openOptions = (page: Page) =>
  page.evaluate(() => {
    for (const details of document.querySelectorAll('details')) details.open = true
  })

/** The score is within 1e-4 x max(1, |expected|) of what is expected. */
function expectScore(id: string, found: number | undefined, expected: number | undefined): void {
  const difference = Math.abs((found ?? Number.NaN) - (expected ?? Number.NaN))
  const allowed = 1e-4 * Math.max(1, Math.abs(expected ?? 0))
  expect(difference, `${id}: got ${found}, want ${expected}`).toBeLessThanOrEqual(allowed)
}

/** Ranks the passages of all cases for the query of each; gives the rows of each with its case. */
async function rankCases(
  page: Page,
  cases: readonly FixtureCase[],
): Promise<[FixtureCase, ExportedRow][]> {
  await enter(page, cases)
  const found: [FixtureCase, ExportedRow][] = []
  for (const one of cases) {
    await page.fill('#query', one.query)
    expect(await rank(page)).toMatch(new RegExp(`^${cases.length} passages · \\d+ tokens · `))
    const rows = await exportedRows(page)
    const row = rows.find(({ place }) => place === one.id)
    expect(row?.tokens, one.id).toBe(one.flag.input_ids.length)
    found.push([one, row as ExportedRow])
  }
  return found
}

describe('the scores of the reference through the page', () => {
  test('with a model beside the page', async () => {
    await using page = await openPage(site)
    await openOptions(page)
    await page.selectOption('#dtype', 'f32')
    for (const [{ id, flag }, { score }] of await rankCases(page, casesOf('xlm-roberta-514'))) {
      expectScore(id, score, flag.score)
    }
    const rows = await exportedRows(page)
    expect(rows.map(({ score }) => score)).toEqual(
      rows.map(({ score }) => score).toSorted((a, b) => b - a),
    )
    expect(await textsOf(page, '#results .source')).toEqual(
      rows.map(({ place }) => `cases.jsonl · ${place}`),
    )
    // Normalized scores are the sigmoid of the same logits, without another load.
    await rank(page, () => page.uncheck('#raw'))
    const normalized = await exportedRows(page)
    expect(normalized.map(({ score }) => score)).toEqual(
      rows.map(({ score }) => 1 / (1 + Math.exp(-score))),
    )

    await page.click('#self-test')
    await expect.poll(() => page.textContent('#self-test-note')).toMatch(/Passed.*PyTorch’s/)
    const facts = await page.textContent('#facts')
    expect(facts).toMatch(/swiftshader.*16-bit arithmeticno.*FlagReranker/s)
    expect(await page.textContent('#timings')).toMatch(/first score\d/)
  })

  test('with a model of a folder that was picked', async () => {
    await using page = await openPage(site)
    await page.selectOption('#model', 'folder')
    await page.setInputFiles('#folder', fixtureFolder('gemma'))
    for (const [{ id, flag }, { score }] of await rankCases(page, casesOf('gemma').slice(0, 4))) {
      expectScore(id, score, flag.score)
    }
    await page.click('#self-test')
    await expect.poll(() => page.textContent('#self-test-note')).toMatch(/Passed.*no stored score/)
  })

  test('with a model of the hub, at each layer', async () => {
    const hub = await startHubMock({
      repos: { 'seed/tiny': fixtureFolder('minicpm-layerwise-gqa') },
    })
    try {
      await using page = await openPage(site, { serviceWorkers: 'block' })
      const answer = async (route: Route) => {
        const { pathname, search } = new URL(route.request().url())
        const { range } = await route.request().allHeaders()
        const found = await fetch(hub.url + pathname + search, { headers: range ? { range } : {} })
        const body = Buffer.from(await found.arrayBuffer())
        const kept = [...found.headers].filter(([name]) => name !== 'content-length')
        const headers = { ...Object.fromEntries(kept), 'access-control-allow-origin': '*' }
        return route.fulfill({ status: found.status, headers, body })
      }
      await page.context().route('https://huggingface.co/**', answer)
      await page.selectOption('#model', 'hub')
      await page.fill('#hub', 'seed/none')
      expect(await rank(page)).toMatch(/seed\/none/)
      await page.fill('#hub', 'seed/tiny')
      const cases = casesOf('minicpm-layerwise-gqa').slice(0, 4)
      for (const [{ id, flag }, row] of await rankCases(page, cases)) {
        for (const layer of [2, 3, 4, 5, 6] as const) {
          expectScore(`${id}, layer ${layer}`, row[`score_layer_${layer}`], flag.scores?.[layer])
        }
      }
      expect(await page.locator('#results .chart div').count()).toBe(5 * cases.length)
    } finally {
      await hub.close()
    }
  })
})

test('layers: another ranks at once, one alone, and a cascade', async () => {
  await using page = await openPage(site)
  const cases = casesOf('minicpm-layerwise-gqa')
  await page.selectOption('#model', layered)
  await enter(page, cases)
  await rank(page)
  const rows = await exportedRows(page)
  const orderAt = (layer: 2 | 4 | 6) =>
    rows
      .toSorted((a, b) => (b[`score_layer_${layer}`] ?? 0) - (a[`score_layer_${layer}`] ?? 0))
      .map(({ place }) => `cases.jsonl · ${place}`)
  expect(await textsOf(page, '#results .source')).toEqual(orderAt(6))
  await page.focus('#layer')
  await page.keyboard.press('Home')
  expect(await page.textContent('#layer-value')).toBe('2')
  expect(await textsOf(page, '#results .source')).toEqual(orderAt(2))

  await rank(page, () => page.check('input[name=plan][value=layer]'))
  expect(await textsOf(page, '#results .source')).toEqual(orderAt(2))
  expect(await textsOf(page, '#results .at')).toEqual(cases.map(() => 'layer 2'))
  expect(await page.locator('#results .chart').count()).toBe(0)

  await rank(page, () => page.check('input[name=plan][value=cascade]'))
  await page.focus('#stage-0-keep')
  await rank(page, () => page.keyboard.press('Home'))
  expect(await textsOf(page, '#results .at')).toEqual([
    'layer 6',
    ...cases.slice(1).map(() => 'layer 4'),
  ])
  expect(await textsOf(page, '#results .source')).toEqual(orderAt(4))
  await page.click('#add-stage')
  await expect.poll(() => page.locator('#stages > li').count()).toBe(3)
  await ended(page)
  expect(await page.textContent('#rank-error')).toBe('')
})

const kinds: Record<string, string | Buffer> = {
  'a.txt': 'Zürich is a city.',
  'b.md': '# Basel\n\nBasel lies on the [Rhine](https://x.y).',
  'c.html':
    '<title>Bern</title><body hidden><nav>menu</nav><p>Bern is the <b>capital</b>.<p>It has bears.<script>x</script>',
  'd.pdf': makePdf([['Geneva is on', 'a lake.'], ['Lausanne is, too.']]),
  'e.jsonl': '{"id": 9007199254740993, "text": "Chur is old."}\n{broken\n"Sion is dry."',
  'f.csv': 'id,text\n7,"Thun, on a lake"\n8,=HYPERLINK()',
  'g.json': '["Olten has trains."]',
  'h.tsv': 'id\ttext\n9\tBiel makes watches.',
}

test('files of every kind, chosen and dropped, and the ranking as CSV and JSON', async () => {
  await using page = await openPage(site)
  const scripts = () =>
    page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name))
  const { 'a.txt': dropped, ...chosen } = kinds
  const { 'd.pdf': pdf, ...others } = chosen
  await choose(page, others)
  expect((await scripts()).filter((name) => /pdf/.test(name))).toEqual([])
  await choose(page, { 'd.pdf': pdf as Buffer })
  expect((await scripts()).filter((name) => /chunk-pdf/.test(name))).toHaveLength(1)
  await page.evaluate((text) => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([text as string], 'a.txt'))
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true }))
  }, dropped)
  await expect.poll(() => page.locator('#documents > li').count()).toBe(8)
  expect((await textsOf(page, '#documents .left-out')).join()).toMatch(/left out line 2/)
  expect(await page.textContent('#passage-count')).toBe('8 documents, 11 passages')

  await page.fill('#query', 'Which city?')
  await rank(page)
  const { results, ...made } = JSON.parse(await exported(page, 'json'))
  expect(made).toMatchObject({ query: 'Which city?', scores: 'sigmoid', maxLength: 512 })
  const texts = Object.fromEntries(
    (results as { document: string; place: string; text: string }[]).map((row) => [
      [row.document, row.place].filter(Boolean).join(' '),
      row.text,
    ]),
  )
  expect(texts).toEqual({
    'a.txt': 'Zürich is a city.',
    'b.md': 'Basel\n\nBasel lies on the Rhine.',
    'c.html': 'Bern\n\nBern is the capital.\n\nIt has bears.',
    'd.pdf page 1': 'Geneva is on\na lake.',
    'd.pdf page 2': 'Lausanne is, too.',
    'e.jsonl 9007199254740993': 'Chur is old.',
    'e.jsonl line 3': 'Sion is dry.',
    'f.csv 7': 'Thun, on a lake',
    'f.csv 8': '=HYPERLINK()',
    'g.json item 1': 'Olten has trains.',
    'h.tsv 9': 'Biel makes watches.',
  })
  const csv = await exported(page, 'csv')
  expect(csv).toMatch(/^\uFEFFrank,score,document,place,index,tokens,truncated,text\r\n1,/)
  expect(csv).toContain(`"'=HYPERLINK()"`)

  await choose(page, { 'i.docx': 'PK', 'j.pdf': 'no PDF' })
  const faults = await page.textContent('#document-errors')
  expect(faults).toMatch(/i\.docx: expected one of txt/)
  expect(faults).toMatch(/j\.pdf: /)
})

test('an export tells of the model that ranked, whatever was loaded or set since', async () => {
  await using page = await openPage(site)
  await openOptions(page)
  await page.selectOption('#model', layered)
  await rank(page)
  await page.focus('#layer')
  await page.keyboard.press('Home')
  const before = await exported(page, 'json')
  expect(JSON.parse(before)).toMatchObject({ model: { name: layered }, complete: true })
  await page.selectOption('#model', encoder)
  await page.click('#load')
  await page.waitForSelector('#layers', { state: 'hidden' })
  expect(await exported(page, 'json')).toBe(before)
  // A model that does not load; without one the page does not rank again for another limit.
  await page.selectOption('#model', 'folder')
  await page.setInputFiles(
    '#folder',
    fileURLToPath(new URL('../fixtures/metrics', import.meta.url)),
  )
  await page.click('#load')
  await page.waitForFunction(() => document.querySelector('#rank-error')?.textContent)
  await page.fill('#max-length', '20')
  expect(await exported(page, 'json')).toBe(before)
})

test('shortened passages are marked, with their tokens', async () => {
  await using page = await openPage(site)
  await choose(page, {
    'a.jsonl': '"short"\n"long long long long long long long long long long long long"',
  })
  await openOptions(page)
  await page.fill('#query', 'a?')
  await page.fill('#max-length', '16')
  expect(await rank(page)).toMatch(/ · 1 shortened · /)
  const marks = (await textsOf(page, '#results .marks')).sort()
  expect(marks).toHaveLength(2)
  expect(
    marks.filter((text) => /^16 tokensshortened \(the passage has \d+\)$/.test(text)),
  ).toHaveLength(1)
})

/** In the page: stops at the first score, which comes alone; gives which of the exports were disabled then. */
const stopAtFirstScore = () =>
  new Promise<boolean[]>((done) => {
    const find = (query: string) => [...document.querySelectorAll<HTMLButtonElement>(query)]
    const [progress] = document.querySelectorAll('#progress-text')
    new MutationObserver((_, observer) => {
      if (!progress?.textContent?.startsWith('1 of')) return
      observer.disconnect()
      done(find('[id^=export]').map(({ disabled }) => disabled))
      find('#stop')[0]?.click()
    }).observe(progress as Element, { childList: true })
  })

test('a failed self-test, a query without words and a ranking that is stopped are said', async () => {
  await using page = await openPage(site)
  await page.selectOption('#model', wrong)
  await rank(page)
  await page.click('#self-test')
  await expect.poll(() => page.textContent('#self-test-error')).toMatch(/computes wrongly/)
  await choose(page, { 'a.txt': Array.from({ length: 100 }, (_, i) => `Line ${i}.`).join('\n') })
  await page.selectOption('#unit', 'lines')
  await rank(page)
  const exportsAtStop = page.evaluate(stopAtFirstScore)
  await page.click('#go')
  expect(await exportsAtStop).toEqual([true, true])
  await page.waitForSelector('#stop', { state: 'hidden' })
  expect(await page.textContent('#note')).toBe('Stopped: 1 of 100 passages ranked.')
  const { results, ...made } = JSON.parse(await exported(page, 'json'))
  expect(results).toHaveLength(1)
  expect(made).toMatchObject({ passages: 100, complete: false })
  expect(await rank(page)).toMatch(/^100 passages/)
  expect(await page.locator('#results > li').count()).toBe(20)
  await page.click('#more')
  expect(await page.locator('#results > li').count()).toBe(70)
})

const noWebGpu = 'Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined })'
const noAdapter =
  'Object.defineProperty(GPU.prototype, "requestAdapter", { value: async () => null })'

test.each([
  ['no WebGPU', noWebGpu, /does not offer/],
  ['no adapter', noAdapter, /no graphics adapter/],
])('with %s the page says what to do', async (_, init, why) => {
  await using page = await openPage(site, { init })
  expect(await page.textContent('#no-webgpu')).toMatch(why)
  expect(await page.locator('#no-webgpu-steps li').count()).toBeGreaterThan(0)
  expect(await page.isDisabled('#go')).toBe(true)
  await choose(page, { 'a.txt': 'text' })
  expect(await page.textContent('#passage-count')).toBe('1 document, 1 passage')
  await expectAccessible(page)
})

test('axe finds nothing at the start, nor with everything shown', async () => {
  await using page = await openPage(site)
  await expectAccessible(page)
  await page.selectOption('#model', layered)
  await openOptions(page)
  await choose(page, {
    'a.md': `${'A long sentence about cities. '.repeat(40)}\n\nAnd more.`,
    'b.docx': '',
  })
  await page.fill('#max-length', '70')
  await rank(page)
  await expectAccessible(page)
  await rank(page, () => page.check('input[name=plan][value=cascade]'))
  await page.selectOption('#model', 'folder')
  await expectAccessible(page)
})

test('all of it can be done by keyboard', async () => {
  await using page = await openPage(site)
  const press = (key: string) => page.keyboard.press(key)
  const focused = () =>
    page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent)
  /** Tabs to an element, each of whose forerunners shows that it has the focus. */
  const reach = async (id: string) => {
    for (let i = 0; i < 60; i++) {
      await press('Tab')
      const isShown = await page.evaluate(() => {
        const on = document.activeElement
        const shown = on?.classList.contains('away') ? document.querySelector('.drop .button') : on
        return on === document.body || getComputedStyle(shown as Element).outlineStyle !== 'none'
      })
      expect(isShown, `focus on ${await focused()}`).toBe(true)
      if ((await focused()) === id) return
    }
    throw new Error(`${id} is not reached by Tab`)
  }
  await press('Tab')
  expect(await focused()).toBe('Skip to the ranking')
  await reach('query')
  await press('Control+A')
  await page.keyboard.type('Which museum?')
  await rank(page, () => press('Enter'))
  await reach('live')
  await press('Space')
  await reach('files')
  await page.keyboard.press('Tab')
  await press('Enter')
  await reach('pasted')
  await page.keyboard.type('The Prado is in Madrid.')
  await reach('add')
  await rank(page, () => press('Enter'))
  expect(await textsOf(page, '#results .passage')).toEqual(['The Prado is in Madrid.'])
  await reach('Remove')
  await press('Enter')
  expect(await page.textContent('#passage-count')).toMatch(/No passages/)
  expect(await focused()).toBe('files')
  await reach('unit')
  await reach('model')
  await press('ArrowDown')
  expect(await page.inputValue('#model')).toBe(layered)
  for (const id of ['load', 'self-test']) await reach(id)
})

test('once opened, the page and its model need no network', async () => {
  await using page = await openPage(site)
  await rank(page)
  await expect.poll(() => page.textContent('#offline')).toMatch(/without a network/)
  const isKept = () =>
    page.evaluate(async () =>
      Boolean(await caches.match(new URL('pdf.worker.js', document.baseURI))),
    )
  // The first ranking may have ended before the service worker was there.
  await rank(page)
  await expect.poll(isKept).toBe(true)
  const before = await textsOf(page, '#results .passage')
  await page.context().setOffline(true)
  await site.cut()
  await page.reload()
  await page.waitForSelector('[data-ready]')
  expect(await ended(page)).toMatch(/^8 passages/)
  expect(await textsOf(page, '#results .passage')).toEqual(before)
  expect(await page.textContent('#model-note')).toMatch(/in this browser already/)
  await choose(page, { 'd.pdf': kinds['d.pdf'] as Buffer, 'f.csv': kinds['f.csv'] as string })
  expect(await page.textContent('#passage-count')).toBe('2 documents, 4 passages')
  expect(await rank(page)).toMatch(/^4 passages/)
  await page.selectOption('#model', layered)
  expect(await rank(page)).toMatch(/go online/)
})
