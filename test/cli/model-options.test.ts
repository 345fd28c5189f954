import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { LayerWiseFlagLLMReranker, LightWeightFlagLLMReranker } from '../../src/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { firstStage, pandaTexts, realSession, session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-options-'))
afterAll(() => rmSync(folder, { recursive: true }))
const model = fixtureFolder('minicpm-layerwise')

describe('options of models', () => {
  it('reach the model', async () => {
    const on = session()
    const args = [
      ...['--prompt', 'Why?', '--inputs', 'plain', '--activations', 'f16'],
      ...['--query-instruction', 'Q: ', '--passage-instruction', 'P: '],
      ...['--max-batch-tokens', '256', '--recipe', 'FlagLLMReranker'],
    ]
    expect(await on.run('rerank', 'q', 'a 1', ...args)).toBe(0)
    expect(on.loads[0]!.options).toMatchObject({
      prompt: 'Why?',
      recipe: 'FlagLLMReranker',
      inputs: 'plain',
      activations: 'f16',
      queryInstructionForRerank: 'Q: ',
      passageInstructionForRerank: 'P: ',
      maxBatchTokens: 256,
      maxLength: undefined,
    })
  })

  it.each([
    [['--window'], true],
    [['--window', '20'], { overlap: 20 }],
    [['--no-window'], false],
    [[], undefined],
  ])('%j sets the windows', async (args, window) => {
    const on = session()
    expect(await on.run('rerank', 'q', 'a 1', ...args)).toBe(0)
    expect(on.loads[0]!.options).toMatchObject({ window })
  })

  it('--window takes a whole number', async () => {
    const on = session()
    expect(await on.run('rerank', 'q', 'a 1', '--window', 'x')).toBe(2)
    expect(on.stderr.text).toContain('Expected a whole number from 0 on.')
  })

  it('what a model warns of goes to stderr, and the answer to stdout', async () => {
    const on = session()
    on.reranker.info.warnings.push('config.json: "soft_cap" is not known')
    expect(await on.run('rerank', 'q', 'a 1', '--format', 'jsonl')).toBe(0)
    expect(on.stderr.text).toBe('dawnrank: warning: config.json: "soft_cap" is not known\n')
    expect(on.stdout.text).toContain('"passage":"a 1"')
  })

  it('--cutoff-layer loads to the layer and ranks by it; rows tell it', async () => {
    const on = session()
    expect(await on.run('rerank', 'q', 'a 1', 'b 3', '--cutoff-layer', '5')).toBe(0)
    expect(on.loads[0]!.options).toMatchObject({ cutoffLayers: 5 })
    const first = { rank: 1, index: 1, score: 8, layer: 5, tokens: 3, truncated: false }
    expect(JSON.parse(on.stdout.text.split('\n')[0]!)).toEqual({ ...first, passage: 'b 3' })
  })

  it('--cascade ranks in stages, loads to the last, and scores a single passage there', async () => {
    const on = session()
    const passages = ['a 1', 'b 3', 'c 2', 'd 4']
    const args = ['--cascade', '4:3,5:2,6', '--format', 'table']
    expect(await on.run('rerank', 'q', ...passages, ...args)).toBe(0)
    expect(on.loads[0]!.options).toMatchObject({ cutoffLayers: 6 })
    expect(on.layerwise!.calls[0]).toContain(
      '"cascade":[{"layer":4,"keep":3},{"layer":5,"keep":2},{"layer":6}]',
    )
    const rows = on.stdout.text.split('\n').map((line) => line.trim().split(/\s{2,}/))
    expect(rows.slice(0, 5)).toEqual([
      ['rank', 'score', 'layer', 'index', 'tokens', 'passage'],
      ['1', '10.0000', '6', '3', '3', 'd 4'],
      ['2', '9.0000', '6', '1', '3', 'b 3'],
      ['3', '7.0000', '5', '2', '3', 'c 2'],
      ['4', '5.0000', '4', '0', '3', 'a 1'],
    ])
    const pair = session()
    pair.stdin.end('{"query":"q","passage":"a 1"}')
    expect(await pair.run('rerank', '--cascade', '4:3+1.5,6')).toBe(0)
    expect(JSON.parse(pair.stdout.text).score).toBe(7)
  })

  it('eval measures a cascade, and goes on with one of the same stages only', async () => {
    const out = join(folder, 'cascade.trec')
    const args = ['eval', ...firstStage, '--top', '4', '--out', out, '--max-batch-tokens', '99']
    const on = realSession()
    const code = await on.run(...args, '--model', model, '--cascade', '2:3,4:2,6')
    expect(on.stderr.text).toBe('')
    expect(code).toBe(0)
    expect(on.stdout.text).toContain('model, cascade 2:3,4:2,6, on the first 4 of')

    const reranker = await LayerWiseFlagLLMReranker.load(model)
    const lines = readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('q1 '))
      .map((line) => line.split(' '))
    const query = pandaTexts('queries.jsonl').get('q1')!
    const corpus = pandaTexts('corpus.jsonl')
    const ids = lines.slice(0, 4).map(([, , id]) => id!)
    const rows = await reranker.rank(
      query,
      ids.map((id) => corpus.get(id)!),
      { cascade: [{ layer: 2, keep: 3 }, { layer: 4, keep: 2 }, { layer: 6 }] },
    )
    reranker.dispose()
    expect(rows.map(({ index }) => index)).toEqual([0, 1, 2, 3])
    expect(Number(lines[0]![4])).toBeCloseTo(rows[0]!.score, 6)
    const written = lines.map((fields) => Number(fields[4]))
    expect(written).toEqual(written.toSorted((a, b) => b - a))

    const other = realSession()
    expect(await other.run(...args, '--model', model, '--cascade', '2:3,4:1,6')).toBe(1)
    expect(other.stderr.text).toContain('cascade was "2:3,4:2,6", is "2:3,4:1,6"')
  })

  it.each<[string[], string]>([
    [['--cascade', '12:40'], 'at the end a layer alone'],
    [['--cascade', '12:40,20:15,28:4'], 'at the end a layer alone'],
    [['--cascade', '12:40,,28'], 'at the end a layer alone'],
    [['--cascade', '12:40+x,28'], 'at the end a layer alone'],
    [['--cascade', '12:40,28+1'], 'at the end a layer alone'],
    [['--cascade', '12:40,12'], 'layers in ascending order'],
    [['--cascade', '4:2,6', '--cutoff-layer', '4'], 'cannot be used with'],
    [['--inputs', 'other'], 'Allowed choices are flag, plain'],
  ])('ends with 2 for %j', async (args, message) => {
    const on = session()
    expect(await on.run('rerank', 'q', 'a 1', ...args)).toBe(2)
    expect(on.stderr.text).toContain(message)
    expect(on.loads).toEqual([])
  })

  it.each<[string[], string]>([
    [['--prompt', 'Why?'], 'prompt: FlagReranker takes none'],
    [['--compress-ratio', '2'], 'compressRatio: this is a model for FlagReranker, which does not'],
    [
      ['--cutoff-layer', '4'],
      '--cutoff-layer needs a layerwise model; .*LayerWiseFlagLLMReranker takes',
    ],
    [['--cascade', '4:2,6'], '--cascade needs a layerwise model; .*XLMRoberta'],
  ])('ends with 2 where the model does not take %j', async (args, message) => {
    const on = realSession()
    const xlmRoberta = ['--model', fixtureFolder('xlm-roberta-514')]
    expect(await on.run('rerank', 'q', 'a', ...xlmRoberta, ...args)).toBe(2)
    expect(on.stderr.text).toMatch(new RegExp(`^dawnrank: ${message}`))
    expect(on.stderr.text.trimEnd().split('\n')).toHaveLength(1)
  })

  it('rerank and layers take a lightweight model, and merge its tokens', async () => {
    const lightweight = ['--model', fixtureFolder('gemma2-lightweight')]
    const merged = ['--compress-ratio', '4', '--compress-layers', '1,2']
    const reranker = await LightWeightFlagLLMReranker.load(fixtureFolder('gemma2-lightweight'))
    const plan = { compressRatio: 4, compressLayers: [1, 2] } as const
    const passages = ['The giant panda is a bear.', 'hi']
    const expected = await reranker.rank('what is panda?', passages, { ...plan, cutoffLayers: 4 })
    reranker.dispose()
    const on = realSession()
    const line = JSON.stringify({ query: 'what is panda?', passages })
    on.stdin.end(`${line}\n`)
    expect(await on.run('rerank', ...lightweight, ...merged, '--cutoff-layer', '4')).toBe(0)
    const rows = JSON.parse(on.stdout.text).results as { score: number; layer: number }[]
    expect(rows.map(({ score, layer }) => [score, layer])).toEqual(
      expected.map(({ score }) => [score, 4]),
    )

    const layers = realSession()
    layers.stdin.end(`${line}\n`)
    const named = ['--recipe', 'LightWeightFlagLLMReranker', '--no-times', '--json', '-']
    expect(await layers.run('layers', ...lightweight, ...merged, ...named)).toBe(0)
    expect(layers.stdout.text).toContain(`${expected[0]!.score}`)
  })

  it.each<[string[], string]>([
    [['--compress-ratio', '3'], 'Expected 1, 2, 4 or 8'],
    [['--compress-layers', '3;4'], 'Expected layers between commas'],
  ])('ends with 2 for %j, before anything is loaded', async (args, message) => {
    const on = session()
    expect(await on.run('rerank', 'q', 'a 1', ...args)).toBe(2)
    expect(on.stderr.text).toContain(message)
    expect(on.loads).toEqual([])
  })

  it('ends with 2 for a layer that the model does not have', async () => {
    const on = realSession()
    expect(await on.run('rerank', 'q', 'a', '--model', model, '--cutoff-layer', '9')).toBe(2)
    expect(on.stderr.text).toContain('expected layers from 2 to 6')
  })
})
