import type { EmbeddingModelV3, ProviderV3, RerankingModelV3 } from '@ai-sdk/provider'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import type { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors'
import type { BaseNodePostprocessor } from '@llamaindex/core/postprocessor'
import { expectTypeOf, it } from 'vitest'
import type { DawnrankProvider } from '../../src/adapters/ai-sdk.ts'
import type { CrossEncoder, PairScorer } from '../../src/adapters/cross-encoder.ts'
import type { DawnrankEmbeddings, DawnrankRerank } from '../../src/adapters/langchain.ts'
import type { DawnrankRerank as Postprocessor } from '../../src/adapters/llamaindex.ts'
import type { Ranker, TextEmbedder } from '../../src/adapters/models.ts'
import type { Devices } from '../../src/devices/index.ts'
import type { Embedder, Reranker } from '../../src/index.ts'

it('adapters have the types of their hosts', () => {
  expectTypeOf<DawnrankRerank>().toExtend<BaseDocumentCompressor>()
  expectTypeOf<DawnrankEmbeddings>().toExtend<EmbeddingsInterface>()
  expectTypeOf<Postprocessor>().toExtend<BaseNodePostprocessor>()
  expectTypeOf<DawnrankProvider>().toExtend<ProviderV3>()
  expectTypeOf<DawnrankProvider['reranking']>().returns.toEqualTypeOf<RerankingModelV3>()
  expectTypeOf<DawnrankProvider['embedding']>().returns.toEqualTypeOf<EmbeddingModelV3>()
})

it('adapters take rerankers, devices and embedders where each has a sense', () => {
  expectTypeOf<Reranker>().toExtend<Ranker>()
  expectTypeOf<Reranker<readonly number[]>>().toExtend<Ranker>()
  expectTypeOf<Devices>().toExtend<Ranker>()
  expectTypeOf<Embedder>().toExtend<TextEmbedder>()
  expectTypeOf<Embedder>().not.toExtend<Ranker>()
  expectTypeOf<Reranker>().toExtend<PairScorer>()
  expectTypeOf<Devices>().toExtend<PairScorer>()
  expectTypeOf<Reranker<readonly number[]>>().not.toExtend<PairScorer>()
})

it('predict gives a number for a pair, and numbers for pairs', () => {
  const predict = {} as CrossEncoder['predict']
  expectTypeOf(() => predict(['a', 'b'])).returns.resolves.toEqualTypeOf<number>()
  expectTypeOf(() => predict([['a', 'b']])).returns.resolves.toEqualTypeOf<number[]>()
})
