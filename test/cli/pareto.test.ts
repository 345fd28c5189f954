import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { ParetoSubject, Point } from '../../src/cli/pareto-report.ts'
import { frontOf, paretoTable } from '../../src/cli/pareto-report.ts'
import { fixtureFolder } from '../fixtures.ts'
import { firstStage, realSession, session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-pareto-'))
afterAll(() => rmSync(folder, { recursive: true }))

const models = ['embed-bert-mean', 'bert', 'minicpm-layerwise'].map(fixtureFolder)
const few = ['--top', '3', '--time-pairs', '3', '--rounds', '1', '--cascades', '2']

describe('pareto', () => {
  it('compares models, layers and cascades, draws, and scores no pair twice', async () => {
    const cache = join(folder, 'cache')
    const [svg, html, json] = ['a.svg', 'a.html', 'a.json'].map((name) => join(folder, name))
    const on = realSession()
    const args = ['pareto', ...models, ...firstStage, ...few, '--cache', cache]
    expect(await on.run(...args, '--chart', svg!, '--json', json!, '--loss', '0.05')).toBe(0)
    expect(on.stderr.text).toBe('')
    const { points, queries, learn, check } = JSON.parse(readFileSync(json!, 'utf8'))
    expect([queries, learn, check]).toEqual([8, 4, 4])
    const of = (kind: string) => points.filter((point: Point) => point.kind === kind)
    expect(of('layer')).toHaveLength(5)
    expect(of('model')).toHaveLength(1)
    expect(of('embedder')).toHaveLength(1)
    expect(of('cascade')).toHaveLength(1)
    expect(of('exit')).toHaveLength(1)
    for (const { learned, checked, milliseconds, flops } of points as Point[]) {
      expect(learned).toBeGreaterThanOrEqual(0)
      expect(checked).toBeLessThanOrEqual(1)
      expect(milliseconds).toBeGreaterThan(0)
      expect(flops).toBeGreaterThan(0)
    }
    const layers = of('layer').map(({ flops }: Point) => flops)
    expect(layers).toEqual(layers.toSorted((a: number, b: number) => a - b))
    expect(readdirSync(cache)).toHaveLength(2)
    const drawn = readFileSync(svg!, 'utf8')
    expect(drawn).toMatch(/^<svg width="1000" height="760"/)
    expect(drawn).not.toMatch(/NaN|undefined/)
    expect(drawn).toContain('>GFLOPs a pair<')

    const again = realSession()
    const one = ['pareto', `${models[2]}@6`, ...firstStage, ...few, '--cache', cache]
    expect(await again.run(...one, '--chart', html!)).toBe(0)
    // A layer alone is kept for itself.
    expect(readdirSync(cache)).toHaveLength(3)
    expect(again.stdout.text).toContain('model@6')
    const page = readFileSync(html!, 'utf8')
    expect(page).toContain('Pareto front')
    expect(page).not.toMatch(/<script[^>]+src|<link/)
  })

  it('has one point for what is given twice, and a name for each model', async () => {
    const on = realSession()
    const [, bert, layerwise] = models
    const given = [bert!, bert!, layerwise!, `${layerwise}@6`]
    expect(await on.run('pareto', ...given, ...firstStage, ...few, '--json', '-')).toBe(0)
    const { points } = JSON.parse(on.stdout.text)
    const named = (kinds: string[]) =>
      points.filter(({ kind }: Point) => kinds.includes(kind)).map(({ name }: Point) => name)
    const layers = [2, 3, 4, 5, 6].map((layer) => `minicpm-layerwise/model@${layer}`)
    expect(named(['model', 'layer'])).toEqual(['bert/model', ...layers])
    for (const name of named(['cascade', 'exit']))
      expect(name).toMatch(/^minicpm-layerwise\/model \d/)
  })

  it('tells faults before the work', async () => {
    const one = session()
    const qrels = join(folder, 'one.qrels')
    writeFileSync(qrels, 'q1 0 p1 1\n')
    expect(await one.run('pareto', models[1]!, ...firstStage, '--qrels', qrels)).toBe(2)
    expect(one.stderr.text).toContain('judged queries with documents in the run: found 1')
    expect(one.loads).toEqual([])

    const layer = session()
    expect(await layer.run('pareto', models[1]!, `${models[0]}@3`, ...firstStage)).toBe(2)
    expect(layer.stderr.text).toContain('model is an embedder: it has no layers to choose')
    expect(layer.loads).toEqual([])

    const cache = session()
    const file = join(folder, 'taken')
    writeFileSync(file, '')
    expect(await cache.run('pareto', models[1]!, ...firstStage, '--cache', join(file, 'x'))).toBe(1)
    expect(cache.stderr.text).toContain(`${join(file, 'x')}: cannot be written (ENOTDIR)`)
    expect(cache.loads).toEqual([])
  })

  it.each<[string[], string]>([
    [['--dtypes', 'auto,int7'], 'Expected some of auto'],
    [['--loss', 'much'], 'Expected a number from 0 on'],
    [['--chart', 'a.png'], 'ends in .svg or .html'],
  ])('ends with 2 for %j', async (args, message) => {
    const on = session()
    expect(await on.run('pareto', ...firstStage, ...args)).toBe(2)
    expect(on.stderr.text).toContain(message)
    expect(on.loads).toEqual([])
  })
})

describe('the front', () => {
  const point = (name: string, milliseconds: number, flops: number, checked: number): Point => ({
    ...{ name, milliseconds, flops, checked },
    kind: 'model',
    learned: checked,
  })
  const points = [point('a', 1, 3e9, 0.5), point('b', 2, 1e9, 0.6), point('c', 3, 4e9, 0.6)]
  const subject: ParetoSubject = {
    ...{ source: 'x', pairs: 6, queries: 2, learn: 1, check: 1, adapter: 'Fake GPU' },
    timing: { pairs: 3, rounds: 1 },
  }

  it('depends on what is counted, and is marked', () => {
    expect(frontOf(points, 'milliseconds').map(({ name }) => name)).toEqual(['a', 'b'])
    expect(frontOf(points, 'flops').map(({ name }) => name)).toEqual(['b'])
    const lines = paretoTable(subject, points).split('\n')
    expect(lines.find((line) => line.startsWith('b '))).toMatch(/time, FLOPs$/)
    expect(lines.find((line) => line.startsWith('a '))).toMatch(/time$/)
    expect(lines.find((line) => line.startsWith('c '))).toMatch(/4\.000$/)
  })
})
