import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shortNames } from '../../src/cli/short-names.ts'
import { FakeReranker, session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-eval-several-'))
const panda = fileURLToPath(new URL('../fixtures/beir/panda', import.meta.url))
const root = join(folder, 'root')
const runs = ['--run', 'bm25.trec', '--top', '3', '--resamples', '100']

beforeAll(() => {
  for (const place of [
    'beir/scifact',
    'beir/nfcorpus',
    'beir/cqadupstack/android',
    'beir/cqadupstack/unix',
  ]) {
    cpSync(panda, join(root, place), { recursive: true })
  }
  cpSync(join(panda, 'miracl'), join(root, 'miracl/miracl-v1.0-en'), { recursive: true })
  cpSync(join(panda, 'bm25.trec'), join(root, 'miracl/miracl-v1.0-en/bm25.trec'))
  for (const model of ['short', 'long']) {
    mkdirSync(join(folder, model))
    writeFileSync(join(folder, model, 'config.json'), `{"name": "${model}"}`)
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Two models: one scores by the words that query and passage share, one by the length of the passage. */
function models(onScore: (calls: number, interrupt: AbortController) => void = () => {}) {
  const calls = { short: 0, long: 0 }
  const places: (string | undefined)[] = []
  const on = session({
    load: async (place) => {
      places.push(place)
      const reranker = new FakeReranker()
      const name = place?.includes('long') ? 'long' : 'short'
      reranker.info = { ...reranker.info, model: place ?? join(folder, 'short') }
      reranker.computeScore = async (pairs, options) => {
        options?.signal?.throwIfAborted()
        calls[name]++
        onScore(calls.short + calls.long, on.interrupt)
        return pairs.map(([query, passage]) => {
          const words = query!.toLowerCase().match(/\p{L}+/gu) ?? []
          const shared = words.filter((word) => passage!.toLowerCase().includes(word)).length
          return name === 'long' ? passage!.length : shared
        })
      }
      return reranker.forCli
    },
  })
  const evaluate = (...args: string[]) => on.run('eval', ...args)
  return { on, calls, places, evaluate }
}
const both = ['--model', join(folder, 'short'), join(folder, 'long')]
const two = ['--root', root, '--data', 'beir/scifact/test', 'beir/nfcorpus/test']

describe('eval of several data sets and models', () => {
  it('loads each model once, prints a table, and writes reports', async () => {
    const { on, places, evaluate } = models()
    const files = ['json', 'md', 'html'].map((end) => join(folder, 'reports', `r.${end}`))
    const args = [
      ...two,
      ...runs,
      ...both,
      '--report',
      ...files,
      '--measures',
      'ndcg@10',
      'P_5',
      'map',
    ]
    expect(await evaluate(...args), on.stderr.text).toBe(0)
    expect(places).toEqual(both.slice(1))
    const { text } = on.stdout
    expect(text).toMatch(
      /^2 data sets, 16 judged queries; 2 models on the first 3 of the first stage\n/,
    )
    expect(text).toMatch(/ +queries +first stage +short +long\n/)
    expect(text).toMatch(/scifact\/test +8 +0\.7911 +0\.\d{4} +0\.\d{4}\n/)
    expect(text).toMatch(/average +16 +0\.7911/)
    expect(text).toMatch(/long - short +[+-]0\.\d{4} +\[-?0\.\d{4}, -?0\.\d{4}\] +[01]\.\d{4}\n/)
    const report = JSON.parse(readFileSync(files[0]!, 'utf8'))
    expect(report).toMatchObject({ measures: ['nDCG@10', 'precision@5', 'MAP'], top: 3, seed: 1 })
    expect(report.sets[0]).toMatchObject({ name: 'scifact/test', layout: 'BEIR', queries: 8 })
    expect(report.systems.map(({ name }: { name: string }) => name)).toEqual([
      'first stage',
      'short',
      'long',
    ])
    expect(report.rows.at(-1).systems.short['nDCG@10'].interval).toHaveLength(2)
    expect(Object.keys(report.outcomes[0].perQuery)).toHaveLength(8)
    // Two sets that are the same have the mean of one.
    const mean = (row: number) => report.rows[row].systems.long['nDCG@10'].mean
    expect(mean(2)).toBeCloseTo(mean(0), 12)
    expect(readFileSync(files[1]!, 'utf8')).toMatch(
      /\| scifact\/test +\| +8 \| 0\.7911 \[0\.\d{4}, 0\.\d{4}\] \|/,
    )
    const html = readFileSync(files[2]!, 'utf8')
    expect(html.match(/<svg/g)).toHaveLength(2)
    expect(html.match(/<table>/g)).toHaveLength(4)
    expect(html).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/)
  })

  it('goes on after an interruption or a cut file, with the same bytes', async () => {
    const whole = models()
    const args = [...two, ...runs, ...both]
    expect(await whole.evaluate(...args, '--out', join(folder, 'whole'))).toBe(0)
    const paths = ['scifact', 'nfcorpus'].flatMap((set) => [
      `${set}/test/short.trec`,
      `${set}/test/long.trec`,
    ])
    const bytes = (out: string) =>
      paths.map((path) => readFileSync(join(folder, out, path), 'utf8'))

    // In the second set of the second model.
    const stopped = models((calls, interrupt) => calls === 28 && interrupt.abort())
    expect(await stopped.evaluate(...args, '--out', join(folder, 'cut'))).toBe(130)
    expect(stopped.on.stderr.text).toMatch(
      /\d of 8 queries are in .*cut\/nfcorpus\/test\/long\.trec; the same command/,
    )
    expect(existsSync(join(folder, 'cut/scifact/test/long.trec'))).toBe(true)
    // As kill -9 leaves a file: in the middle of a line.
    truncateSync(join(folder, 'cut', paths[1]!), 401)
    const again = models()
    expect(await again.evaluate(...args, '--out', join(folder, 'cut'), '--json')).toBe(0)
    expect(again.calls.short).toBe(0)
    expect(again.calls.long).toBeLessThan(16)
    expect(bytes('cut')).toEqual(bytes('whole'))
    const outcomes = JSON.parse(again.on.stdout.text).outcomes
    expect(outcomes.at(-1).mean).toEqual(outcomes.at(-2).mean)

    const other = models()
    expect(await other.evaluate(...args, '--top', '2', '--out', join(folder, 'cut'))).toBe(1)
    expect(other.on.stderr.text).toContain('topK was 3, is 2')
  })

  it('compares runs as they are, on a folder of sets or a file of judgements', async () => {
    const own = 'q1 Q0 q1 1 9 x\nq1 Q0 p1 2 8 x\n'
    writeFileSync(join(folder, 'own.trec'), own)
    const { on, places, evaluate } = models()
    const args = ['--runs-only', '--run', join(panda, 'bm25.trec'), join(folder, 'own.trec')]
    expect(await evaluate('--data', join(root, 'beir/cqadupstack'), ...args), on.stderr.text).toBe(
      0,
    )
    expect(on.stdout.text).toMatch(
      /cqadupstack\/android +8 +0\.7911 +0\.\d{4}\ncqadupstack\/unix .*\ncqadupstack \(mean\) +16 +0\.7911/,
    )
    expect(places).toEqual([])
    const file = models()
    const qrels = ['--data', join(panda, 'qrels/test.tsv'), '--measures', 'MRR', 'hit@1', '--json']
    expect(await file.evaluate(...qrels, ...args)).toBe(0)
    // The document with the query's id is left out: p1, which is relevant, is first.
    const { outcomes, sets } = JSON.parse(file.on.stdout.text)
    expect(outcomes[1].perQuery).toEqual({ q1: { MRR: 1, 'hit@1': 1 } })
    expect(outcomes[1].mean['hit@1']).toBe(1 / 8)
    expect(sets[0].identicalIdsLeftOut).toBe(1)
    const kept = models()
    expect(await kept.evaluate(...qrels, ...args, '--keep-identical-ids')).toBe(0)
    expect(JSON.parse(kept.on.stdout.text).outcomes[1].perQuery.q1.MRR).toBe(0.5)
  })

  it('tells groups of one name and a set of that name apart', async () => {
    for (const place of ['a/grp/x', 'a/grp/y', 'b/grp/x', 'b/grp/y', 'c/grp']) {
      cpSync(panda, join(folder, place), { recursive: true })
    }
    const { on, evaluate } = models()
    const sets = ['a/grp', 'b/grp', 'c/grp'].map((place) => join(folder, place))
    expect(await evaluate('--data', ...sets, ...runs, '--runs-only')).toBe(0)
    const names = on.stdout.text.match(/^\S.*? {2,}(?=\d+ {2})/gm)!.map((name) => name.trim())
    expect(names).toEqual([
      ...['a/grp/x', 'a/grp/y', 'a/grp (mean)', 'b/grp/x', 'b/grp/y', 'b/grp (mean)'],
      ...[expect.stringMatching(/\/c\/grp$/), 'average'],
    ])
  })

  it('counts a run that is given twice once, and takes several of stdin and pipes', async () => {
    const run = join(panda, 'bm25.trec')
    const twice = models()
    expect(await twice.evaluate('--data', panda, '--run', run, run, '--top', '3')).toBe(0)
    expect(twice.on.stdout.text).toContain('20 pairs in')
    const piped = models()
    piped.on.stdin.end(readFileSync(run))
    expect(await piped.evaluate('--data', panda, '--run', '-', run, '--top', '3', '--json')).toBe(0)
    const { outcomes } = JSON.parse(piped.on.stdout.text)
    const means = outcomes.filter(({ system }: { system: string }) => system === 'short')
    expect(means).toHaveLength(2)
    expect(means[0].mean).toEqual(means[1].mean)
  })

  it('writes the runs of a first stage with a path in its name below --out', async () => {
    const stages = ['bm25', `hybrid:bm25+run:${join(panda, '..', 'panda', 'bm25.trec')}`]
    const args = ['--data', panda, '--first-stage', ...stages, '--top', '3']
    const out = join(folder, 'deep', 'out')
    expect(await models().evaluate(...args, '--out', out)).toBe(0)
    expect(readdirSync(join(folder, 'deep'))).toEqual(['out'])
    const [first, second, ...others] = readdirSync(out)
    expect([first, others]).toEqual(['panda (bm25)', []])
    expect(readdirSync(join(out, second!))).toContain('short.trec')
  })

  it('reranks sets of other layouts', async () => {
    const miracl = models()
    const args = ['--root', root, '--data', 'miracl/en/dev', ...runs, '--json']
    expect(await miracl.evaluate(...args), miracl.on.stderr.text).toBe(0)
    expect(JSON.parse(miracl.on.stdout.text)).toMatchObject({ queries: 8, data: 'miracl/en/dev' })
    // All candidates are scored, and no order of theirs is measured.
    const cmteb = models()
    expect(
      await cmteb.evaluate(
        '--data',
        join(panda, 'cmteb/reranking.jsonl'),
        '--top',
        '1',
        '--measures',
        'MAP',
      ),
    ).toBe(0)
    expect(cmteb.on.stdout.text).toMatch(/^reranking: 8 judged queries; short on all candidates\n/)
    expect(cmteb.on.stdout.text).not.toContain('first stage')
    expect(cmteb.on.stdout.text).toContain('96 pairs')
    const llama = models()
    const qa = ['--data', join(panda, 'llama_index_qa.json'), '--run', join(panda, 'bm25.trec')]
    expect(await llama.evaluate(...qa, '--measures', 'hit_rate@10', 'mrr@10', '--json')).toBe(0)
    // As llama-index computes them from the first 10 documents.
    expect(JSON.parse(llama.on.stdout.text).firstStage).toEqual({
      'hit@10': 1,
      'MRR@10': expect.closeTo(0.854167, 5),
    })
  })

  it.each<[string, string[], number, RegExp]>([
    [
      'an unknown measure',
      [...two, ...runs, '--measures', 'foo@10'],
      2,
      /measure "foo@10" is unknown; expected one of nDCG, MAP/,
    ],
    ['no run', [...two], 2, /scifact\/test: has no first stage; give its run by --run/],
    [
      'another number of runs than of sets',
      [...two, 'beir/cqadupstack', '--run', 'a', 'b'],
      2,
      /2 runs for 4 data sets; expected one run for all/,
    ],
    [
      'a run that is missing',
      [...two, '--run', 'c.trec'],
      1,
      /scifact\/c\.trec: there is no such file/,
    ],
    [
      'a set that is missing',
      ['--root', root, '--data', 'beir/none', ...runs],
      1,
      /beir\/none: there is no such data set, nor one of that name in/,
    ],
    [
      'a folder without data',
      ['--data', join(folder, 'short'), ...runs],
      1,
      /neither this folder nor those in it are in a known layout: .*BEIR \(queries\.jsonl, corpus\.jsonl, qrels\/test\.tsv\)/,
    ],
    [
      'a report of another kind',
      [...two, ...runs, '--report', 'a.pdf'],
      2,
      /Expected a name that ends in \.json, \.md or \.html/,
    ],
    ['stdin for several sets', [...two, '--run', '-'], 2, /stdin holds one run/],
    [
      'judgements without texts',
      ['--data', join(panda, 'qrels/test.tsv'), ...runs, '--run', join(panda, 'bm25.trec')],
      1,
      /has no texts to rerank; expected a folder of data, or --runs-only/,
    ],
    ['no data', [...runs], 2, /give data sets by --data/],
    [
      'a run of passages to rerank',
      ['--data', join(panda, 'cmteb/reranking.jsonl'), '--run', 'none.trec'],
      2,
      /reranking: says itself which passages are reranked; leave out --run/,
    ],
  ])('refuses %s before a model is loaded', async (_, args, code, message) => {
    // biome-ignore format: rows of a table
    const { on, places, evaluate } = models()
    expect(await evaluate(...args)).toBe(code)
    expect(on.stderr.text).toMatch(message)
    expect(places).toEqual([])
  })
})

describe('shortNames', () => {
  it.each<[(string | { path: string; least: number })[], string[]]>([
    [[], []],
    [
      ['a/b/', 'BAAI/bge-m3'],
      ['b', 'bge-m3'],
    ],
    [
      ['x/one/ar', 'x/two/ar', 'ar'],
      ['one/ar', 'two/ar', 'ar'],
    ],
    [
      [
        { path: '/x/xquad/ar', least: 2 },
        { path: '/x/panda', least: 1 },
      ],
      ['xquad/ar', 'panda'],
    ],
    [
      ['runs/a.trec', 'runs/b.trec.gz', 'set/qrels/test.tsv'],
      ['a', 'b', 'set'],
    ],
    [
      ['a.trec', 'a.run'],
      ['a.trec', 'a.run'],
    ],
  ])('of %j', (paths, names) => expect(shortNames(paths)).toEqual(names))
})

describe('published tables', () => {
  it('puts measured figures into the columns, and names what is missing', async () => {
    const { on, evaluate } = models()
    expect(
      await evaluate('--table', 'beir', '--root', root, ...runs, ...both),
      on.stderr.text,
    ).toBe(0)
    const { text } = on.stdout
    const [head, , ...rows] = text
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').map((cell) => cell.trim()))
    expect(head!.slice(1, 6)).toEqual(['model', 'inference length', 'avg', 'trec-covid', 'quora'])
    expect(rows[4]!.slice(1, 5)).toEqual(['bge-reranker-v2-m3', '1024', '55.36', '83.39'])
    const measured = rows.find((row) => row[1] === 'first stage (measured)')!
    const at = (column: string) => measured[head!.indexOf(column)]
    expect(['scifact', 'nfcorpus', 'cqadupstack', 'quora', 'avg'].map(at)).toEqual([
      '79.11',
      '79.11',
      '79.11',
      '-',
      '-',
    ])
    expect(text).toContain(
      '- quora (--data beir/quora/test): https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets/quora.zip',
    )
    expect(text).not.toContain('- scifact (')
    expect(text).toMatch(
      /The average over the data sets that were measured: scifact, nfcorpus, cqadupstack\n/,
    )
    expect(text).toMatch(/\| first stage \(measured\) +\| +\| +79\.11 \|/)
  })

  it.each([
    [
      'cmteb',
      /\| \*\*bge-reranker-v2-minicpm-28\*\* +\| +1024 \| \*\*73\.51\*\* \|.*\n[\s\S]*- T2Retrieval \(--data C-MTEB\/T2Retrieval\): https:\/\/huggingface\.co\/datasets\/C-MTEB\/T2Retrieval/,
    ],
    ['miracl', /\| \*\*gemma 2B\*\* +\| +1024 \| \*\*73\.39\*\* \| 82\.26 \|/],
    ['llama-index', /\| \*\*reranker\*\* +\| +\*\*mrr\*\* \| +\*\*hit rate\*\* \|/],
  ])('%s: without data, prints what is published and where the data is', async (name, pattern) => {
    const { on, evaluate } = models()
    expect(await evaluate('--table', name, '--root', join(folder, 'short'))).toBe(0)
    expect(on.stdout.text).toMatch(pattern)
  })

  it("has a column of llama-index's for each first stage", async () => {
    cpSync(join(panda, 'bm25.trec'), join(folder, 'bge-m3.trec'))
    const { on, evaluate } = models()
    const args = ['--table', 'llama-index', '--data', join(panda, 'llama_index_qa.json')]
    expect(
      await evaluate(...args, '--run', join(folder, 'bge-m3.trec'), join(panda, 'bm25.trec')),
      on.stderr.text,
    ).toBe(0)
    const rows = on.stdout.text
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').map((cell) => cell.trim()))
    expect(rows[0]!.slice(-3, -1)).toEqual(['bm25', 'bm25'])
    const measured = rows.find((row) => row[1] === 'without reranker (measured)')!
    expect(measured.slice(2, 6)).toEqual(['-', '-', '85.42', '100.00'])
    expect(measured.slice(-3, -1)).toEqual(['85.42', '100.00'])
  })
})
