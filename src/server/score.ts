import { z } from '@hono/zod-openapi'
import { layerScores, usage } from './documents.ts'
import { ServerError } from './errors.ts'
import { callOptions, ownFields, text, vllmFields } from './fields.ts'
import { emptyList, invalid, parse } from './parse.ts'
import { perform, type Service } from './perform.ts'
import { type Call, usageOf } from './rerank.ts'

// vLLM's /score: pairs, in the order given.

const side = z.union([z.string(), z.array(z.string())], { error: 'a string, or a list of strings' })

/** The names that the two sides of the pairs have, in pairs. */
const sides = [
  ['text_1', 'text_2'],
  ['queries', 'documents'],
  ['queries', 'items'],
  ['data_1', 'data_2'],
] as const

const { cascade: _, ...layerFields } = ownFields
const options = { model: text.nullish(), ...vllmFields, ...layerFields }

const schemas = sides.map(([first, second]) =>
  z.object({ [first]: side, [second]: side, ...options }, { error: 'a JSON object' }),
)

export const scoreRequest = z.union(schemas as never).openapi('ScoreRequest')

export const scoreAnswer = z
  .object({
    id: z.string(),
    object: z.literal('list'),
    created: z.int(),
    model: z.string(),
    data: z.array(
      z.object({
        index: z.int(),
        object: z.literal('score'),
        score: z.number(),
        layer_scores: layerScores,
      }),
    ),
    usage,
  })
  .openapi('ScoreAnswer')

type Pair = readonly [string, string]

/** Answers a request to score pairs. */
export async function score(service: Service, body: unknown, call: Call): Promise<object> {
  const [first, second] = sidesOf(body)
  const request = parse(z.object(options), body)
  refuseCascade(body)
  const pairs = pairsOf(body, first, second)
  const list = { name: second, length: pairs.length }
  const task = { model: request.model, list, signal: call.signal }
  const { value, name, stats } = await perform(service, task, async (model, control) => {
    const { cutoffLayers, ...rest } = callOptions(request, model)
    const layers = typeof cutoffLayers === 'object' ? [...new Set(cutoffLayers)] : undefined
    const scores = await model.computeScore(pairs, {
      ...rest,
      ...control,
      ...(cutoffLayers !== undefined && { cutoffLayers: layers ?? cutoffLayers }),
    })
    return layers ? rowsOf(layers, scores as number[][]) : (scores as number[]).map(plain)
  })
  call.note({ model: name, documents: pairs.length, tokens: stats.tokens })
  return {
    id: request.request_id || call.id,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: name,
    data: value.map((row, index) => ({ index, object: 'score', ...row })),
    usage: usageOf(stats.tokens),
  }
}

const plain = (one: number) => ({ score: one })

/** The score at the highest layer of each pair, and those at all. */
function rowsOf(layers: readonly number[], scores: readonly number[][]) {
  const highest = layers.indexOf(Math.max(...layers))
  return (scores[highest] as number[]).map((one, i) => ({
    score: one,
    layer_scores: Object.fromEntries(layers.map((layer, at) => [layer, scores[at]?.[i]])),
  }))
}

/** The names of the two sides in a body: the first that it has one of. */
function sidesOf(body: unknown): readonly [string, string] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid('', body, 'a JSON object')
  }
  const has = (name: string) => (body as Record<string, unknown>)[name] != null
  const both = sides.find(([first, second]) => has(first) && has(second))
  return both ?? sides.find(([first, second]) => has(first) || has(second)) ?? sides[0]
}

/** A cascade ranks what belongs to one query; pairs have each their own. */
function refuseCascade(body: unknown): void {
  if ((body as { cascade?: unknown }).cascade == null) return
  throw new ServerError(
    'request-invalid',
    'cascade: it ranks the documents of one query; send it to /v1/rerank, or leave it out',
    { param: 'cascade' },
  )
}

function pairsOf(body: unknown, first: string, second: string): Pair[] {
  const found = parse(z.object({ [first]: side, [second]: side }), body)
  const [a, b] = [listOf(found[first]), listOf(found[second])]
  if (a.length === 0) throw emptyList(first)
  if (b.length === 0) throw emptyList(second)
  if (a.length !== 1 && a.length !== b.length) {
    throw new ServerError(
      'request-invalid',
      `${first} and ${second}: found ${a.length} and ${b.length} texts; expected one and any number, or as many of both`,
      { param: second },
    )
  }
  return b.map((text2, i) => [a[a.length === 1 ? 0 : i] as string, text2])
}

const listOf = (given: unknown) => (typeof given === 'string' ? [given] : (given as string[]))
