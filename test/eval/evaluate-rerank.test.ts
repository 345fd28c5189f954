import { describe, expect, it } from 'vitest'
import {
  evaluateRerank,
  type Measure,
  type RerankEvaluationOptions,
  type RerankProgress,
  type Run,
  type RunFile,
  readRun,
} from '../../src/eval/index.ts'
import { blobSource } from '../../src/platform/files.ts'

const measures: Measure[] = ['nDCG@10', 'MRR@10']

/** A run file in memory. */
class MemoryFile implements RunFile {
  readonly name = 'out.trec'
  text: string | undefined
  settings: string | undefined
  open = async () =>
    this.text === undefined ? undefined : blobSource(this.name, new Blob([this.text]))
  truncate = async (size: number) => {
    this.text = Buffer.from(this.text ?? '')
      .subarray(0, size)
      .toString()
  }
  append = async (text: string) => {
    this.text += text
  }
  readSettings = async () => this.settings
  writeSettings = async (text: string) => {
    this.settings = text
  }
}

const scored = (list: [string, number][]) => list.map(([id, score]) => ({ id, score }))
const run: Run = new Map([
  ['q1', scored([['a', 9], ['b', 8], ['c', 7], ['d', 7], ['e', 6]])], // biome-ignore format: one line
  ['é2', scored([['b', 3], ['e', 2], ['a', 1]])], // biome-ignore format: one line
  ['q3', scored([['c', 1]])],
])
/** Ranks by the number in the passage, and counts its calls. */
function setup(options: Partial<RerankEvaluationOptions> = {}) {
  const calls: string[] = []
  const all: RerankEvaluationOptions = {
    queries: new Map([['q1', 'one'], ['é2', 'two'], ['q3', 'three'], ['q4', 'four']]), // biome-ignore format: one line
    passages: new Map([['a', '1'], ['b', '5'], ['c', '3.25'], ['d', '4'], ['e', '2']]), // biome-ignore format: one line
    qrels: new Map([['q1', new Map([['c', 1]])], ['q4', new Map([['a', 1]])]]), // biome-ignore format: one line
    run,
    topK: 3,
    measures,
    settings: { model: 'm' },
    score: async (query, passages) => {
      calls.push(query)
      return passages.map(Number)
    },
    ...options,
  }
  return { all, calls }
}
const order = (list: readonly { id: string }[]) => list.map(({ id }) => id).join('')

describe('evaluateRerank', () => {
  it('reranks the first K and keeps the others beneath, in their order', async () => {
    const { all } = setup()
    const { run: after, before, after: measured, pairs, resumed } = await evaluateRerank(all)
    expect([...after.keys()]).toEqual(['q1', 'é2', 'q3'])
    expect(order(after.get('q1')!)).toBe('bcade')
    expect(after.get('q1')!.map(({ score }) => score)).toEqual([5, 3.25, 1, 0, -1])
    expect(order(after.get('é2')!)).toBe('bea')
    expect({ pairs, resumed }).toEqual({ pairs: 7, resumed: 0 })
    // q1's relevant document goes from rank 4 in trec_eval's order (c and d are tied) to 2; q4 is not in the run.
    expect(before.mean['MRR@10']).toBeCloseTo(1 / 4 / 2, 12)
    expect(measured.mean['MRR@10']).toBeCloseTo(1 / 2 / 2, 12)
  })

  it('takes ties of the first stage in the order of the run, other documents by score', async () => {
    const tied: Run = new Map([['q1', scored([['e', 1], ['d', 2], ['a', 2], ['c', 2]])]]) // biome-ignore format: one line
    const { all } = setup({ run: tied, topK: 2 })
    expect(order((await evaluateRerank(all)).run.get('q1')!)).toBe('dace')
  })

  it.each([1e8, -1e8, 3e30, 1e-30])(
    'keeps scores beneath %f apart as 32-bit floats',
    async (least) => {
      const { all } = setup({ topK: 1, score: async () => [least] })
      const scores = (await evaluateRerank(all)).run.get('q1')!.map(({ score }) => score)
      for (let i = 1; i < scores.length; i++) {
        expect(Math.fround(scores[i]!)).toBeLessThan(Math.fround(scores[i - 1]!))
      }
    },
  )

  it('reports progress with the means so far', async () => {
    const seen: RerankProgress[] = []
    await evaluateRerank(setup({ onProgress: (progress) => seen.push(progress) }).all)
    expect(seen.map(({ done, total }) => [done, total])).toEqual([[1, 3], [2, 3], [3, 3]]) // biome-ignore format: one line
    expect(seen[2]!.before['MRR@10']).toBeCloseTo(1 / 4, 12)
    expect(seen[2]!.after['MRR@10']).toBeCloseTo(1 / 2, 12)
  })

  it.each<[string, Partial<RerankEvaluationOptions>, string, string]>([
    ['an unknown query', { queries: new Map([['q1', '']]) }, 'id-unknown', 'query "é2"'],
    ['an unknown document', { passages: new Map() }, 'id-unknown', 'document "a" for query "q1"'],
    [
      'a judged query that is no query',
      { qrels: new Map([['zz', new Map([['a', 1]])]]) },
      'id-unknown',
      '"zz" is judged',
    ],
    [
      'judgements of other queries only',
      { qrels: new Map([['q4', new Map([['a', 1]])]]) },
      'id-unknown',
      'none of the 1 judged queries',
    ],
    ['K = 0', { topK: 0 }, 'option-invalid', 'topK is 0'],
    ['NaN', { score: async () => [1, Number.NaN, 2] }, 'score-invalid', 'document "b"'],
    ['an overflow', { score: async () => [1, 2, 1e39] }, 'score-invalid', 'document "c"'],
    ['too few scores', { score: async () => [1] }, 'score-invalid', '1 scores for 3 passages'],
  ])('refuses %s', async (_, options, code, message) => {
    await expect(evaluateRerank(setup(options).all)).rejects.toMatchObject({
      name: 'EvaluationError',
      code,
      message: expect.stringContaining(message),
    })
  })

  it("leaves a query's own document out before anything is cut or measured, unless told to keep it", async () => {
    const own: Run = new Map([['a', scored([['a', 9], ['b', 8], ['c', 7], ['d', 6]])]]) // biome-ignore format: one line
    const { all } = setup({
      run: own,
      topK: 2,
      queries: new Map([['a', 'one']]),
      qrels: new Map([['a', new Map([['b', 1]])]]),
    })
    const { run: after, before, leftOut } = await evaluateRerank(all)
    expect(order(after.get('a')!)).toBe('bcd')
    expect({ mean: before.mean['MRR@10'], leftOut }).toEqual({ mean: 1, leftOut: 1 })
    const kept = await evaluateRerank({ ...all, keepIdenticalIds: true })
    expect(order(kept.run.get('a')!)).toBe('bacd')
    expect({ mean: kept.before.mean['MRR@10'], leftOut: kept.leftOut }).toEqual({
      mean: 0.5,
      leftOut: 0,
    })
  })

  it('ranks nothing where a query has no other document than its own', async () => {
    const own: Run = new Map([...run, ['a', scored([['a', 9]])]])
    const { all } = setup({ run: own, queries: new Map([...setup().all.queries, ['a', 'own']]) })
    const output = new MemoryFile()
    const { run: after, pairs } = await evaluateRerank({ ...all, output })
    expect({ own: after.get('a'), pairs }).toEqual({ own: [], pairs: 7 })
    const again = await evaluateRerank({ ...all, output })
    expect({ resumed: again.resumed, pairs: again.pairs }).toEqual({ resumed: 3, pairs: 0 })
  })

  it.each(['a b', '', 'a\tb', 'a\n'])('refuses to write the id %j', async (id) => {
    const own: Run = new Map([['q1', scored([[id, 1]])]])
    const { all, calls } = setup({ run: own, passages: new Map([[id, '1']]) })
    const writing = evaluateRerank({ ...all, output: new MemoryFile() })
    await expect(writing).rejects.toMatchObject({
      code: 'id-invalid',
      message: expect.stringContaining(`the document id ${JSON.stringify(id)} cannot be written`),
    })
    expect(calls).toEqual([])
  })

  it('stops at the signal', async () => {
    const stop = new AbortController()
    const { all, calls } = setup({ signal: stop.signal, onProgress: () => stop.abort() })
    await expect(evaluateRerank(all)).rejects.toMatchObject({ name: 'AbortError' })
    expect(calls.length).toBeLessThan(3)
  })
})

describe('the output run', () => {
  const written = async (file: MemoryFile) => readRun(blobSource(file.name, new Blob([file.text!])))

  it('is a TREC run with the same scores as 32-bit floats', async () => {
    const output = new MemoryFile()
    const score = async (_: string, passages: readonly string[]) =>
      passages.map((_, i) => 0.1 * Math.PI ** (i + 1))
    const { run: after } = await evaluateRerank(setup({ output, score, tag: 'mine' }).all)
    const read = [...(await written(output))].map(([query, list]) => [
      query,
      list.map(({ id, score }) => ({ id, score: Math.fround(score) })),
    ])
    expect(read).toEqual([...after])
    expect(output.text!.split('\n')[0]).toMatch(/^q1 Q0 c 1 3\.1006\d+ mine$/)
  })

  it('is the same wherever the first attempt was cut off', async () => {
    const whole = new MemoryFile()
    const result = await evaluateRerank(setup({ output: whole }).all)
    const bytes = Buffer.from(whole.text!)
    let resumes = 0
    for (let size = 0; size <= bytes.length; size++) {
      const output = new MemoryFile()
      output.settings = whole.settings
      output.open = async () =>
        blobSource('out.trec', new Blob([new Uint8Array(bytes.subarray(0, size))]))
      let kept = size
      output.truncate = async (to) => {
        kept = to
      }
      let added = ''
      output.append = async (text) => {
        added += text
      }
      const { all, calls } = setup({ output })
      const again = await evaluateRerank(all)
      expect(Buffer.concat([bytes.subarray(0, kept), Buffer.from(added)])).toEqual(bytes)
      expect(again.resumed + calls.length).toBe(3)
      expect(again.after.mean).toEqual(result.after.mean)
      expect(new Map(again.run)).toEqual(new Map(result.run))
      resumes += again.resumed
    }
    expect(resumes).toBeGreaterThan(100)
  })

  it('goes on after a failure', async () => {
    const output = new MemoryFile()
    const failing = setup({
      output,
      score: async (query, passages) => {
        if (query === 'three') throw new Error('device lost')
        return passages.map(Number)
      },
    })
    await expect(evaluateRerank(failing.all)).rejects.toThrow('device lost')
    const { all, calls } = setup({ output })
    const { resumed, pairs } = await evaluateRerank(all)
    expect({ resumed, pairs, calls }).toEqual({ resumed: 2, pairs: 1, calls: ['three'] })
  })

  it.each<[string, Partial<RerankEvaluationOptions>, string]>([
    ['another model', { settings: { model: 'n' } }, 'model was "m", is "n"'],
    ['another setting', { settings: { model: 'm', maxLength: 256 } }, 'maxLength was nothing'],
    ['another K', { topK: 2 }, 'topK was 3, is 2'],
    [
      'another query text',
      { queries: new Map([...run.keys()].map((id) => [id, 'x'])) },
      'data was',
    ],
  ])('of %s is refused and left as it is', async (_, options, message) => {
    const output = new MemoryFile()
    await evaluateRerank(setup({ output }).all)
    const { text, settings } = output
    const qrels = new Map([['q1', new Map([['c', 1]])]])
    await expect(evaluateRerank(setup({ output, qrels, ...options }).all)).rejects.toMatchObject({
      code: 'output-mismatch',
      message: expect.stringContaining(message),
    })
    expect({ text: output.text, settings: output.settings }).toEqual({ text, settings })
  })

  it.each([
    [
      'no file beside it',
      (file: MemoryFile) => {
        file.settings = undefined
      },
      'no file beside it',
    ],
    [
      'settings that are no JSON',
      (file: MemoryFile) => {
        file.settings = '{'
      },
      'no file beside it',
    ],
    [
      'a strange query',
      (file: MemoryFile) => {
        file.text = `x Q0 a 1 1 t\n${file.text}`
      },
      'out.trec:1: query "x"',
    ],
    [
      'a query twice',
      (file: MemoryFile) => {
        file.text += 'q3 Q0 c 1 1 t\n'
      },
      'query "q3" is there twice',
    ],
    [
      'a document twice',
      (file: MemoryFile) => {
        file.text = 'q1 Q0 a 1 1 t\nq1 Q0 a 1 1 t\n'
      },
      'document "a" is twice',
    ],
    [
      'a query cut in the middle',
      (file: MemoryFile) => {
        file.text = 'q1 Q0 a 1 1 t\nq3 Q0 c 1 1 t\n'
      },
      'query "q1" is not complete',
    ],
    [
      'a broken line',
      (file: MemoryFile) => {
        file.text = 'q1 Q0 a 1\n'
      },
      'out.trec:1: expected',
    ],
  ])('with %s is refused', async (_, spoil, message) => {
    // biome-ignore format: table above
    const output = new MemoryFile()
    await evaluateRerank(setup({ output }).all)
    spoil(output)
    await expect(evaluateRerank(setup({ output }).all)).rejects.toThrow(message)
  })
})
