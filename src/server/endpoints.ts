import type { z } from '@hono/zod-openapi'
import { cohereRequest, rerankAnswer, rerankRequest } from './documents.ts'
import {
  embedAnswer,
  embeddingsAnswer,
  embeddingsRequest,
  embedRequest,
  openaiEmbeddings,
  teiEmbed,
} from './embeddings.ts'
import { ServerError } from './errors.ts'
import type { Form } from './faults.ts'
import { has, parse } from './parse.ts'
import type { Call, Service } from './perform.ts'
import { rerank } from './rerank.ts'
import { score, scoreAnswer, scoreRequest } from './score.ts'
import { teiAnswer, teiRequest, teiRerank } from './tei.ts'

/** A route that takes a JSON body. */
export interface Endpoint {
  readonly path: string
  readonly summary: string
  readonly requests: readonly z.ZodType[]
  readonly answers: readonly z.ZodType[]
  /** The forms that its errors may have. */
  readonly forms: readonly Form[]
  /** The form of errors about a body. */
  formOf?(body: unknown): Form
  handle(service: Service, body: unknown, call: Call): Promise<object>
}

const handleTei: Endpoint['handle'] = async (service, body, call) => {
  if (has(body, 'texts') && has(body, 'documents')) {
    throw new ServerError(
      'request-invalid',
      'texts and documents: found both; expected texts (text-embeddings-inference) or documents (Jina, Cohere)',
      { param: 'texts' },
    )
  }
  return teiRerank(service, parse(teiRequest, body), call)
}

const handleRerank: Endpoint['handle'] = async (service, body, call) =>
  rerank(service, parse(rerankRequest, body), call)

const isTei = (body: unknown) => has(body, 'texts')

const tei = {
  requests: [teiRequest],
  answers: [teiAnswer],
  forms: ['tei'],
  handle: handleTei,
} as const

const pairs = {
  requests: [scoreRequest],
  answers: [scoreAnswer],
  forms: ['openai'],
  handle: score,
} as const

export const endpoints: readonly Endpoint[] = [
  {
    path: '/v2/rerank',
    summary: "Ranks documents: Cohere's form, version 2",
    requests: [cohereRequest],
    answers: [rerankAnswer],
    forms: ['cohere'],
    handle: async (service, body, call) => rerank(service, parse(cohereRequest, body), call),
  },
  {
    path: '/v1/rerank',
    summary: 'Ranks documents: Jina, vLLM, Together, and Cohere version 1',
    requests: [rerankRequest],
    answers: [rerankAnswer],
    forms: ['openai'],
    handle: handleRerank,
  },
  {
    path: '/rerank',
    summary: 'Ranks texts as text-embeddings-inference does, or documents as /v1/rerank does',
    requests: [teiRequest, rerankRequest],
    answers: [teiAnswer, rerankAnswer],
    forms: ['tei', 'openai'],
    formOf: (body) => (isTei(body) ? 'tei' : 'openai'),
    handle: (service, body, call) => (isTei(body) ? handleTei : handleRerank)(service, body, call),
  },
  { path: '/', summary: 'Ranks texts: /rerank under another name', ...tei },
  { path: '/invocations', summary: 'Ranks texts: /rerank under another name', ...tei },
  { path: '/score', summary: 'Scores pairs of texts, in their order: vLLM', ...pairs },
  { path: '/v1/score', summary: 'Scores pairs of texts: /score under another name', ...pairs },
  {
    path: '/embed',
    summary: 'Embeds texts, where the first model is an embedder: text-embeddings-inference',
    requests: [embedRequest],
    answers: [embedAnswer],
    forms: ['tei'],
    handle: teiEmbed,
  },
  {
    path: '/v1/embeddings',
    summary: 'Embeds texts, where the model is an embedder: OpenAI',
    requests: [embeddingsRequest],
    answers: [embeddingsAnswer],
    forms: ['openai'],
    handle: openaiEmbeddings,
  },
]
