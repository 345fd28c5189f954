import type { Config } from '../checkpoint/index.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import { Decoder, type DecoderConfig, decoderSizes } from './decoder.ts'
import type { WeightLoader } from './loader.ts'

/** A causal language model: a decoder, and whether its head is the table of its embeddings. */
export interface CausalConfig extends DecoderConfig {
  readonly tied: boolean
}

/** Gemma (Gemma Team 2024; `GemmaForCausalLM`): embeddings times sqrt(hidden), norms of 1 + weight, tanh GELU. */
function gemmaConfig(config: Config): CausalConfig {
  const sizes = decoderSizes(config, 256)
  // hidden_act is not what is computed: without hidden_activation it is the tanh approximation, as in the paper
  // and in transformers 4.46.
  const allowed = ['gelu', 'gelu_pytorch_tanh', 'gelu_tanh'] as const
  config.string('hidden_act', { allowed, default: undefined })
  const activation = config.string('hidden_activation', { allowed, default: 'gelu_tanh' })
  return {
    ...sizes,
    window: 0,
    activation: activation === 'gelu' ? 'gelu' : 'geluTanh',
    normOffset: 1,
    embeddingScale: Math.fround(Math.sqrt(sizes.hidden)),
    residualScale: 1,
    tied: config.boolean('tie_word_embeddings', { default: true }),
  }
}

/** Llama (Touvron et al. 2023; `LlamaForCausalLM`). */
function llamaConfig(config: Config): CausalConfig {
  config.string('hidden_act', { allowed: ['silu'], default: 'silu' })
  return {
    ...decoderSizes(config),
    mlpBias: config.boolean('mlp_bias', { default: false }),
    window: 0,
    activation: 'silu',
    normOffset: 0,
    embeddingScale: 1,
    residualScale: 1,
    tied: config.boolean('tie_word_embeddings', { default: false }),
  }
}

/** Mistral (Jiang et al. 2023; `MistralForCausalLM`): Llama without biases, and with a window of attention. */
function mistralConfig(config: Config): CausalConfig {
  return {
    ...llamaConfig(config),
    attentionBias: false,
    mlpBias: false,
    window: config.integer('sliding_window', { min: 1, default: 0 }),
  }
}

/** How the config of each architecture is read. */
export const causalArchitectures: Readonly<Record<string, (config: Config) => CausalConfig>> = {
  GemmaForCausalLM: gemmaConfig,
  LlamaForCausalLM: llamaConfig,
  MistralForCausalLM: mistralConfig,
}

/** A causal language model that is scored by the logit of one word at the last token. */
export class CausalModel {
  readonly decoder: Decoder
  readonly #word: Linear

  /** @param wordId the word whose logit is the score; of the head only its row is loaded */
  constructor(
    readonly config: CausalConfig,
    loader: WeightLoader,
    wordId: number,
  ) {
    this.decoder = new Decoder(config, loader)
    const head = config.tied ? 'model.embed_tokens.weight' : 'lm_head.weight'
    this.#word = loader.linearRow(head, config.vocab, config.hidden, wordId)
  }

  get dtype() {
    return this.decoder.dtype
  }

  get maxTokens() {
    return this.decoder.maxTokens
  }

  readonly sharesPrefixes = true

  /** The score of each sequence, f32 [sequences, 1]. */
  scores(tape: Tape, batch: Batch): Tensor[] {
    const { decoder } = this
    let last: Tensor | undefined
    for (const { x } of decoder.states(tape, batch, decoder.layers)) last = x
    const x = last as Tensor
    return [tape.step([x], () => linear(tape, decoder.norm(tape, x), this.#word, { dtype: 'f32' }))]
  }
}
