import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('the part gpu of the benchmark runs to its end, whatever the adapter', () => {
  const args = ['bench/run.mjs', 'gpu', '--quick', '--rounds', '1', '--peak', '1', '--no-peers']
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  const tables = readFileSync(`${root}bench/out/gpu.md`, 'utf8')
  expect(tables).not.toMatch(/NaN|undefined/)
  expect(tables).toContain('dawnrank, activations f32 | 32 |')
  const { parts } = JSON.parse(readFileSync(`${root}bench/out/gpu.json`, 'utf8'))
  const { differences } = parts.gpu.details
  for (const { model, difference } of differences['f32, activations f32']) {
    expect(difference, model).toBeLessThan(1e-4)
  }
}, 120_000)
