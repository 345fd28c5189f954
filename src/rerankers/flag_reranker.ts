import { XlmRoberta, xlmRobertaArchitecture, xlmRobertaConfig } from '../models/xlm-roberta.ts'
import { encoderInputs, type PairInput } from './inputs.ts'
import { embeddedModels, loadModel, type ModelPlace, type RerankerFamily } from './load.ts'
import type { LoadOptions, ResolvedSettings } from './options.ts'
import { Reranker, tested } from './reranker.ts'

const family: RerankerFamily<XlmRoberta> = {
  name: 'FlagReranker',
  architectures: [xlmRobertaArchitecture],
  maxLength: { flag: 512, plain: 512 },
  model: ({ config, loader }) => new XlmRoberta(xlmRobertaConfig(config), loader),
}

/**
 * A reranker of XLM-R type: bge-reranker-base, -large, -v2-m3, and others of the class
 * `XLMRobertaForSequenceClassification` with one label. Inputs and scores are those of FlagEmbedding's
 * `FlagReranker`.
 */
export class FlagReranker extends Reranker {
  /**
   * Loads a model from a folder (a path, a URL, a `Folder`, or `File`s by name); the embedded one if none is given.
   *
   * @throws CheckpointError, TokenizerError, ModelError for what is wrong with the files; GpuError, PlatformError
   * where there is no adapter. Nothing is left open.
   */
  static async load(place?: ModelPlace, options: LoadOptions = {}): Promise<FlagReranker> {
    const loaded = await loadModel(
      family,
      place === undefined ? embeddedModels.FlagReranker : place,
      options,
    )
    return tested(new FlagReranker(loaded, family), options)
  }

  protected override inputs(
    settings: ResolvedSettings,
  ): (query: string, passage: string) => PairInput {
    return encoderInputs(this.tokenizer, settings)
  }
}
