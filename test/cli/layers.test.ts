import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { LayerWiseFlagLLMReranker, Reranker, RerankerError } from '../../src/index.ts'
import { readTensors } from '../eval/read-tensors.ts'
import { fixtureFolder } from '../fixtures.ts'
import { FakeLayerwise, firstStage, pandaTexts, realSession, session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-layers-'))
afterAll(() => rmSync(folder, { recursive: true }))
const model = fixtureFolder('minicpm-layerwise')

const records = [
  '{"query":"q1","passages":["a 1","b 2"],"id":7}',
  '{"query":"q2","passage":"c 5"}',
  '{"query":"q1","passage":"d 0"}',
].join('\n')

describe('layers', () => {
  it('prints a table of pairs read as JSON lines', async () => {
    const on = session()
    on.stdin.end(records)
    expect(await on.run('layers', '--no-times')).toBe(0)
    expect(on.stdout.text).toBe(
      [
        'numbers on stdin: 4 pairs of 2 queries',
        '',
        'layer  mean score  Spearman  Kendall  top 1  final',
        '    4      6.0000    1.0000   1.0000   1.00      2',
        '    5      7.0000    1.0000   1.0000   1.00      0',
        '    6      8.0000    1.0000   1.0000   1.00      0',
        '',
      ].join('\n'),
    )
    expect(on.loads[0]!.options).toMatchObject({ cutoffLayers: undefined })
    expect(on.layerwise!.calls).toEqual(['score 4 "all"'])
    expect(on.layerwise!.disposed).toBe(1)
  })

  it('times a part of the pairs, and says how', async () => {
    const on = session()
    on.stdin.end(records)
    on.stderr.isTTY = true
    expect(await on.run('layers', '--time-pairs', '3')).toBe(0)
    expect(on.stdout.text).toMatch(
      /layer +mean score +Spearman +Kendall +top 1 +final +ms a pair +cost\n/,
    )
    expect(on.stdout.text).toMatch(/\n +6 .* 1\.00\n/)
    expect(on.stdout.text).toMatch(
      /times: median of 5 rounds over 3 pairs, which differ by up to \d+%, on Fake GPU/,
    )
    const asked = ['[4]', '[5]', '[6]', '"all"'].map((cutoff) => `score 3 ${cutoff}`)
    expect(on.layerwise!.calls.slice(1)).toEqual(Array(6).fill(asked).flat())
    expect(on.stderr.text).toContain('timing')
  })

  it('keeps scores, by model, pairs and what else they depend on', async () => {
    const cache = join(folder, 'cache')
    const table = async (...more: string[]) => {
      const on = realSession()
      const args = ['layers', '--model', model, ...firstStage, '--top', '3', '--no-times']
      expect(await on.run(...args, ...more)).toBe(0)
      return on.stdout.text
    }
    const kept = () => readdirSync(cache)
    const without = await table()
    expect(await table('--cache', cache)).toBe(without)
    const [file] = kept()
    expect(await table('--cache', cache, '--seed', '2')).toBe(without)
    expect(await table('--cache', cache, '--max-length', '24')).not.toBe(without)
    expect(kept()).toHaveLength(2)
    const path = join(cache, file!)
    const scores: number[][] = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify(scores.map((layer) => layer.map(() => 7.25))))
    expect(await table('--cache', cache)).toMatch(/\n *6 +7\.2500 /)
    writeFileSync(path, 'torn [')
    expect(await table('--cache', cache)).toBe(without)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(scores)
  })

  it('writes JSON with every score, pairs in the order of the input', async () => {
    const out = join(folder, 'new', 'a.json')
    const on = session()
    on.stdin.end(records)
    expect(await on.run('layers', '--no-times', '--json', out)).toBe(0)
    const report = JSON.parse(readFileSync(out, 'utf8'))
    expect(report).toMatchObject({ dtype: 'f32', adapter: 'Fake GPU', source: 'stdin', queries: 2 })
    expect(report.pairs).toEqual([
      { query: 'q1', passage: 'a 1', scores: [5, 6, 7] },
      { query: 'q1', passage: 'b 2', scores: [6, 7, 8] },
      { query: 'q2', passage: 'c 5', scores: [9, 10, 11] },
      { query: 'q1', passage: 'd 0', scores: [4, 5, 6] },
    ])
    const stdout = session()
    stdout.stdin.end(records)
    expect(await stdout.run('layers', '--no-times', '--json', '-')).toBe(0)
    expect(JSON.parse(stdout.stdout.text)).toEqual(report)
  })

  it('measures each layer on judged data, and draws', async () => {
    const svg = join(folder, 'a.svg')
    const on = session()
    expect(await on.run('layers', ...firstStage, '--top', '3', '--chart', svg)).toBe(0)
    // The first stage's figures are those of trec_eval.
    expect(on.stdout.text).toMatch(/first stage +0\.7911 +0\.8542\n/)
    expect(on.stdout.text).toMatch(/nDCG@10 +MRR@10 +ms a pair +cost\n/)
    const drawn = readFileSync(svg, 'utf8')
    expect(drawn).toMatch(/^<svg width="1000" height="760"/)
    expect(drawn).not.toMatch(/NaN|undefined/)
    for (const text of [
      'numbers on the first 3 of bm25.trec on panda: 20 pairs of 8 queries',
      'Spearman',
      'rank correlation',
      'nDCG@10',
      'first stage MRR',
      'ms a pair',
      'layer',
    ]) {
      expect(drawn.includes(`>${text}<`), text).toBe(true)
    }
  })

  it('draws a page that stands alone, whatever the names', async () => {
    const html = join(folder, 'a.html')
    const file = join(folder, '<b>&.jsonl')
    writeFileSync(file, records)
    const on = session()
    expect(await on.run('layers', '--file', file, '--no-times', '--chart', html)).toBe(0)
    const page = readFileSync(html, 'utf8')
    expect(page).toContain('<title>numbers on &lt;b>&amp;.jsonl: 4 pairs of 2 queries</title>')
    expect(page).not.toContain('<b>')
    expect(page).not.toMatch(/<script[^>]+src|<link|nDCG@10/)
    expect(page).toContain('"name":"Spearman"')
  })

  it('writes hidden states, more pairs than it holds at a time', async () => {
    const file = join(folder, 'many.jsonl')
    const passages = Array.from({ length: 300 }, (_, i) => `p ${i}`)
    writeFileSync(file, JSON.stringify({ query: 'q', passages }))
    const out = join(folder, 'h.safetensors')
    const on = session()
    const args = ['--file', file, '--no-times', '--hidden-states', out, '--layers', '6,0,6']
    expect(await on.run('layers', ...args)).toBe(0)
    const read = await readTensors(new Uint8Array(readFileSync(out)))
    const expected = [6, 0].map((layer) => [
      `layer.${layer}`,
      { shape: [300, 2], numbers: passages.flatMap((_, i) => [i, layer]) },
    ])
    expect([...read]).toEqual(expected)
  })

  it('gives the scores and states of the real model', async () => {
    const out = join(folder, 'real')
    mkdirSync(out)
    const json = join(out, 'a.json')
    const states = join(out, 'a.safetensors')
    const on = realSession()
    const code = await on.run(
      ...['layers', '--model', model, ...firstStage, '--top', '3', '--time-pairs', '2'],
      ...['--json', json, '--hidden-states', states, '--layers', '3,6'],
    )
    expect(on.stderr.text).toBe('')
    expect(code).toBe(0)
    const { layers, pairs, timing } = JSON.parse(readFileSync(json, 'utf8'))
    expect(layers.map(({ layer }: { layer: number }) => layer)).toEqual([2, 3, 4, 5, 6])
    expect(timing).toMatchObject({ pairs: 2, rounds: 5 })
    expect(pairs).toHaveLength(20)

    const queries = pandaTexts('queries.jsonl')
    const passages = pandaTexts('corpus.jsonl')
    const asked: string[][] = pairs.map(({ queryId, documentId }: Record<string, string>) => [
      queries.get(queryId!)!,
      passages.get(documentId!)!,
    ])
    const reranker = await LayerWiseFlagLLMReranker.load(model)
    const scores = await reranker.computeScore(asked, { cutoffLayers: 'all' })
    pairs.forEach((pair: { scores: number[] }, i: number) => {
      expect(pair.scores).toEqual(scores.map((layer) => layer[i]))
    })
    const hidden = await reranker.hiddenStates(asked, [3, 6])
    const read = await readTensors(new Uint8Array(readFileSync(states)))
    for (const layer of [3, 6]) {
      const { numbers } = read.get(`layer.${layer}`)!
      expect(numbers).toEqual(hidden.flatMap((byLayer) => [...byLayer[layer]!]))
    }
    reranker.dispose()

    const evaluated = realSession()
    const args = ['--model', model, ...firstStage, '--top', '3', '--cutoff-layer', '4', '--json']
    expect(await evaluated.run('eval', ...args)).toBe(0)
    const report = JSON.parse(evaluated.stdout.text)
    expect(report.cutoffLayer).toBe(4)
    expect(layers[2].measures['nDCG@10']).toBe(report.reranked['nDCG@10'])
  })

  it.each<[string[], string]>([
    [['--data', 'x'], '--data and --run go together'],
    [['--data', 'x', '--run', 'y', '--file', 'z'], 'either by --file or by'],
    [['--layers', '4'], '--hidden-states or --attention, and --layers go together'],
    [['--attention', 'a'], '--hidden-states or --attention, and --layers go together'],
    [['--attention', 'a', '--layers', '0,4'], '--attention: layer 0, the embeddings, has none'],
    [
      ['--attention', 'a', '--hidden-states', './a', '--layers', '4'],
      'is written as ./a too; give the output a file of its own',
    ],
    [['--file', 'package.json', '--json', 'package.json'], 'package.json: is read too'],
    [['--loss', '0.002'], '--loss needs judgements: give --data and --run'],
    [['--loss', '-1', ...firstStage], 'Expected a number from 0 on'],
    [['--chart', 'a.png'], 'ends in .svg or .html'],
    [['--hidden-states', 'a', '--layers', '4-8'], 'layers between commas'],
  ])('ends with 2 for %j', async (args, message) => {
    const on = session()
    expect(await on.run('layers', ...args)).toBe(2)
    expect(on.stderr.text).toContain(message)
    expect(on.loads).toEqual([])
  })

  it('tells faults before the work', async () => {
    const taken = session()
    taken.stdin.end(records)
    expect(await taken.run('layers', '--json', folder)).toBe(1)
    expect(taken.stderr.text).toContain('cannot be written (EISDIR)')
    expect(taken.loads).toEqual([])

    const empty = session()
    empty.stdin.end('\n')
    expect(await empty.run('layers')).toBe(1)
    expect(empty.stderr.text).toContain('stdin: has no pair in it')

    const bad = session()
    bad.stdin.end('{"query":"q","passages":["a"]}\n{"query":"q"}')
    expect(await bad.run('layers')).toBe(1)
    expect(bad.stderr.text).toContain('stdin:2: neither "passages" nor')
    expect(bad.loads).toEqual([])

    const cache = session()
    const file = join(folder, 'taken')
    writeFileSync(file, '')
    expect(await cache.run('layers', ...firstStage, '--cache', join(file, 'x'))).toBe(1)
    expect(cache.stderr.text).toContain(`${join(file, 'x')}: cannot be written (ENOTDIR)`)
    expect(cache.loads).toEqual([])

    const layer = session()
    layer.stdin.end(records)
    const out = join(folder, 'never.safetensors')
    expect(await layer.run('layers', '--hidden-states', out, '--layers', '7')).toBe(2)
    expect(layer.layerwise!.calls).toEqual([])

    const terminal = session()
    terminal.stdin.isTTY = true
    expect(await terminal.run('layers')).toBe(2)
    expect(terminal.stderr.text).toContain('give pairs by --file or on stdin')
  })

  it('names the passage that the model refuses', async () => {
    const refusing = new FakeLayerwise()
    refusing.computeScore = async () => {
      throw new RerankerError('input-invalid', 'pair 1: 900 tokens')
    }
    const on = session({ loadLayerwise: async () => refusing.forCli })
    on.stdin.end(records)
    expect(await on.run('layers')).toBe(1)
    expect(on.stderr.text).toBe('dawnrank: stdin:1: passages[1]: 900 tokens\n')
  })

  it('suggests a cascade and an exit for a wanted loss, and prints details', async () => {
    const json = join(folder, 'suggested.json')
    const on = session()
    const args = ['--top', '3', '--loss', '0.01', '--seed', '2', '--time-pairs', '3', '--details']
    expect(await on.run('layers', ...firstStage, ...args, '--json', json)).toBe(0)
    const { suggestions, kendall, calibration } = JSON.parse(readFileSync(json, 'utf8'))
    expect(suggestions).toHaveLength(2)
    // All layers of the fake rank alike: the first one loses nothing, and those that leave there neither.
    expect(suggestions[0].cascade).toBe('4')
    expect(suggestions[0].cost).toBeCloseTo(4 / 6, 12)
    expect(suggestions[1].cascade).toBe('4:1+0,5')
    for (const { learned, checked, cost, measured } of suggestions) {
      expect(learned).toMatchObject({ queries: 4, loss: 0 })
      expect(checked).toMatchObject({ queries: 4, loss: 0, interval: [0, 0] })
      expect(cost).toBeLessThanOrEqual(5 / 6)
      expect(measured.flops).toBeLessThanOrEqual(5 / 6)
    }
    expect(kendall).toHaveLength(3)
    expect(calibration[0]).toMatchObject({ layer: 4, linear: { slope: 1, intercept: 2 } })
    expect(on.stdout.text).toMatch(/learned on 4 queries .* checked on 4 others .* seed 2\n/)
    expect(on.stdout.text).toMatch(
      /\nadaptive exit +4:1\+0,5 +0\.0000 +0\.0000 +0\.0000 to 0\.0000/,
    )
    expect(on.stdout.text).toContain("Kendall's tau of every two layers")
    expect(on.stdout.text).toMatch(/ECE +ECE fitted\n/)
  })

  it('has no halves of one judged query', async () => {
    const qrels = join(folder, 'one.qrels')
    writeFileSync(qrels, 'q1 0 p1 1\n')
    const one = [...firstStage, '--qrels', qrels]
    const searched = session()
    expect(await searched.run('layers', ...one, '--loss', '0.01')).toBe(2)
    expect(searched.stderr.text).toContain('judged queries with documents in the run: found 1')
    expect(searched.loads).toEqual([])

    const json = join(folder, 'one.json')
    const on = session()
    expect(await on.run('layers', ...one, '--no-times', '--details', '--json', json)).toBe(0)
    expect(on.stdout.text).toContain('calibration')
    expect(on.stdout.text).not.toMatch(/NaN|ECE/)
    expect(readFileSync(json, 'utf8')).not.toContain('null')
  })

  it('writes attention maps, and takes encoders with --logit-lens', async () => {
    const file = join(folder, 'lens.jsonl')
    writeFileSync(file, JSON.stringify({ query: 'what is panda?', passages: ['hi', 'A bear.'] }))
    const out = join(folder, 'maps.safetensors')
    const bert = fixtureFolder('bert')
    const on = realSession()
    const args = ['--model', bert, '--logit-lens', '--file', file, '--no-times']
    expect(await on.run('layers', ...args, '--attention', out, '--layers', '1,3')).toBe(0)
    expect(on.stderr.text).toMatch(/warning: logitLens: .* for research/)
    expect(on.stdout.text).toMatch(/\n +1 .*\n +2 .*\n +3 /)
    const read = await readTensors(new Uint8Array(readFileSync(out)))
    const reranker = await Reranker.load(bert)
    const pairs = [
      ['what is panda?', 'hi'],
      ['what is panda?', 'A bear.'],
    ]
    const maps = await reranker.attentionMaps(pairs, [1, 3])
    for (const [i, { ids, heads, layers }] of maps.entries()) {
      for (const layer of [1, 3]) {
        const { shape, numbers } = read.get(`pair.${i}.layer.${layer}`)!
        expect(shape).toEqual([heads, ids.length, ids.length])
        expect(numbers).toEqual([...layers[layer]!])
      }
    }
    reranker.dispose()
  })

  it('needs a layerwise model', async () => {
    const on = realSession()
    on.stdin.end(records)
    expect(await on.run('layers', '--model', fixtureFolder('gemma'))).toBe(2)
    expect(on.stderr.text).toMatch(/layers needs a layerwise model; .*GemmaForCausalLM/)
  })
})
