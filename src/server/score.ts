import { z } from '@hono/zod-openapi'
import { layerScores, usage } from './documents.ts'
import { ServerError } from './errors.ts'
import { anObject, callOptions, listOf, oneOrMore, ownFields, text, vllmFields } from './fields.ts'
import { emptyList, has, invalid, parse } from './parse.ts'
import { type Call, perform, type Service } from './perform.ts'
import { usageOf } from './rerank.ts'

// vLLM's /score: pairs, in the order given.

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
  z.object({ [first]: oneOrMore, [second]: oneOrMore, ...options }, anObject),
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
  const task = { model: request.model, list }
  const { value, name, stats } = await perform(service, call, task, async (model, control) => {
    const { cutoffLayers, ...rest } = callOptions(request, model)
    const layers = typeof cutoffLayers === 'object' ? [...new Set(cutoffLayers)] : undefined
    const scores = await model.computeScore(pairs, {
      ...rest,
      ...control,
      ...(cutoffLayers !== undefined && { cutoffLayers: layers ?? cutoffLayers }),
    })
    return layers ? rowsOf(layers, scores as number[][]) : (scores as number[]).map(plain)
  })
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
    throw invalid('', body, anObject.error)
  }
  const both = sides.find(([first, second]) => has(body, first) && has(body, second))
  return both ?? sides.find((names) => names.some((name) => has(body, name))) ?? sides[0]
}

/** A cascade ranks what belongs to one query; pairs have each their own. */
function refuseCascade(body: unknown): void {
  if (!has(body, 'cascade')) return
  throw new ServerError(
    'request-invalid',
    'cascade: it ranks the documents of one query; send it to /v1/rerank, or leave it out',
    { param: 'cascade' },
  )
}

function pairsOf(body: unknown, first: string, second: string): Pair[] {
  const found = parse(z.object({ [first]: oneOrMore, [second]: oneOrMore }), body)
  const [a, b] = [listOf(found[first]!), listOf(found[second]!)]
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
