import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Embedder, isEmbedder } from '../../src/embedders/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { startHubMock } from '../hub/hub-mock.mjs'

const name = 'acme/m3'
const home = mkdtempSync(join(tmpdir(), 'dawnrank-embedders-'))
const before = { ...process.env }
let hub: Awaited<ReturnType<typeof startHubMock>>

beforeAll(async () => {
  hub = await startHubMock({ repos: { [name]: fixtureFolder('embed-bge-m3') } })
  Object.assign(process.env, {
    HF_ENDPOINT: hub.url,
    HF_HOME: home,
    HF_HUB_CACHE: join(home, 'hub'),
  })
})
afterAll(async () => {
  process.env = before
  await hub.close()
  rmSync(home, { recursive: true })
})

it('an embedder is loaded by its name, with its modules and heads', async () => {
  expect(await isEmbedder(name)).toBe(true)
  const phases = new Set<string>()
  using embedder = await Embedder.load(name, {
    revision: 'main',
    onProgress: ({ phase }) => phases.add(phase),
  })
  using local = await Embedder.load(fixtureFolder('embed-bge-m3'))
  expect(embedder.info).toMatchObject({ model: name, multi: true, pooling: 'cls', normalize: true })
  expect(embedder.info.commit).toMatch(/^[0-9a-f]{40}$/)
  expect(embedder.info.limits.maxLength).toBe(2048)
  expect([...phases]).toContain('load')
  expect(await embedder.embedMulti(['a panda'])).toEqual(await local.embedMulti(['a panda']))
})

it('a place that is nowhere is an error that says so', async () => {
  await expect(Embedder.load('acme/none')).rejects.toThrow(/acme\/none/)
  await expect(Embedder.load(join(home, 'none'))).rejects.toThrow('does not exist')
  await expect(Embedder.load(home)).rejects.toThrow(/config\.json|a cache of models/)
  expect(await isEmbedder(fixtureFolder('bert'))).toBe(false)
})
