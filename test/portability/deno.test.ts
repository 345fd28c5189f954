import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
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

function scoreInDeno(request: Request): Scores {
  const run = spawnSync(
    process.execPath,
    [
      deno,
      'run',
      '--no-config',
      '--no-lock',
      '--no-remote',
      '--no-prompt',
      '--allow-read',
      '--allow-env',
      'test/portability/deno.mjs',
    ],
    {
      cwd: root,
      env: {
        XDG_RUNTIME_DIR: tmpdir(),
        ...process.env,
        DENO_DIR: cache,
        DENO_NO_UPDATE_CHECK: '1',
        NO_COLOR: '1',
      },
      input: JSON.stringify(request),
      encoding: 'utf8',
      timeout: 110_000,
      maxBuffer: 16 * 1024 * 1024,
    },
  )
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
