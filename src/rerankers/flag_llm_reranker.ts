import { CausalModel, causalArchitectures } from '../models/causal.ts'
import { decoderInputs, type PairInput } from './inputs.ts'
import { bosOf, llmDefaults, wordId } from './llm.ts'
import { embeddedModels, loadModel, type ModelPlace, type RerankerFamily } from './load.ts'
import type { LoadOptions, ResolvedSettings } from './options.ts'
import { Reranker, tested } from './reranker.ts'

const family: RerankerFamily<CausalModel> = {
  name: 'FlagLLMReranker',
  architectures: Object.keys(causalArchitectures),
  ...llmDefaults,
  model: ({ config, architecture, loader, tokenizer }) => {
    const readConfig = causalArchitectures[architecture] as (typeof causalArchitectures)[string]
    return new CausalModel(readConfig(config), loader, wordId(tokenizer, 'Yes'))
  },
}

/**
 * A causal language model asked whether the passage answers the query: bge-reranker-v2-gemma, and models of Llama's and
 * Mistral's type trained alike. The score is the logit of "Yes" at the last token. Inputs and scores are those of
 * FlagEmbedding's `FlagLLMReranker`.
 */
export class FlagLLMReranker extends Reranker {
  /** Loads a model as `FlagReranker.load` does, with the same faults; the embedded one of this kind if no folder is given. */
  static async load(place?: ModelPlace, options: LoadOptions = {}): Promise<FlagLLMReranker> {
    const loaded = await loadModel(
      family,
      place === undefined ? embeddedModels.FlagLLMReranker : place,
      options,
    )
    return tested(new FlagLLMReranker(loaded, family), options)
  }

  protected override inputs(
    settings: ResolvedSettings,
  ): (query: string, passage: string) => PairInput {
    return decoderInputs(
      this.tokenizer,
      settings,
      bosOf(this.tokenizer, settings.inputs === 'plain'),
    )
  }
}
