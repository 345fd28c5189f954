import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
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

// dist/index.js in Deno, whose WebGPU is wgpu with the naga compiler, without subgroups.

const deno = join(dirname(createRequire(import.meta.url).resolve('deno/package.json')), 'bin.cjs')
const cache = mkdtempSync(join(tmpdir(), 'dawnrank-deno-'))

beforeAll(expectFreshBuild)
afterAll(() => rmSync(cache, { recursive: true }))

const args = (...more: string[]) => [
  deno,
  'run',
  '--no-config',
  '--no-lock',
  '--no-remote',
  '--no-prompt',
  '--allow-read',
  '--allow-env',
  ...more,
  'test/portability/deno.mjs',
]

const options = {
  cwd: root,
  env: {
    XDG_RUNTIME_DIR: tmpdir(),
    ...process.env,
    DENO_DIR: cache,
    DENO_NO_UPDATE_CHECK: '1',
    NO_COLOR: '1',
  },
}

function scoreInDeno(request: Request): Scores {
  const run = spawnSync(process.execPath, args(), {
    ...options,
    input: JSON.stringify(request),
    encoding: 'utf8',
    timeout: 110_000,
    maxBuffer: 16 * 1024 * 1024,
  })
  expect(run.status, `${run.error ?? ''}${run.signal ?? ''}${run.stderr}`).toBe(0)
  return JSON.parse(run.stdout)
}

test.each(models)('scores of %s in Deno are those of the reference', (model) => {
  const cases = readCases(model, 512, 12)
  const scores = scoreInDeno({ folder: modelFolder(model), cases, bare: false })
  expectScores(`Deno, ${model}`, cases, scores)
})

test.each(models)('so they are with %s on a device with the guaranteed limits alone', (model) => {
  const cases = readCases(model, 80, 8)
  const scores = scoreInDeno({ folder: modelFolder(model), cases, bare: true })
  expect(scores.adapter).toMatchObject({ subgroupSize: 0, shaderF16: false })
  expectScores(`Deno, bare device, ${model}`, cases, scores)
})

test('int8 weights give the same scores in Deno', async () => {
  const [model] = models
  const cases = await quantizedCases(model, 128, 8)
  const scores = scoreInDeno({ folder: modelFolder(model), cases, dtype: 'int8', bare: false })
  expectScores(`Deno, int8, ${model}`, cases, scores)
})

test('a model loads by its name in Deno, into the cache that Node and Python share', async () => {
  const [model] = models
  const hub = await startHubMock({ repos: { 'seed/tiny': fixtureFolder(model) } })
  const home = mkdtempSync(join(tmpdir(), 'dawnrank-deno-hub-'))
  hub.set('cut=100000,match=model.safetensors,times=1')
  try {
    const child = spawn(process.execPath, args('--allow-write', '--allow-net', '--allow-sys'), {
      ...options,
      env: { ...options.env, HF_HOME: home, HF_ENDPOINT: hub.url },
    })
    const cases = readCases(model, 64, 8)
    const request: Request = { folder: 'seed/tiny', cases, bare: false }
    child.stdin.end(JSON.stringify(request))
    let out = ''
    child.stdout.on('data', (text) => (out += text))
    child.stderr.on('data', (text) => (out += text))
    const [code] = await once(child, 'close')
    expect(code, out).toBe(0)
    expectScores('Deno, by name', cases, JSON.parse(out.slice(out.indexOf('{'))))
    const commit = hub.repo('seed/tiny')?.refs.get('main')
    const ref = join(home, 'hub', 'models--seed--tiny', 'refs', 'main')
    expect(readFileSync(ref, 'utf8')).toBe(commit)
  } finally {
    await hub.close()
    rmSync(home, { recursive: true })
  }
})
