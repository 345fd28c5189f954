import { z } from '@hono/zod-openapi'
import { ServerError } from './errors.ts'
import { text } from './fields.ts'
import { parse } from './parse.ts'
import type { Service } from './perform.ts'

// Routes of embedders. Every model that loads today is a reranker, so they answer that; an embedder will be served here.

const input = z.union([z.string(), z.array(z.string())])

export const embedRequest = z.object({ inputs: input }).openapi('TeiEmbedRequest')

export const embeddingsRequest = z
  .object({ input, model: text.nullish() })
  .openapi('EmbeddingsRequest')

const named = z.object({ model: text.nullish() }, { error: 'a JSON object' })

/** Refuses a request to embed; one of OpenAI's form may name the model. */
export function refuseToEmbed({ models }: Service, body: unknown): never {
  const name = models.find(parse(named, body).model)
  throw new ServerError(
    'model-type',
    `model: ${JSON.stringify(name)} is a reranker and has no embeddings; use /v1/rerank`,
    { param: 'model' },
  )
}
