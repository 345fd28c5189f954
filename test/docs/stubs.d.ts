// What guides use of hosts' packages that are not installed here; test/clients runs them (npm run check:clients).
declare module '@ai-sdk/cohere' {
  import type { RerankingModelV3 } from '@ai-sdk/provider'
  export function createCohere(settings: { apiKey?: string; baseURL?: string }): {
    reranking(model: string): RerankingModelV3
  }
}

declare module '@llamaindex/cohere' {
  export class CohereRerank {
    constructor(settings: {
      apiKey: string | null
      baseUrl?: string
      model?: string
      topN?: number
    })
  }
}
