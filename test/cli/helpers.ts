import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { withLock } from '#hub'
import type { CliReranker, Io, RankedPassage } from '../../src/cli/io.ts'
import { layerwiseLoader } from '../../src/cli/layerwise.ts'
import { runCli } from '../../src/cli/program.ts'
import {
  LayerWiseFlagLLMReranker,
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type LayerwiseScoreOptions,
  LightWeightFlagLLMReranker,
  type LoadOptions,
  Reranker,
  RerankerError,
  type ScoreOptions,
} from '../../src/rerankers/index.ts'

/** A stream that keeps its text. */
export class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _: string, done: () => void) {
    this.text += chunk
    done()
  }
}

/** The commands never ask for one layer by its number alone. */
type SeveralLayers = readonly number[] | 'all' | undefined

type Fake = Pick<
  CliReranker,
  'layers' | 'tokenizer' | 'info' | 'tokenizeWindows' | 'selfTest' | 'dispose'
>

/** A reranker whose score is the first number in the passage, and that records its calls. */
export class FakeReranker implements Fake {
  info = {
    model: 'fakes/numbers',
    dtype: 'f32',
    activations: 'f32' as const,
    warnings: [] as string[],
    adapter: { description: 'Fake GPU' },
  }
  readonly layers: readonly number[] = [6]
  readonly calls: string[] = []
  disposed = 0
  readonly tokenizer = { pieces: (ids: Iterable<number>) => Array.from(ids, (id) => `p${id}`) }
  score = (passage: string) => Number(/-?\d+(\.\d+)?/.exec(passage)?.[0] ?? 0)

  /** The fake as the commands see it: `rank` and `computeScore` have overloads that it does not spell out. */
  get forCli(): CliReranker {
    return this as unknown as CliReranker
  }

  rank = async (
    query: string,
    passages: readonly string[],
    options: LayerwiseRankOptions<string> = {},
  ): Promise<RankedPassage[]> => {
    options.signal?.throwIfAborted()
    this.calls.push(`rank ${query} ${passages.length} ${JSON.stringify(options)}`)
    const scores = await this.scorePairs(
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

  computeScore = async (
    pairs: readonly (readonly string[])[],
    options?: LayerwiseScoreOptions<SeveralLayers>,
  ): Promise<number[] | number[][]> => this.scorePairs(pairs, options)

  protected async scorePairs(
    pairs: readonly (readonly string[])[],
    options: ScoreOptions = {},
  ): Promise<number[]> {
    options.signal?.throwIfAborted()
    this.calls.push(`score ${pairs.length}`)
    // Later calls are quicker than earlier ones, so that only care keeps them in order.
    await new Promise((done) => setTimeout(done, 5 / this.calls.length))
    return pairs.map(([, passage]) => {
      const score = this.score(passage!)
      return options.normalize ? 1 / (1 + Math.exp(-score)) : score
    })
  }

  tokenizeWindows: CliReranker['tokenizeWindows'] = (query, passage) => [
    [0, query.length, 2, 2, passage.length],
  ]

  selfTest: CliReranker['selfTest'] = async () => ({ score: 4.6411, expected: 4.641109 })

  dispose() {
    this.disposed++
  }
}

/** Its score at layer n of 4 to 6 is the number of the passage plus n; its states are the score and the layer. */
export class FakeLayerwise extends FakeReranker {
  override readonly layers = [4, 5, 6]
  readonly #layer: number

  constructor(cutoff = 6) {
    super()
    this.#layer = cutoff
  }

  override rank = async (
    query: string,
    passages: readonly string[],
    options: LayerwiseRankOptions<string> = {},
  ): Promise<RankedPassage[]> => {
    this.calls.push(`rank ${query} ${passages.length} ${JSON.stringify(options)}`)
    const cascade = options.cascade ?? [{ layer: this.#layer }]
    const found: { index: number; layer: number }[] = []
    let staying = passages
      .map((_, index) => index)
      .sort((a, b) => this.score(passages[b]!) - this.score(passages[a]!) || a - b)
    cascade.forEach(({ layer, keep = 0 }, i) => {
      const last = i === cascade.length - 1
      const leaving = last ? staying : staying.slice(keep)
      staying = last ? [] : staying.slice(0, keep)
      found.unshift(...leaving.map((index) => ({ index, layer })))
    })
    return found.slice(0, options.topN).map(({ index, layer }) => ({
      index,
      layer,
      score: this.score(passages[index]!) + layer,
      passage: passages[index]!,
      tokens: 3,
      truncated: false,
    }))
  }

  override computeScore = async (
    pairs: readonly (readonly string[])[],
    { cutoffLayers }: LayerwiseScoreOptions<SeveralLayers> = {},
  ): Promise<number[] | number[][]> => {
    this.calls.push(`score ${pairs.length} ${JSON.stringify(cutoffLayers)}`)
    const at = (layer: number) => pairs.map(([, passage]) => this.score(passage!) + layer)
    if (cutoffLayers === undefined) return at(this.#layer)
    return (cutoffLayers === 'all' ? this.layers : cutoffLayers).map(at)
  }

  hiddenStates: CliReranker['hiddenStates'] = async (pairs, layers) => {
    if (layers.some((layer) => layer > 6)) throw new RerankerError('option-invalid', 'layers: …')
    this.calls.push(`states ${pairs.length}`)
    return pairs.map(([, passage]) =>
      Object.fromEntries(
        layers.map((layer) => [layer, new Float32Array([this.score(passage!), layer])]),
      ),
    )
  }
}

export interface Session {
  readonly stdin: PassThrough & { isTTY?: boolean }
  readonly stdout: Sink & { isTTY?: boolean; columns?: number }
  readonly stderr: Sink & { isTTY?: boolean; columns?: number }
  readonly reranker: FakeReranker
  /** The layerwise model, once it is loaded. */
  readonly layerwise: FakeLayerwise | undefined
  readonly loads: { place: string | undefined; options: LoadOptions | LayerwiseLoadOptions }[]
  readonly interrupt: AbortController
  readonly io: Io
  run(...args: string[]): Promise<number>
}

/** A command line on streams in memory, with the fake reranker. */
export function session(changes: Partial<Io> = {}): Session {
  const interrupt = new AbortController()
  const reranker = new FakeReranker()
  const loads: Session['loads'] = []
  let layerwise: FakeLayerwise | undefined
  const streams = { stdin: new PassThrough(), stdout: new Sink(), stderr: new Sink() }
  const io: Io = {
    ...streams,
    signal: interrupt.signal,
    load: async (place, options) => {
      loads.push({ place, options })
      return reranker.forCli
    },
    loadLayerwise: async (place, options) => {
      loads.push({ place, options })
      layerwise = new FakeLayerwise(options.cutoffLayers)
      return layerwise.forCli
    },
    embedded: [{ name: 'FlagReranker', load: async () => reranker.forCli }],
    webgpu: async () => ({ requestAdapter: async () => null }) as unknown as GPU,
    debug: false,
    ...changes,
  }
  return {
    ...streams,
    reranker,
    get layerwise() {
      return layerwise
    },
    loads,
    interrupt,
    io,
    run: (...args) => runCli(args, io),
  }
}

/** A command line on streams in memory that loads real models. */
export const realSession = (): Session =>
  session({
    load: (place, options) => Reranker.load(place, options),
    loadLayerwise: layerwiseLoader({ LayerWiseFlagLLMReranker, LightWeightFlagLLMReranker }),
  })

/** Starts commands that write one path while another holds it; lets it go once all of them have said that they wait. */
export async function startWhileHeld<T>(
  path: string,
  sessions: readonly Session[],
  start: (on: Session) => Promise<T>,
): Promise<T[]> {
  let started: Promise<T>[] = []
  await withLock(
    `${path}.lock`,
    undefined,
    async () => {},
    async () => {
      started = sessions.map(start)
      const said = () => sessions.map(({ stderr }) => stderr.text)
      const wait = `${path}: another process writes it; waiting until it is done\n`
      await expect.poll(said, { timeout: 30_000 }).toEqual(sessions.map(() => wait))
    },
  )
  return Promise.all(started)
}

const panda = fileURLToPath(new URL('../fixtures/beir/panda', import.meta.url))

/** Options for small data with judgements and a first stage. */
export const firstStage = ['--data', panda, '--run', join(panda, 'bm25.trec')]

/** The texts of its queries.jsonl or corpus.jsonl by id. */
export function pandaTexts(file: string): Map<string, string> {
  const lines = readFileSync(join(panda, file), 'utf8').trim().split('\n')
  const records = lines.map((line): Record<string, string> => JSON.parse(line))
  return new Map(records.map(({ _id, title = '', text }) => [_id!, `${title} ${text}`.trim()]))
}
