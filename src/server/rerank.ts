import type { RerankRequest } from './documents.ts'
import { echo, textsOf } from './documents.ts'
import { callOptions, type ScoringFields } from './fields.ts'
import type { RankedPassage } from './models.ts'
import { type Call, type Control, perform, type Service } from './perform.ts'

/** Answers a request of a dialect with `documents`. */
export async function rerank(
  service: Service,
  request: Readonly<RerankRequest>,
  call: Call,
): Promise<object> {
  const { query, documents, top_n, return_documents, rank_fields } = request
  const texts = textsOf(documents, rank_fields ?? [])
  const task = { model: request.model, list: { name: 'documents', length: documents.length } }
  const { value, name, stats } = await perform(service, call, task, (model, control: Control) =>
    model.rank(query, texts, {
      ...callOptions(request, model),
      ...control,
      topN: top_n || undefined,
    }),
  )
  const { tokens } = stats
  return {
    id: request.request_id || call.id,
    model: name,
    results: value.map(({ index, score, ...row }) => ({
      index,
      relevance_score: score,
      ...(return_documents && {
        document: echo(documents[index] as string, texts[index] as string),
      }),
      ...layersOf(row, request),
    })),
    usage: usageOf(tokens),
    meta: {
      api_version: { version: '2' },
      billed_units: { search_units: 1 },
      tokens: { input_tokens: tokens },
    },
  }
}

/** What an answer tells of a row's layers, where the request asks for layers. */
export const layersOf = (
  { layer, layerScores }: Pick<RankedPassage, 'layer' | 'layerScores'>,
  { cascade, cutoff_layers }: ScoringFields,
) => ({
  ...((cascade ?? cutoff_layers) && layer !== undefined && { layer }),
  ...(layerScores && { layer_scores: layerScores }),
})

export const usageOf = (tokens: number) => ({
  prompt_tokens: tokens,
  total_tokens: tokens,
  completion_tokens: 0,
})
