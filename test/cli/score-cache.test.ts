import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { cachedScores } from '../../src/cli/score-cache.ts'
import { FakeReranker } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-scores-'))
afterAll(() => rmSync(folder, { recursive: true }))

const source = {
  info: { ...new FakeReranker().forCli.info, commit: 'c0' },
  layers: [4, 6],
  pairs: [
    ['q', 'a'],
    ['q', 'b'],
  ] as const,
}
const scores = [
  [1, 2],
  [3, 4],
]

describe('cachedScores', () => {
  it.each(['torn [', 'null', '{}', '[[1,2]]', '[[1,2],[3]]', '[[1,2],[3,null]]', '[[1,2],"34"]'])(
    'makes scores again where a file holds %s',
    async (text) => {
      await cachedScores(folder, source, async () => scores)
      const [file] = readdirSync(folder)
      writeFileSync(join(folder, file!), text)
      expect(await cachedScores(folder, source, async () => scores)).toEqual(scores)
      expect(JSON.parse(readFileSync(join(folder, file!), 'utf8'))).toEqual(scores)
    },
  )

  it('is shared by processes that work at the same time', async () => {
    const shared = join(folder, 'shared')
    const begun: (() => void)[] = []
    const make = () => new Promise<number[][]>((resolve) => begun.push(() => resolve(scores)))
    mkdirSync(shared)
    const both = [1, 2].map(() => cachedScores(shared, source, make))
    await expect.poll(() => begun.length).toBe(2)
    for (const end of begun) end()
    expect(await Promise.all(both)).toEqual([scores, scores])
    expect(readdirSync(shared)).toHaveLength(1)
  })

  it('tells before the work that they cannot be kept', async () => {
    const taken = join(folder, 'taken')
    writeFileSync(taken, '')
    let made = 0
    const make = async () => {
      made++
      return scores
    }
    await expect(cachedScores(taken, source, make)).rejects.toMatchObject({
      code: 'output-unwritable',
    })
    expect(made).toBe(0)
  })
})
