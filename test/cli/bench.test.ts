import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { session } from './helpers.ts'

const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}/model`, import.meta.url))

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dawnrank-bench-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('bench', () => {
  it.each(['xlm-roberta-514', 'gemma', 'minicpm-layerwise'])('measures %s', async (name) => {
    const on = session()
    const json = join(folder, `${name}.json`)
    const few = ['--passages', '2', '--tokens', '32,40', '--rounds', '1', '--peak', '0.5']
    expect(await on.run('bench', '-m', fixture(name), ...few, '--json', json)).toBe(0)
    const report = JSON.parse(await readFile(json, 'utf8'))
    expect(report.rankings.map(({ tokens }: { tokens: number }) => tokens)).toEqual([32, 40])
    for (const { bestMs, medianMs } of report.rankings) {
      expect(bestMs).toBeGreaterThan(0)
      expect(medianMs).toBeGreaterThanOrEqual(bestMs)
    }
    expect(report.rates).toHaveLength(5)
    expect(report.rates.every(({ gflops }: { gflops: number }) => gflops > 0)).toBe(true)
    expect(report.firstScoreMs).toBeGreaterThan(report.loadMs)
    expect(on.stdout.text).toContain('| 32 | 2 |')
    expect(on.stdout.text).toContain('of 0.5 TFLOP/s')
    expect(on.stdout.text).toMatch(/attention +\d+/)
  })

  it.each([
    ['--tokens', '12,x'],
    ['--peak', '0'],
    ['--rounds', '0'],
  ])('refuses %s %s', async (option, value) => {
    expect(await session().run('bench', option, value)).toBe(2)
  })
})
