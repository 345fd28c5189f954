import { z } from '@hono/zod-openapi'
import { layerScores } from './documents.ts'
import { anObject, callOptions, flag, ownFields, text, texts } from './fields.ts'
import { type Call, type Performed, perform, type Service } from './perform.ts'
import { layersOf } from './rerank.ts'

// The dialect of text-embeddings-inference.

export const truncate = flag
  .nullish()
  .openapi({ description: 'false: texts that are too long are an error' })

export const teiRequest = z
  .object(
    {
      query: text,
      texts,
      raw_scores: flag.nullish().openapi({ description: 'true gives logits' }),
      return_text: flag.nullish().openapi({ description: 'Whether results repeat the texts' }),
      truncate,
      truncation_direction: z
        .enum(['left', 'right', 'Left', 'Right'], { error: '"left" or "right"' })
        .nullish()
        .openapi({ description: 'The end at which texts lose tokens' }),
      ...ownFields,
    },
    anObject,
  )
  .openapi('TeiRerankRequest')

export const teiAnswer = z
  .array(
    z.object({
      index: z.int(),
      score: z.number(),
      text: z.string().optional(),
      layer: z.int().optional(),
      layer_scores: layerScores,
    }),
  )
  .openapi('TeiRerankAnswer')

/** Answers a request of TEI's form. */
export async function teiRerank(
  service: Service,
  request: Readonly<z.infer<typeof teiRequest>>,
  call: Call,
): Promise<Response> {
  const { query, texts: given, return_text, truncation_direction } = request
  const task = { model: undefined, list: { name: 'texts', length: given.length } }
  const fields = {
    ...request,
    truncate: request.truncate ?? service.autoTruncate,
    truncation_side: truncation_direction?.toLowerCase() as 'left' | 'right' | undefined,
  }
  const { value, model, stats, ms } = await perform(service, call, task, (served, control) =>
    served.rank(query, given, { ...callOptions(fields, served), ...control }),
  )
  const rows = value.map(({ index, score, ...row }) => ({
    index,
    score,
    ...(return_text && { text: given[index] }),
    ...layersOf(row, request),
  }))
  const texts = [...given, ...given.map(() => query)]
  return Response.json(rows, { headers: computeHeaders({ model, stats, ms }, texts) })
}

/** The headers of an answer in TEI's form. */
export function computeHeaders(
  { model, stats, ms }: Pick<Performed<unknown>, 'model' | 'stats' | 'ms'>,
  texts: readonly string[],
): Record<string, string> {
  return {
    'x-compute-type': model.info.adapter.software ? 'cpu' : 'gpu',
    'x-compute-time': whole(ms),
    'x-compute-characters': String(texts.reduce((sum, one) => sum + codePoints(one), 0)),
    'x-compute-tokens': String(stats.tokens),
    'x-total-time': whole(ms),
    'x-tokenization-time': whole(stats.tokenization),
    'x-queue-time': whole(stats.queue),
    'x-inference-time': whole(stats.inference),
  }
}

const whole = (ms: number) => String(Math.round(ms))

function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
