import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { beforeAll, expect, test } from 'vitest'
import { findBun } from '../../tools/setup/bun.mjs'
import {
  expectFreshBuild,
  expectScores,
  modelFolder,
  models,
  type Request,
  readCases,
  root,
  type Scores,
} from './cases.ts'

// dist/index.js in Bun, which has no WebGPU of its own and loads Dawn's by Node's interface for native code.

const bun = findBun(root)

beforeAll(expectFreshBuild)

test.skipIf(!bun).each(models)('scores of %s in Bun are those of the reference', (model) => {
  const cases = readCases(model, 512, 12)
  const request: Request = { folder: modelFolder(model), cases, bare: false }
  const run = spawnSync(String(bun), ['test/portability/bun.mjs'], {
    cwd: root,
    env: { XDG_RUNTIME_DIR: tmpdir(), ...process.env },
    input: JSON.stringify(request),
    encoding: 'utf8',
    timeout: 110_000,
    maxBuffer: 16 * 1024 * 1024,
  })
  expect(run.status, `${run.error ?? ''}${run.signal ?? ''}${run.stderr}`).toBe(0)
  const scores: Scores = JSON.parse(run.stdout.slice(run.stdout.indexOf('{')))
  expectScores(`Bun, ${model}`, cases, scores)
})
