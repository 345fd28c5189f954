import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Languages } from '../../src/languages/models.ts'
import type { EmbeddedModel } from '../../web/messages.ts'
import { chooseModel, modelsByLanguage } from '../../web/model-choice.ts'
import {
  choose,
  ended,
  expectAccessible,
  exported,
  openPage,
  openSite,
  rank,
  type Site,
} from './open-page.ts'

// The page's choice of a model by the language of the query, with tiny models under the names of the embedded ones.

const english = 'minilm-cross-6x384'
const multilingual = 'xlm-roberta-6x384'
const model = (name: string, label: string): EmbeddedModel => ({
  name,
  label,
  version: '1',
  files: {},
})
const both = [model(multilingual, 'multilingual encoder'), model(english, 'English encoder')]

describe('the choice', () => {
  const models = modelsByLanguage(both)
  const [multi, own] = both as [EmbeddedModel, EmbeddedModel]
  const all = [english, multilingual]

  test.each<[Languages | undefined, string[], EmbeddedModel | undefined, string, string]>([
    [{ query: 'en' }, all, undefined, english, 'the query is in English'],
    [{ query: 'en' }, all, multi, english, 'the query is in English'],
    [{ query: 'en' }, [english], undefined, english, 'the query is in English'],
    [{ query: 'en' }, [], undefined, english, 'the query is in English'],
    [
      { query: 'en' },
      [multilingual],
      undefined,
      multilingual,
      'the query is in English, but the English encoder is not in this browser yet',
    ],
    [
      { query: 'en', passages: 'de' },
      all,
      undefined,
      multilingual,
      'the query is in English, passages are in German',
    ],
    [{ query: 'sw' }, all, own, multilingual, 'the query is in Swahili'],
    [{}, all, undefined, multilingual, 'the language of the query cannot be told for certain'],
    [{}, all, own, english, 'the language of the query cannot be told for certain yet'],
    [undefined, all, own, multilingual, 'the language detector did not load'],
  ])('for %j, with %j here and %j loaded: %s', async (languages, here, kept, name, why) => {
    const isToBeHad = async (one: EmbeddedModel) => here.includes(one.name)
    const chosen = await chooseModel(models as NonNullable<typeof models>, {
      languages,
      isToBeHad,
      kept,
    })
    expect(chosen.model.name).toBe(name)
    expect(chosen.reason).toBe(`Model: ${chosen.model.label} (${name}), as ${why}.`)
  })

  test.each([[[]], [[english]], [[multilingual]]])('needs more models than %j', (names) => {
    expect(modelsByLanguage(both.filter(({ name }) => names.includes(name as never)))).toBe(
      undefined,
    )
  })
})

let site: Site
const measured = (name: string) =>
  readFileSync(new URL(`../../weights/${name}/languages.json`, import.meta.url), 'utf8')

beforeAll(async () => {
  site = await openSite({
    [multilingual]: {
      label: 'multilingual encoder',
      files: { 'languages.json': measured(multilingual) },
    },
    [english]: { label: 'English encoder', files: { 'languages.json': measured(english) } },
  })
})

afterAll(async () => {
  await site?.close()
})

const said = (page: Page, id: string) => page.textContent(`#${id}`)
const loads = (page: Page) =>
  page.evaluate(() => performance.getEntriesByName('model loaded').length)

/** Ranks for a query; gives the model that ranked, by the ranking's JSON. */
async function rankFor(page: Page, query: string): Promise<string> {
  await page.fill('#query', query)
  expect(await rank(page)).toMatch(/passage/)
  return JSON.parse(await exported(page, 'json')).model.name
}

const spanish = '¿Dónde se encuentra la ciudad de París?'

test('a query is ranked by the model of its language, which is loaded once', async () => {
  await using page = await openPage(site)
  expect(await page.inputValue('#model')).toBe('by-language')
  await choose(page, { 'a.txt': 'The tower was built from 1887 to 1889 for a world fair.' })
  expect(await said(page, 'model-note')).toMatch(
    /^English: .*\nOther languages: .* when it is needed$/,
  )
  const warning = /^The query is in Spanish, in which the embedded xlm-roberta-6x384 ranks worse/
  const queries: [string, string, number, RegExp, RegExp][] = [
    ['When was the tower built?', english, 1, /the query is in English/, /^$/],
    ['How high is the tower?', english, 1, /the query is in English/, /^$/],
    ['Wie hoch ist der Turm in Paris?', multilingual, 2, /the query is in German/, /^$/],
    [spanish, multilingual, 2, /the query is in Spanish/, warning],
    ['panda', multilingual, 2, /cannot be told for certain\.$/, /^$/],
    ['How high is the tower?', english, 3, /the query is in English/, /^$/],
  ]
  for (const [query, name, count, choice, harm] of queries) {
    expect(await rankFor(page, query), query).toBe(name)
    expect(await loads(page), query).toBe(count)
    expect(await said(page, 'choice')).toMatch(choice)
    expect(await said(page, 'language-warning')).toMatch(harm)
  }
  await choose(page, { 'b.txt': 'Der Eiffelturm in Paris wurde von 1887 bis 1889 gebaut.' })
  await expect.poll(() => said(page, 'choice')).toBe('')
  expect(await rankFor(page, 'How high is the tower?')).toBe(multilingual)
  expect(await said(page, 'choice')).toMatch(/passages are in German/)
})

test('a model that a person chooses stays, without a warning', async () => {
  await using page = await openPage(site)
  expect(await rankFor(page, spanish)).toBe(multilingual)
  expect(await said(page, 'language-warning')).not.toBe('')
  await expectAccessible(page)
  for (const name of [multilingual, english]) {
    await page.selectOption('#model', name)
    expect(await rankFor(page, spanish)).toBe(name)
    expect(await said(page, 'choice')).toBe('')
    expect(await said(page, 'language-warning')).toBe('')
  }
})

test('while a query is typed, the model stays until another language is certain', async () => {
  await using page = await openPage(site)
  expect(await rankFor(page, 'When was the tower built?')).toBe(english)
  await page.check('#live')
  await rank(page, () => page.fill('#query', 'Wi'))
  expect(await said(page, 'choice')).toMatch(/English encoder .* cannot be told for certain yet/)
  await rank(page, () => page.fill('#query', 'Wie hoch ist der Turm?'))
  expect(await said(page, 'choice')).toMatch(/multilingual encoder .* in German/)
  expect(await loads(page)).toBe(2)
})

test('without the detector the multilingual model ranks', async () => {
  await using page = await openPage(site, { serviceWorkers: 'block' })
  await page.context().route(/extrasmall/, (route) => route.abort())
  expect(await rankFor(page, 'When was the tower built?')).toBe(multilingual)
  expect(await said(page, 'choice')).toMatch(/the language detector did not load/)
})

test('the detector is fetched for the first ranking, and kept', async () => {
  await using page = await openPage(site)
  const keptScripts = () =>
    page.evaluate(async () => {
      const addresses: string[] = []
      for (const name of await caches.keys()) {
        for (const { url } of await (await caches.open(name)).keys()) addresses.push(url)
      }
      return addresses.filter((url) => /extrasmall/.test(url)).length
    })
  await expect.poll(() => said(page, 'offline')).toMatch(/without a network/)
  expect(await keptScripts()).toBe(0)
  expect(await rankFor(page, 'When was the tower built?')).toBe(english)
  await expect.poll(keptScripts).toBe(1)
  await page.context().setOffline(true)
  await site.cut()
  await page.reload()
  await page.waitForSelector('[data-ready]')
  expect(await ended(page)).toMatch(/^8 passages/)
  expect(await said(page, 'choice')).toMatch(/English encoder .* the query is in English/)
  await page.fill('#query', spanish)
  expect(await rank(page)).toMatch(/go online/)
  expect(await rankFor(page, 'How high is the tower?')).toBe(english)
})
