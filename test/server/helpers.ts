import { Validator } from '@cfworker/json-schema'
import { expect } from 'vitest'
import type { LayerwiseRankOptions, ScoreOptions } from '../../src/rerankers/index.ts'
import { type ServedModel, type ServerOptions, startServer } from '../../src/server/index.ts'
import { makeLog } from '../../src/server/log.ts'

type RankCall = LayerwiseRankOptions<string>
type ScoreCall = ScoreOptions & { readonly cutoffLayers?: RankCall['cutoffLayers'] }

/** A reranker whose logit is the first number in the document, and that records its calls. */
export class StubModel implements ServedModel {
  info: ServedModel['info'] = {
    recipe: 'FlagReranker',
    dtype: 'f16',
    activations: 'f32',
    warnings: [],
    limits: { maxTokens: 100, maxBatchTokens: 64, maxLength: 50 },
    memory: { weights: 60, hostTables: 30, activations: 10, buffers: 1, bytes: 1 },
    adapter: { software: true, description: 'Stub' } as ServedModel['info']['adapter'],
  }
  layers: readonly number[] = [6]
  readonly calls: { query?: string; texts: readonly string[]; options: RankCall }[] = []
  disposed = 0
  /** What happens before scores are given. */
  work: (signal: AbortSignal | undefined) => Promise<void> = async () => {}
  logit = (text: string) => Number(/-?\d+(\.\d+)?/.exec(text)?.[0] ?? 0)

  async rank(query: string, texts: readonly string[], options: RankCall) {
    this.calls.push({ query, texts, options })
    await this.#run(texts.length, options)
    const layers = this.#layersOf(options.cutoffLayers ?? this.layers.at(-1))
    const layer = Math.max(...layers)
    return texts
      .map((passage, index) => ({
        index,
        passage,
        tokens: 10,
        truncated: false,
        logit: this.logit(passage),
      }))
      .sort((a, b) => b.logit - a.logit || a.index - b.index)
      .slice(0, options.topN)
      .map(({ logit, ...row }) => ({
        ...row,
        score: this.#scoreOf(logit, options),
        ...(this.layers.length > 1 && { layer }),
        ...(Array.isArray(options.cutoffLayers) && {
          layerScores: Object.fromEntries(
            layers.map((one) => [one, this.#scoreOf(logit - layer + one, options)]),
          ),
        }),
      }))
  }

  async computeScore(pairs: readonly (readonly [string, string])[], options: ScoreCall) {
    this.calls.push({ texts: pairs.map((pair) => pair.join('|')), options })
    await this.#run(pairs.length, options)
    const layers = this.#layersOf(options.cutoffLayers ?? this.layers.at(-1))
    const highest = Math.max(...layers)
    const rows = layers.map((layer) =>
      pairs.map(([, text]) => this.#scoreOf(this.logit(text) - highest + layer, options)),
    )
    return Array.isArray(options.cutoffLayers) ? rows : (rows[0] as number[])
  }

  async #run(count: number, { signal, onProgress, onStats }: ScoreCall) {
    signal?.throwIfAborted()
    await this.work(signal)
    onProgress?.({ done: count, total: count })
    onStats?.({ tokens: 10 * count, tokenization: 1.4, queue: 2.4, inference: 3.4 })
  }

  #layersOf(cutoff: RankCall['cutoffLayers']): number[] {
    return typeof cutoff === 'number' ? [cutoff] : [...(cutoff as readonly number[])]
  }

  #scoreOf = (logit: number, { normalize }: ScoreCall) =>
    normalize ? 1 / (1 + Math.exp(-logit)) : logit

  dispose() {
    this.disposed++
  }
}

/** A layerwise stub: its logit at a layer is so much lower as the layer is. */
export function layerwiseStub(): StubModel {
  const stub = new StubModel()
  stub.layers = [4, 5, 6]
  stub.info = { ...stub.info, recipe: 'LayerWiseFlagLLMReranker' }
  return stub
}

/** An answer, its JSON read. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect
  readonly json: any
}

/** What tests read of one result. */
export interface Row {
  readonly index: number
  readonly relevance_score: number
  readonly score: number
  readonly document: { readonly text: string }
  readonly layer: number
  readonly layer_scores: Readonly<Record<string, number>>
}

/** Asks a server; every answer is checked against its OpenAPI document. */
export type Ask = (path: string, body?: unknown, init?: RequestInit) => Promise<Answer>

export interface TestServer {
  readonly url: string
  readonly log: string[]
  readonly ask: Ask
  close(): Promise<void>
}

/** Starts a server of stubs, or of what `load` loads. */
export async function startStub(
  model: ServedModel | undefined = new StubModel(),
  options: ServerOptions = {},
): Promise<TestServer> {
  const log: string[] = []
  const { apiKeys: [key] = [] } = options
  const server = await startServer({
    port: 0,
    models: ['stub'],
    load: async () => model as ServedModel,
    log: makeLog('debug', { write: (line) => log.push(line) }),
    ...options,
  })
  await server.ready
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const found = await fetch(`${server.url}/openapi.json`, { headers: authorization })
  const document = (await found.json()) as Document
  const ask: Ask = async (path, body, init = {}) => {
    const response = await fetch(server.url + path, {
      ...(body !== undefined && {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
      ...init,
      headers: { 'content-type': 'application/json', ...authorization, ...init.headers },
    })
    const text = await response.text()
    const json = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text
    const method = (init.method ?? (body === undefined ? 'GET' : 'POST')).toLowerCase()
    expectDescribed(document, method, path, response.status, json)
    return { status: response.status, headers: response.headers, json }
  }
  return { url: server.url, log, ask, close: server.close }
}

interface Document {
  readonly components: object
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content: Record<string, { schema: object }> }> }>
  >
}

/** Statuses of requests that no operation of the document stands for. */
const undescribed = [404, 405]

/** Compares an answer with the document of its server. */
export function expectDescribed(
  { components, paths }: Document,
  method: string,
  path: string,
  status: number,
  json: unknown,
): void {
  const operation = paths[path]?.[method]
  if (!operation) {
    if (method !== 'get') expect(undescribed).toContain(status)
    return
  }
  const found = operation.responses[status]
  expect(
    found,
    `${method} ${path} answers ${status}, which its document does not know`,
  ).toBeDefined()
  const [content] = Object.values(found!.content)
  const validator = new Validator({ components, ...content!.schema } as never, '2020-12', false)
  const { valid, errors } = validator.validate(json as never)
  expect(valid, `${method} ${path} ${status}: ${JSON.stringify(errors)}`).toBe(true)
}

/** A promise to be settled from outside. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
