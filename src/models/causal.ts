import type { Config } from '../checkpoint/index.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import { activationOf, type FamilyKeys, settleKeys, unsupported } from './config-keys.ts'
import {
  checkLayerTypes,
  Decoder,
  type DecoderConfig,
  decoderSizes,
  inertDecoderKeys,
  onlyDecoderKeys,
} from './decoder.ts'
import type { WeightLoader } from './loader.ts'
import { ropeConfig } from './rope-config.ts'

/** A causal language model: a decoder, and whether its head is the table of its embeddings. */
export interface CausalConfig extends DecoderConfig {
  readonly tied: boolean
}

const gemmaKeys: FamilyKeys = {
  name: 'GemmaForCausalLM',
  only: { ...onlyDecoderKeys, use_bidirectional_attention: false },
  inert: inertDecoderKeys,
}

/** Gemma (Gemma Team 2024; `GemmaForCausalLM`): embeddings times sqrt(hidden), norms of 1 + weight, tanh GELU. */
function gemmaConfig(config: Config): CausalConfig {
  const sizes = decoderSizes(config, { headDim: 256, kvHeads: 16 })
  // hidden_act is not what is computed: without hidden_activation it is the tanh approximation, as in the paper
  // and in transformers 4.46. transformers 5 takes hidden_act, and gelu for the approximation.
  const activation = activationOf(config, 'hidden_activation', 'geluTanh')
  const older = activationOf(config, 'hidden_act', 'geluTanh')
  const isLegacy = config.string('hidden_act', { default: 'gelu' }) === 'gelu'
  if (!isLegacy && !['geluTanh', activation].includes(older)) {
    throw unsupported(config, 'hidden_act', `hidden_activation makes it ${activation}`)
  }
  checkLayerTypes(config, gemmaKeys.name, sizes.layers, 0)
  const read = {
    ...sizes,
    ...ropeConfig(config, ['rope_parameters']),
    activation,
    normOffset: 1,
    embeddingScale: Math.fround(Math.sqrt(sizes.hidden)),
    tied: config.boolean('tie_word_embeddings', { default: true, null: false }),
  }
  settleKeys(config, gemmaKeys)
  return read
}

const llamaKeys: FamilyKeys = {
  name: 'LlamaForCausalLM',
  only: onlyDecoderKeys,
  // Split matrices give the same sums.
  inert: [...inertDecoderKeys, 'pretraining_tp'],
}

/** Llama (Touvron et al. 2023; `LlamaForCausalLM`). */
function llamaConfig(config: Config): CausalConfig {
  const sizes = decoderSizes(config)
  checkLayerTypes(config, llamaKeys.name, sizes.layers, 0)
  const read = {
    ...sizes,
    ...ropeConfig(config),
    mlpBias: config.boolean('mlp_bias', { default: false }),
    activation: activationOf(config, 'hidden_act', 'silu'),
    tied: config.boolean('tie_word_embeddings', { default: false }),
  }
  settleKeys(config, llamaKeys)
  return read
}

const mistralKeys: FamilyKeys = {
  name: 'MistralForCausalLM',
  only: { ...onlyDecoderKeys, attention_bias: false, mlp_bias: false },
  inert: inertDecoderKeys,
}

/** Mistral (Jiang et al. 2023; `MistralForCausalLM`): Llama without biases, and with a window of attention. */
function mistralConfig(config: Config): CausalConfig {
  const sizes = decoderSizes(config, { kvHeads: 8 })
  const window = config.integer('sliding_window', { min: 1, default: 4096, null: 0 })
  checkLayerTypes(config, mistralKeys.name, sizes.layers, window)
  const read = {
    ...sizes,
    ...ropeConfig(config, ['rope_parameters']),
    window,
    activation: activationOf(config, 'hidden_act', 'silu'),
    tied: config.boolean('tie_word_embeddings', { default: false }),
  }
  settleKeys(config, mistralKeys)
  return read
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
    this.decoder = new Decoder(config, loader, config.layers, config.tied)
    const head = config.tied ? this.decoder.table : 'lm_head.weight'
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
