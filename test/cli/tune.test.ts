import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { session } from './helpers.ts'

let cache: string
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'dawnrank-tune-'))
  vi.stubEnv('XDG_CACHE_HOME', cache)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(cache, { recursive: true })
})

describe('tune', () => {
  it('measures the kernels of an operation, keeps the fastest, and forgets it', async () => {
    const on = session()
    expect(await on.run('tune', 'attention 32')).toBe(0)
    const [, place = ''] = /^kept in (.*)$/m.exec(on.stdout.text) ?? []
    expect(place.startsWith(join(cache, 'dawnrank', 'kernels-'))).toBe(true)
    const { kernels } = JSON.parse(await readFile(place, 'utf8'))
    expect(Object.keys(kernels)).toEqual(['attention 32'])
    expect(on.stdout.text).toMatch(new RegExp(`${kernels['attention 32']} +[\\d.]+ +used$`, 'm'))

    const forgetting = session()
    expect(await forgetting.run('tune', '--forget')).toBe(0)
    expect(forgetting.stdout.text).toBe(`forgotten: ${place}\n`)
    expect(existsSync(place)).toBe(false)

    const json = session()
    expect(await json.run('tune', 'attention 32', '--json', '--no-keep')).toBe(0)
    const report = JSON.parse(json.stdout.text)
    expect(report.measured[0]).toMatchObject({ operation: 'attention 32' })
    expect(report.measured.every(({ gflops }: { gflops: number }) => gflops > 0)).toBe(true)
    expect(existsSync(place)).toBe(false)
  })

  it('names the operations that there are', async () => {
    const on = session()
    expect(await on.run('tune', 'linear f12')).toBe(2)
    expect(on.stderr.text).toContain('operations: found "linear f12"; expected some of linear f16,')
  })
})
