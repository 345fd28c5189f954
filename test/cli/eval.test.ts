import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RerankerError } from '../../src/rerankers/index.ts'
import { type Session, session, startWhileHeld } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-eval-'))
const data = join(folder, 'panda')
const run = join(data, 'bm25.trec')
const model = join(folder, 'model')
beforeAll(() => {
  cpSync(fileURLToPath(new URL('../fixtures/beir/panda', import.meta.url)), data, {
    recursive: true,
  })
  cpSync(join(data, 'qrels'), model, { recursive: true })
  writeFileSync(join(model, 'config.json'), '{}')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A model that finds the passages that share words with the query. */
function panda(): Session {
  const on = session()
  on.reranker.info = { ...on.reranker.info, model }
  on.reranker.computeScore = async (pairs, options) => {
    options?.signal?.throwIfAborted()
    on.reranker.calls.push(pairs[0]![0]!)
    return pairs.map(([query, passage]) => {
      const words = query!.toLowerCase().match(/\p{L}+/gu)!
      return words.filter((word) => passage!.toLowerCase().includes(word)).length - 0.5
    })
  }
  return on
}
const evaluate = (on: Session, ...more: string[]) =>
  on.run('eval', '--data', data, '--run', run, '--top', '3', ...more)

describe('eval', () => {
  it('prints a table of the first stage and reranked', async () => {
    const on = panda()
    expect(await evaluate(on)).toBe(0)
    const lines = on.stdout.text.split('\n').map((line) => line.split(/\s{2,}/))
    expect(on.stdout.text).toMatch(/^panda: 8 judged queries; model on the first 3 of bm25\.trec\n/)
    expect(lines[2]).toEqual(['', 'nDCG@10', 'MRR@10', 'hit@10', 'recall@10', 'recall@3'])
    // The first stage's figures are those of trec_eval.
    expect(lines[3]!.slice(0, 3)).toEqual(['first stage', '0.7911', '0.8542'])
    expect(lines[4]![0]).toBe('reranked')
    expect(lines[4]!.slice(3, 5)).toEqual(lines[3]!.slice(3, 5))
    expect(on.reranker.disposed).toBe(1)
  })

  it('prints JSON, takes gzip, and other judgements', async () => {
    const other = join(folder, 'gz')
    cpSync(data, other, { recursive: true })
    for (const name of ['corpus.jsonl', 'queries.jsonl', 'bm25.trec', 'qrels/test.tsv']) {
      writeFileSync(join(other, `${name}.gz`), gzipSync(readFileSync(join(other, name))))
      rmSync(join(other, name))
    }
    cpSync(join(other, 'qrels/test.tsv.gz'), join(other, 'qrels/dev.tsv.gz'))
    const on = panda()
    const args = ['--data', other, '--run', join(other, 'bm25.trec'), '--qrels', 'dev', '--json']
    expect(await on.run('eval', ...args)).toBe(0)
    const report = JSON.parse(on.stdout.text)
    expect(report).toMatchObject({ queries: 8, top: 100, resumed: 0, model, dtype: 'f32' })
    expect(report.firstStage['nDCG@10']).toBeCloseTo(0.791115, 5)
    expect(report.reranked['recall@100']).toBeCloseTo(report.firstStage['recall@100'], 12)
  })

  it('writes a run, stops cleanly, goes on, and refuses what does not fit', async () => {
    const whole = join(folder, 'whole', 'a.trec')
    const first = panda()
    expect(await evaluate(first, '--out', whole)).toBe(0)
    const text = readFileSync(whole, 'utf8')
    expect(text.split('\n')[0]).toMatch(/^q1 Q0 p\d+ 1 \d\.5 dawnrank-model$/)
    expect(JSON.parse(readFileSync(`${whole}.settings.json`, 'utf8'))).toMatchObject({
      model: 'model',
      dtype: 'f32',
      activations: 'f32',
      topK: 3,
    })

    const out = join(folder, 'b.trec')
    const stopped = panda()
    const { computeScore } = stopped.reranker
    stopped.reranker.computeScore = async (pairs, options) => {
      if (stopped.reranker.calls.length === 4) stopped.interrupt.abort()
      return computeScore(pairs as string[][], options)
    }
    expect(await evaluate(stopped, '--out', out)).toBe(130)
    expect(stopped.stderr.text).toMatch(
      /[34] of 8 queries are in .*b\.trec; the same command goes on/,
    )
    expect(text.startsWith(readFileSync(out, 'utf8'))).toBe(true)

    const again = panda()
    expect(await evaluate(again, '--out', out, '--json')).toBe(0)
    expect(readFileSync(out, 'utf8')).toBe(text)
    const { resumed } = JSON.parse(again.stdout.text)
    expect(resumed).toBeGreaterThanOrEqual(3)
    expect(again.reranker.calls).toHaveLength(8 - resumed)

    const refusals: [string[], string][] = [
      [['--top', '4'], 'topK was 3, is 4'],
      [['--prompt', 'Why?'], 'prompt was nothing, is "Why?"'],
      [['--inputs', 'plain'], 'inputs was nothing, is "plain"'],
      [['--query-instruction', 'Q: '], 'queryInstruction was nothing, is "Q: "'],
      [['--max-length', '64'], 'maxLength was nothing, is 64'],
    ]
    for (const [args, message] of refusals) {
      const on = panda()
      expect(await evaluate(on, '--out', out, ...args)).toBe(1)
      expect(on.stderr.text).toContain(message)
    }
    writeFileSync(join(model, 'config.json'), '{"trained":"further"}')
    const trained = panda()
    expect(await evaluate(trained, '--out', out)).toBe(1)
    expect(trained.stderr.text).toContain('modelFiles was')
    expect(readFileSync(out, 'utf8')).toBe(text)
  })

  it('waits for another that writes the same run, and scores nothing twice', async () => {
    const out = join(folder, 'shared.trec')
    const both = [panda(), panda()]
    const codes = await startWhileHeld(out, both, (on) => evaluate(on, '--out', out))
    expect(codes).toEqual([0, 0])
    const calls = both.map(({ reranker }) => reranker.calls.length).sort()
    expect(calls).toEqual([0, 8])
    expect(readdirSync(folder).filter((file) => file.startsWith('shared'))).toEqual([
      'shared.trec',
      'shared.trec.settings.json',
    ])
  })

  it('tells what is wrong with the data, before a model is loaded', async () => {
    const bad = join(folder, 'bad.trec')
    writeFileSync(bad, 'q1 Q0 nowhere 1 2 t\n')
    const cases: [string[], string][] = [
      [['--data', data, '--run', join(folder, 'none')], 'none: there is no such file, nor'],
      [['--data', join(folder, 'none'), '--run', run], 'none: does not exist'],
      [
        ['--data', data, '--run', run, '--qrels', 'train'],
        'has neither qrels/train.tsv nor qrels/train.tsv.gz; there are qrels/test.tsv',
      ],
    ]
    for (const [args, message] of cases) {
      const on = panda()
      expect(await on.run('eval', ...args)).toBe(1)
      expect(on.stderr.text).toContain(message)
      expect(on.loads).toEqual([])
    }
    const on = panda()
    expect(await on.run('eval', '--data', data, '--run', bad)).toBe(1)
    expect(on.stderr.text).toContain('document "nowhere" for query "q1"')
  })

  describe('data that BEIR reads', () => {
    // Figures of trec_eval's definitions, worked out by hand: q1 finds d1 and q2 finds d2 at rank 2.
    const want = { 'nDCG@10': 0.63093, 'MRR@10': 0.5, 'recall@10': 1 }
    const base = {
      'corpus.jsonl':
        '{"_id":"d1","title":"","text":"panda bear"}\n{"_id":"d2","title":"T","text":"Paris is in France"}\n{"_id":"d3","text":"hi"}\n',
      'queries.jsonl': '{"_id":"q1","text":"panda?"}\n{"_id":"q2","text":"Paris?"}\n',
      'qrels/test.tsv': 'query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\n',
      'run.trec':
        'q1 Q0 d3 1 3.0 bm\nq1 Q0 d1 2 2.0 bm\nq1 Q0 d2 3 1.0 bm\nq2 Q0 d1 1 2.5 bm\nq2 Q0 d2 2 1e-05 bm\n',
    }
    let count = 0
    function write(changes: Partial<typeof base>): string {
      const place = join(folder, `set${count++}`)
      mkdirSync(join(place, 'qrels'), { recursive: true })
      for (const [name, text] of Object.entries({ ...base, ...changes })) {
        writeFileSync(join(place, name), text)
      }
      return place
    }
    async function report(place: string, ...more: string[]) {
      const on = panda()
      const args = ['--data', place, '--run', join(place, 'run.trec'), '--json', ...more]
      expect(await on.run('eval', ...args), on.stderr.text).toBe(0)
      return JSON.parse(on.stdout.text)
    }
    const nbsp = (text: string) => text.replaceAll('q1', 'q\u00a01').replaceAll('d1', 'd\u30001')
    const ownDocument = {
      'corpus.jsonl': `${base['corpus.jsonl']}{"_id":"q1","text":"panda?"}\n`,
      'run.trec': `q1 Q0 q1 1 9.0 bm\n${base['run.trec']}`,
    }

    it.each<[string, Partial<typeof base>]>([
      ['as it should be', {}],
      [
        'judgements without a header, a grade as a float',
        { 'qrels/test.tsv': 'q1\td1\t1.0\nq2\td2\t2\n' },
      ],
      ["TREC's four columns", { 'qrels/test.tsv': 'q1 0 d1 1\nq2 0 d2 2\n' }],
      ['a judgement twice', { 'qrels/test.tsv': `${base['qrels/test.tsv']}q1\td1\t1\n` }],
      ['a document twice', { 'corpus.jsonl': base['corpus.jsonl'].repeat(2) }],
      ['a query twice', { 'queries.jsonl': base['queries.jsonl'].repeat(2) }],
      ["a document that is the query's own", ownDocument],
      [
        'spaces of other alphabets in ids',
        Object.fromEntries(Object.entries(base).map(([name, text]) => [name, nbsp(text)])),
      ],
    ])('%s', async (_, changes) => {
      const { queries, firstStage } = await report(write(changes))
      expect(queries).toBe(2)
      for (const [name, value] of Object.entries(want))
        expect(firstStage[name]).toBeCloseTo(value, 5)
    })

    it("keeps a query's own document where asked, and never goes on with a run made otherwise", async () => {
      const place = write(ownDocument)
      const kept = await report(place, '--keep-identical-ids')
      expect(kept.firstStage['nDCG@10']).toBeCloseTo(0.5655, 4)
      expect(kept.firstStage['MRR@10']).toBeCloseTo(0.4167, 4)
      expect(kept.identicalIdsLeftOut).toBe(0)
      const out = ['--out', join(place, 'out.trec')]
      expect((await report(place, ...out)).identicalIdsLeftOut).toBe(1)
      expect((await report(place, ...out)).resumed).toBe(2)
      const other = panda()
      const args = ['--data', place, '--run', join(place, 'run.trec'), ...out]
      expect(await other.run('eval', ...args, '--keep-identical-ids')).toBe(1)
      expect(other.stderr.text).toContain('keepIdenticalIds was nothing, is true')
    })

    it('is also written to a device or a pipe, with no settings beside it', async () => {
      const place = write({})
      await report(place, '--out', '/dev/null')
      expect(existsSync('/dev/null.settings.json')).toBe(false)
      const pipe = join(place, 'pipe')
      execFileSync('mkfifo', [pipe])
      const read = readFile(pipe, 'utf8')
      await report(place, '--out', pipe)
      await report(place, '--out', join(place, 'out.trec'))
      expect(await read).toBe(readFileSync(join(place, 'out.trec'), 'utf8'))
      expect(readdirSync(place).filter((file) => file.startsWith('pipe'))).toEqual(['pipe'])
    })

    it.each([
      ['a report that is read', ['--report', 'qa.json'], 'qa.json: is read too;'],
      [
        'the run as a report',
        ['--out', 'o.json', '--report', './o.json'],
        'o.json: is written too;',
      ],
      ['two reports of one name', ['--report', 'r.md', 'r.md'], 'r.md: is written too;'],
    ])('refuses %s', async (_, args, message) => {
      const place = write({})
      cpSync(join(data, 'llama_index_qa.json'), join(place, 'qa.json'))
      const on = panda()
      const paths = args.map((arg) => (arg.startsWith('--') ? arg : join(place, arg)))
      const given = ['--data', join(place, 'qa.json'), '--first-stage', 'bm25', ...paths]
      expect(await on.run('eval', ...given)).toBe(2)
      expect(on.stderr.text).toContain(message)
      expect(on.loads).toEqual([])
    })

    it('names query and document of a text that the model refuses', async () => {
      const place = write({})
      for (const [code, message] of [
        ['input-invalid', 'pair 1: 900 tokens'],
        ['score-not-finite', 'pair 1 ("a", "b"): the logit is NaN'],
      ] as const) {
        const on = panda()
        on.reranker.computeScore = () => Promise.reject(new RerankerError(code, message))
        const args = ['--data', place, '--run', join(place, 'run.trec')]
        expect(await on.run('eval', ...args)).toBe(1)
        expect(on.stderr.text).toMatch(/^dawnrank: query "q1", document "d1": (900 tokens|\("a")/)
      }
    })
  })
})
