import { z } from '@hono/zod-openapi'
import { anObject, flag, ownFields, text, texts, vllmFields, whole } from './fields.ts'
import { invalid } from './parse.ts'

// The dialects with `documents`: Cohere v2 and v1, Jina, vLLM, and those who follow them.

const document = z
  .union([z.string(), z.looseObject({ text: z.unknown().optional() })], {
    error: 'a string, or an object with "text"',
  })
  .openapi({
    type: undefined as never,
    anyOf: [
      { type: 'string' },
      { type: 'object', properties: { text: { type: 'string' } }, additionalProperties: true },
    ],
  } as never)

type Document = string | Readonly<Record<string, unknown>>

const fields = {
  query: text,
  documents: z.array(document, { error: 'a list of strings, or of objects with "text"' }),
  return_documents: flag.nullish().openapi({ description: 'Whether results repeat the documents' }),
  rank_fields: texts
    .nullish()
    .openapi({ description: 'Fields of documents whose values are joined to the text' }),
  raw_scores: flag.nullish().openapi({ description: 'true gives logits' }),
  max_chunks_per_doc: whole(1)
    .nullish()
    .openapi({ description: 'No effect: a document is one input' }),
  ...vllmFields,
  ...ownFields,
}

/** `/v1/rerank` and `/rerank`: Jina, vLLM, Cohere v1. */
export const rerankRequest = z
  .object(
    {
      model: text.nullish().openapi({ description: 'One of /v1/models; default: the first' }),
      top_n: whole(0)
        .nullish()
        .openapi({ description: 'How many of the best to answer; 0: all, the default' }),
      ...fields,
    },
    anObject,
  )
  .openapi('RerankRequest')

const priorityRange = 'a whole number from 0 to 999'

/** `/v2/rerank`: Cohere v2. */
export const cohereRequest = z
  .object(
    {
      ...fields,
      model: text.openapi({ description: 'One of /v1/models' }),
      top_n: whole(1).nullish().openapi({ description: 'How many of the best to answer' }),
      priority: z
        .int({ error: priorityRange })
        .min(0, { error: priorityRange })
        .max(999, { error: priorityRange })
        .nullish()
        .openapi({ description: 'No effect' }),
    },
    anObject,
  )
  .openapi('CohereRerankRequest')

export type RerankRequest = z.infer<typeof rerankRequest>

export const usage = z
  .object({ prompt_tokens: z.int(), total_tokens: z.int(), completion_tokens: z.int() })
  .openapi('Usage')

export const layerScores = z
  .record(z.string(), z.number())
  .optional()
  .openapi({ description: 'The score at each layer of cutoff_layers' })

export const rerankAnswer = z
  .object({
    id: z.string(),
    model: z.string(),
    results: z.array(
      z.object({
        index: z.int(),
        relevance_score: z.number(),
        document: z.looseObject({ text: z.string() }).optional(),
        layer: z.int().optional(),
        layer_scores: layerScores,
      }),
    ),
    usage,
    meta: z.object({
      api_version: z.object({ version: z.string() }),
      billed_units: z.object({ search_units: z.int() }),
      tokens: z.object({ input_tokens: z.int() }),
    }),
  })
  .openapi('RerankAnswer')

/**
 * The text of each document: a string itself, the field `text` of an object, or the fields named by `rank_fields`, a line
 * each.
 *
 * @throws ServerError `request-invalid` for a document without text
 */
export function textsOf(documents: readonly Document[], rankFields: readonly string[]): string[] {
  return documents.map((one, i) => {
    if (typeof one === 'string') return one
    if (rankFields.length > 0) return joined(one, rankFields, i)
    if (typeof one.text === 'string') return one.text
    const name = `documents[${i}].text`
    throw invalid(name, one.text ?? undefined, 'a string, or rank_fields that name other fields')
  })
}

function joined(
  document: Readonly<Record<string, unknown>>,
  names: readonly string[],
  index: number,
): string {
  const values = names
    .filter((name) => Object.hasOwn(document, name))
    .map((name) => document[name])
    .filter((value) => value !== null)
  if (values.length > 0) {
    return values
      .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
      .join('\n')
  }
  const found = Object.keys(document)
  throw invalid(
    `documents[${index}]`,
    found,
    `an object with a field of rank_fields: ${names.join(', ')}`,
  )
}

/** A document as an answer repeats it: an object, whose `text` is what was scored unless it has its own. */
export function echo(document: Document, scored: string): { text: string } {
  if (typeof document === 'string') return { text: document }
  const { text: own, ...rest } = document
  return { text: typeof own === 'string' ? own : scored, ...rest }
}
