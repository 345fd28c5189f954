import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  checkParts,
  checkPlace,
  checkWorkload,
  comparison,
  ratioOf,
  readRun,
} from '../../bench/compare.mjs'
import type { Run } from '../../bench/record.mjs'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-compare-'))
afterAll(() => rmSync(folder, { recursive: true }))

const run = (changes: Partial<Run> = {}): Run => ({
  when: '2026-01-02T03:04:05.000Z',
  machine: { cpu: 'Some CPU', cores: 2, memoryGiB: 8, system: 'linux-x64' },
  adapter: 'llvmpipe: Mesa 25',
  versions: { node: '20.19.0', webgpu: '0.6.2' },
  parts: {
    encoder: {
      workload: { model: 'small, config 0123', pairs: 32, tokens: 2984 },
      figures: {
        dawnrank: { value: 500, unit: 'tokens/s' },
        'dawnrank, cold': { value: 8000, unit: 'ms' },
      },
      otherCores: 0.1,
      details: {},
    },
  },
  ...changes,
})

/** The encoder part with other figures. */
const faster = (figures: Record<string, { value: number; unit: string }>): Run => {
  const part = run().parts.encoder as NonNullable<Run['parts'][string]>
  return run({ when: '2026-02-03T00:00:00.000Z', parts: { encoder: { ...part, figures } } })
}

describe('what compares', () => {
  test('the same machine and adapter do, whatever the versions', () => {
    expect(() => checkPlace(run(), run({ versions: { node: '24.0.0' } }))).not.toThrow()
  })

  test.each([
    ['cpu', 'Other CPU', 'cpu: Some CPU then, Other CPU now'],
    ['cores', 16, 'cores: 2 then, 16 now'],
    ['memoryGiB', 64, 'memoryGiB: 8 then, 64 now'],
    ['system', 'darwin-arm64', 'system: linux-x64 then, darwin-arm64 now'],
  ])('another machine is refused by its %s', (key, value, line) => {
    const other = run({ machine: { ...run().machine, [key]: value } })
    expect(() => checkPlace(run(), other)).toThrow('another machine')
    expect(() => checkPlace(run(), other)).toThrow(line)
  })

  test('another adapter is refused', () => {
    expect(() => checkPlace(run(), run({ adapter: 'NVIDIA' }))).toThrow(
      'another adapter\n  adapter: llvmpipe: Mesa 25 then, NVIDIA now',
    )
  })

  test('another model or workload is refused, each difference told', () => {
    const same = { model: 'small, config 0123', pairs: 32, tokens: 2984 }
    expect(() => checkWorkload(run(), 'encoder', same)).not.toThrow()
    const found = () =>
      checkWorkload(run(), 'encoder', { ...same, model: 'base, config 4567', texts: 'abcd' })
    expect(found).toThrow('part encoder measured something else')
    expect(found).toThrow('model: small, config 0123 then, base, config 4567 now')
    expect(found).toThrow('texts: not told then, abcd now')
    expect(found).not.toThrow('pairs')
  })

  test('a part that the earlier run lacks is refused before anything is measured', () => {
    expect(() => checkParts(run(), ['encoder'])).not.toThrow()
    expect(() => checkParts(run(), ['encoder', 'kernels'])).toThrow('kernels: it has encoder')
  })
})

describe('the file of an earlier run', () => {
  const write = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  test('is read', () => {
    expect(readRun(write('run.json', JSON.stringify(run())))).toEqual(run())
  })

  test.each([
    ['missing.json', undefined, /missing\.json: cannot be read \(ENOENT/],
    ['torn.json', '{"when":', /torn\.json: cannot be read/],
    ['null.json', 'null', /null\.json: has no "machine"/],
    ['other.json', '{"machine":{},"rounds":2}', /other\.json: has no "adapter"; expected what/],
  ])('%s is refused', (name, text, message) => {
    const path = text === undefined ? join(folder, name) : write(name, text)
    expect(() => readRun(path)).toThrow(message)
  })
})

describe('the comparison', () => {
  test('a ratio above 1 is better, for speeds and for times', () => {
    expect(ratioOf({ value: 500, unit: 'tokens/s' }, { value: 750, unit: 'tokens/s' })).toBe(1.5)
    expect(ratioOf({ value: 800, unit: 'ms' }, { value: 400, unit: 'ms' })).toBe(2)
    expect(ratioOf({ value: 10, unit: 'us/token' }, { value: 20, unit: 'us/token' })).toBe(0.5)
  })

  test('has a row for each contestant: then, now, ratio', () => {
    const now = faster({
      dawnrank: { value: 1250, unit: 'tokens/s' },
      'dawnrank, cold': { value: 4000, unit: 'ms' },
    })
    const text = comparison(run(), now, 'encoder')
    expect(text).toContain('encoder against the run of 2026-01-02T03:04:05.000Z')
    expect(text).toMatch(/dawnrank +│ +500 tokens\/s │ +1,250 tokens\/s │ +2\.50/)
    expect(text).toMatch(/dawnrank, cold │ +8,000 ms │ +4,000 ms │ +2\.00/)
    expect(text).toContain('other cores: 0.10 then, 0.10 now')
    expect(text).not.toContain('versions differ')
  })

  test('a contestant that only one run has is told, without a ratio', () => {
    const now = faster({
      dawnrank: { value: 500, unit: 'tokens/s' },
      peer: { value: 100, unit: 'tokens/s' },
    })
    const text = comparison(run(), now, 'encoder')
    expect(text).toMatch(/dawnrank, cold │ +8,000 ms │ +missing │ +│/)
    expect(text).toMatch(/peer +│ +missing │ +100 tokens\/s │ +│/)
  })

  test('versions that differ are told', () => {
    const now = run({ versions: { node: '24.0.0', webgpu: '0.6.2' } })
    const text = comparison(run(), now, 'encoder')
    expect(text).toContain('versions differ:  node: 20.19.0 then, 24.0.0 now')
    expect(text).not.toContain('webgpu: ')
  })
})
