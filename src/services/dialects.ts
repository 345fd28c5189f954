import { z } from 'zod'
import { ServiceError } from './errors.ts'

/** How a service is asked for the scores of passages. */
export interface RerankDialect {
  readonly kind: 'rerank'
  /** Passages of one request at most. */
  readonly most: number
  readonly body: (model: string | undefined, query: string, passages: readonly string[]) => object
  /** The scores in the order of the passages. */
  readonly read: (answer: unknown, count: number) => number[]
}

/** How a service is asked for the vectors of texts. */
export interface EmbeddingsDialect {
  readonly kind: 'embeddings'
  /** Texts of one request at most. */
  readonly most: number
  readonly body: (model: string | undefined, texts: readonly string[]) => object
  /** The vectors in the order of the texts, all of one length. */
  readonly read: (answer: unknown, count: number) => number[][]
}

const indexed = <Value extends z.ZodType>(list: string, field: string, value: Value) =>
  z
    .object({ [list]: z.array(z.object({ index: z.number().int().min(0), [field]: value })) })
    .transform((answer) =>
      (answer[list] as { index: number }[]).map(
        (row) => [row.index, (row as Record<string, unknown>)[field] as z.output<Value>] as const,
      ),
    )

/** The values of an answer by index: each index from 0 on exactly once. */
function inOrder<Value extends z.ZodType>(
  schema: ReturnType<typeof indexed<Value>>,
  answer: unknown,
  count: number,
): z.output<Value>[] {
  const { success, data, error } = schema.safeParse(answer)
  if (!success) {
    throw new ServiceError('answer-invalid', `answered in another form: ${z.prettifyError(error)}`)
  }
  const values = new Map(data)
  if (data.length !== count || values.size !== count || Math.max(...values.keys()) >= count) {
    throw new ServiceError(
      'answer-invalid',
      `answered for ${values.size} of ${count} texts, with ${data.length} rows`,
    )
  }
  return Array.from({ length: count }, (_, i) => values.get(i)!)
}

/** Empty texts are refused by most services. */
const filled = (text: string) => (text.trim() === '' ? ' ' : text)

const named = (model: string | undefined) => (model === undefined ? {} : { model })

const score = z.number()
const cohereAnswer = indexed('results', 'relevance_score', score)
const voyageAnswer = indexed('data', 'relevance_score', score)
const openAiAnswer = indexed('data', 'embedding', z.array(score).min(1))

/** Cohere's, which Jina, vLLM, llama.cpp and dawnrank's own server answer too. */
export const cohereRerank: RerankDialect = {
  kind: 'rerank',
  most: 1000,
  body: (model, query, passages) => ({
    ...named(model),
    query,
    documents: passages.map(filled),
    top_n: passages.length,
  }),
  read: (answer, count) => inOrder(cohereAnswer, answer, count),
}

/** Jina's: it repeats the documents unless told otherwise. */
export const jinaRerank: RerankDialect = {
  ...cohereRerank,
  body: (...args) => ({ ...cohereRerank.body(...args), return_documents: false }),
}

/** Voyage's. */
export const voyageRerank: RerankDialect = {
  kind: 'rerank',
  most: 1000,
  body: (model, query, passages) => ({
    ...named(model),
    query,
    documents: passages.map(filled),
    truncation: true,
  }),
  read: (answer, count) => inOrder(voyageAnswer, answer, count),
}

/** OpenAI's embeddings, which vLLM, TEI and dawnrank's own server answer too. */
export const openAiEmbeddings: EmbeddingsDialect = {
  kind: 'embeddings',
  most: 256,
  body: (model, texts) => ({ ...named(model), input: texts.map(filled), encoding_format: 'float' }),
  read(answer, count) {
    const vectors = inOrder(openAiAnswer, answer, count)
    const length = vectors[0]?.length
    if (vectors.some((vector) => vector.length !== length)) {
      throw new ServiceError('answer-invalid', 'answered with vectors of different lengths')
    }
    return vectors
  },
}
