import { PassThrough, Writable } from 'node:stream'
import { runCli } from '../../src/cli/program.ts'
import type { Reranker } from '../../src/cli/reranker.ts'
import type { LoadOptions, Surroundings } from '../../src/cli/surroundings.ts'

/** A stream that keeps its text. */
export class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _: string, done: () => void) {
    this.text += chunk
    done()
  }
}

/** An reranker whose score is the first number in the passage, and that writes down what it was asked. */
export class FakeReranker implements Reranker {
  info = { model: 'fakes/numbers', dtype: 'f32' }
  readonly calls: string[] = []
  disposed = 0
  readonly tokenizer = { pieces: (ids: Iterable<number>) => Array.from(ids, (id) => `p${id}`) }
  score = (passage: string) => Number(/-?\d+(\.\d+)?/.exec(passage)?.[0] ?? 0)

  rank: Reranker['rank'] = async (query, passages, options = {}) => {
    options.signal?.throwIfAborted()
    this.calls.push(`rank ${query} ${passages.length} ${JSON.stringify(options)}`)
    const scores = await this.computeScore(
      passages.map((passage) => [query, passage]),
      options,
    )
    options.onProgress?.({ done: passages.length, total: passages.length })
    return passages
      .map((passage, index) => ({
        index,
        score: scores[index]!,
        passage,
        tokens: passage.length,
        truncated: passage.length > 500,
      }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, options.topN)
  }

  computeScore: Reranker['computeScore'] = async (pairs, options = {}) => {
    options.signal?.throwIfAborted()
    this.calls.push(`score ${pairs.length}`)
    // Later calls are quicker than earlier ones, so that only care keeps them in order.
    await new Promise((done) => setTimeout(done, 5 / this.calls.length))
    return pairs.map(([, passage]) => {
      const score = this.score(passage!)
      return options.normalize ? 1 / (1 + Math.exp(-score)) : score
    })
  }

  tokenizePair: Reranker['tokenizePair'] = (query, passage) => [
    0,
    query.length,
    2,
    2,
    passage.length,
  ]

  selfTest: Reranker['selfTest'] = async () => ({ score: 4.6411, expected: 4.641109 })

  dispose() {
    this.disposed++
  }
}

export interface Session {
  readonly stdin: PassThrough & { isTTY?: boolean }
  readonly stdout: Sink & { isTTY?: boolean; columns?: number }
  readonly stderr: Sink & { isTTY?: boolean; columns?: number }
  readonly reranker: FakeReranker
  readonly loads: { place: string | undefined; options: LoadOptions }[]
  readonly interrupt: AbortController
  run(...args: string[]): Promise<number>
}

/** A command line on streams in memory, with the fake reranker. */
export function session(changes: Partial<Surroundings> = {}): Session {
  const interrupt = new AbortController()
  const reranker = new FakeReranker()
  const loads: Session['loads'] = []
  const streams = { stdin: new PassThrough(), stdout: new Sink(), stderr: new Sink() }
  const on: Surroundings = {
    ...streams,
    signal: interrupt.signal,
    load: async (place, options) => {
      loads.push({ place, options })
      return reranker
    },
    webgpu: async () => ({ requestAdapter: async () => null }) as unknown as GPU,
    debug: false,
    ...changes,
  }
  return {
    ...streams,
    reranker,
    loads,
    interrupt,
    run: (...args) => runCli(args, on),
  }
}
