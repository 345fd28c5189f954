import type { RerankRequest } from './documents.ts'
import { echo, textsOf } from './documents.ts'
import { callOptions } from './fields.ts'
import { type Control, perform, type Service } from './perform.ts'

/** What a handler is given of a request besides its body. */
export interface Call {
  readonly id: string
  readonly signal: AbortSignal
  /** Notes for the log. */
  note(facts: Readonly<Record<string, unknown>>): void
}

/** Answers a request of a dialect with `documents`. */
export async function rerank(
  service: Service,
  request: Readonly<RerankRequest>,
  call: Call,
): Promise<object> {
  const { query, documents, top_n, return_documents, rank_fields } = request
  const texts = textsOf(documents, rank_fields ?? [])
  const task = {
    model: request.model,
    list: { name: 'documents', length: documents.length },
    signal: call.signal,
  }
  const { value, name, stats } = await perform(service, task, (model, control: Control) =>
    model.rank(query, texts, {
      ...callOptions(request, model),
      ...control,
      topN: top_n || undefined,
    }),
  )
  call.note({ model: name, documents: documents.length, tokens: stats.tokens })
  const { tokens } = stats
  const showsLayer = Boolean(request.cascade ?? request.cutoff_layers)
  return {
    id: request.request_id || call.id,
    model: name,
    results: value.map(({ index, score, layer, layerScores }) => ({
      index,
      relevance_score: score,
      ...(return_documents && {
        document: echo(documents[index] as string, texts[index] as string),
      }),
      ...(showsLayer && layer !== undefined && { layer }),
      ...(layerScores && { layer_scores: layerScores }),
    })),
    usage: usageOf(tokens),
    meta: {
      api_version: { version: '2' },
      billed_units: { search_units: 1 },
      tokens: { input_tokens: tokens },
    },
  }
}

export const usageOf = (tokens: number) => ({
  prompt_tokens: tokens,
  total_tokens: tokens,
  completion_tokens: 0,
})
