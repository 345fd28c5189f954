import { Buffer } from 'node:buffer'
import { z } from '@hono/zod-openapi'
import { EmbedderError, type EmbedOptions } from '../embedders/index.ts'
import { finished } from '../embedders/similarity.ts'
import { ServerError } from './errors.ts'
import { anObject, flag, listOf, oneOrMore, text, whole } from './fields.ts'
import type { ServedModel } from './models.ts'
import { invalid, parse } from './parse.ts'
import { type Call, type Performed, perform, type Service } from './perform.ts'
import { usageOf } from './rerank.ts'
import { computeHeaders, truncate } from './tei.ts'

// Routes of embedders.

const ownFields = {
  dimensions: whole(1)
    .nullish()
    .openapi({ description: 'Numbers that are kept of each embedding' }),
  input_type: z
    .enum(['query', 'passage', 'document'], { error: '"query", "passage" or "document"' })
    .nullish()
    .openapi({
      description: 'Which stored prompt is put before the texts, where the model has some',
    }),
}

export const embedRequest = z
  .object(
    {
      inputs: oneOrMore,
      truncate,
      normalize: flag
        .nullish()
        .openapi({ description: 'false: embeddings as the model gives them, of whatever length' }),
      prompt_name: text.nullish().openapi({ description: 'The stored prompt, by its name' }),
      ...ownFields,
    },
    anObject,
  )
  .openapi('TeiEmbedRequest')

export const embedAnswer = z.array(z.array(z.number())).openapi('TeiEmbedAnswer')

export const embeddingsRequest = z
  .object(
    {
      input: oneOrMore,
      model: text.nullish(),
      encoding_format: z
        .enum(['float', 'base64'], { error: '"float" or "base64"' })
        .nullish()
        .openapi({ description: 'base64: the numbers as float32, little-endian' }),
      user: text.nullish().openapi({ description: 'No effect' }),
      ...ownFields,
    },
    anObject,
  )
  .openapi('EmbeddingsRequest')

export const embeddingsAnswer = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .openapi('EmbeddingsAnswer')

const named = z.object({ model: text.nullish() }, anObject)

/** Answers a request to embed in the form of text-embeddings-inference. */
export async function teiEmbed(service: Service, body: unknown, call: Call): Promise<Response> {
  const name = embedderName(service, parse(named, body).model)
  const request = parse(embedRequest, body)
  const texts = listOf(request.inputs)
  const { prompt_name, normalize } = request
  const done = await embed(service, name, { list: 'inputs', texts }, call, (model) => ({
    ...optionsOf(request),
    truncate: request.truncate ?? service.autoTruncate,
    ...(prompt_name != null && { prompt: storedPrompt(model, prompt_name) }),
  }))
  const rows = done.value.map((row) => Array.from(finished(row, normalize !== false)))
  return Response.json(rows, { headers: computeHeaders(done, texts) })
}

/** Answers a request to embed in the form of OpenAI. */
export async function openaiEmbeddings(
  service: Service,
  body: unknown,
  call: Call,
): Promise<object> {
  const name = embedderName(service, parse(named, body).model)
  const request = parse(embeddingsRequest, body)
  const texts = listOf(request.input)
  const done = await embed(service, name, { list: 'input', texts }, call, () => optionsOf(request))
  const isText = request.encoding_format === 'base64'
  const { completion_tokens: _, ...usage } = usageOf(done.stats.tokens)
  return {
    object: 'list',
    data: done.value.map((row, index) => ({
      object: 'embedding',
      index,
      embedding: isText
        ? Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64')
        : Array.from(row),
    })),
    model: name,
    usage,
  }
}

/** The name of the model that is asked for; refused at once where it is known to be none that embeds. */
function embedderName({ models }: Service, asked: string | null | undefined): string {
  const name = models.find(asked)
  const info = models.all.find((one) => one.name === name)?.info
  if (info && !info.embedding) throw noEmbedder(name)
  return name
}

const noEmbedder = (name: string) =>
  new ServerError(
    'model-type',
    `model: ${JSON.stringify(name)} is a reranker and has no embeddings; use /v1/rerank`,
    { param: 'model' },
  )

function embed(
  service: Service,
  name: string,
  { list, texts }: { readonly list: string; readonly texts: readonly string[] },
  call: Call,
  optionsFor: (model: ServedModel) => EmbedOptions,
): Promise<Performed<Float32Array[]>> {
  const task = { model: name, list: { name: list, length: texts.length } }
  return perform(service, call, task, async (model, { signal, onProgress, onStats }) => {
    if (!model.embed) throw noEmbedder(name)
    const begun = performance.now()
    const onTokens = (tokens: number) => {
      onStats({ tokens, tokenization: 0, queue: 0, inference: performance.now() - begun })
    }
    const options = { ...optionsFor(model), signal, onProgress, onTokens }
    return model.embed(texts, options).catch((error: unknown) => {
      throw error instanceof EmbedderError ? ofField(error, list) : error
    })
  })
}

/** An error about a text under the name that the request has for them. */
const ofField = ({ code, message }: EmbedderError, list: string) =>
  new EmbedderError(code, message.replace(/^texts(?=\[)/, list))

function optionsOf({
  dimensions,
  input_type,
}: Pick<z.infer<typeof embedRequest>, 'dimensions' | 'input_type'>): EmbedOptions {
  const kind = input_type === 'document' ? 'passage' : input_type
  return { dimensions: dimensions ?? undefined, kind: kind ?? undefined }
}

function storedPrompt({ info }: ServedModel, name: string): string {
  const prompts = info.embedding?.prompts ?? {}
  if (Object.hasOwn(prompts, name)) return prompts[name] as string
  const known = Object.keys(prompts).join(', ')
  throw invalid('prompt_name', name, known ? `one of ${known}` : 'none: the model has no prompts')
}
