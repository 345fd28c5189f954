import type { Config } from '../checkpoint/index.ts'
import { attention } from '../tensor/attention.ts'
import { embedRows, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { type LayerNorm, layerNorm } from '../tensor/layer-norm.ts'
import { type Activation, type Linear, linear } from '../tensor/linear.ts'
import { meanRows } from '../tensor/mean-rows.ts'
import { rotary } from '../tensor/rotary.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type AttentionTables, attentionTables } from './attention-tables.ts'
import {
  type Backbone,
  type BackboneConfig,
  type LayerRange,
  type LayerState,
  layerStates,
  type WatchAttention,
} from './backbone.ts'
import { type Batch, checkIds } from './batch.ts'
import { activationOf, type FamilyKeys, settleKeys, unsupported } from './config-keys.ts'
import { oneLabel } from './encoder-config.ts'
import { ModelError } from './errors.ts'
import type { WholeFamily } from './family.ts'
import type { Head } from './heads.ts'
import { type QueryKeyValue, queryKeyValue } from './query-key-value.ts'
import { mostTokens, RopeTable } from './rope.ts'
import type { Weights } from './weights.ts'

/** What config.json says of a ModernBERT. */
interface ModernBertConfig extends BackboneConfig {
  readonly heads: number
  readonly intermediate: number
  readonly eps: number
  readonly activation: Activation
  readonly attentionBias: boolean
  readonly mlpBias: boolean
  readonly normBias: boolean
  /** Each layer of this number, from the first, sees all tokens; the others `window` on each side. */
  readonly globalEvery: number
  readonly window: number
  readonly globalTheta: number
  readonly localTheta: number
  readonly pooling: string
  readonly classifierBias: boolean
  readonly classifierActivation: Activation
}

const keys: FamilyKeys = {
  name: 'ModernBertForSequenceClassification',
  only: { position_embedding_type: 'absolute' },
  inert: [
    ...['max_position_embeddings', 'cls_token_id', 'decoder_bias', 'deterministic_flash_attn'],
    ...['embedding_dropout', 'mlp_dropout', 'classifier_dropout', 'initializer_cutoff_factor'],
    ...['layer_norm_eps', 'tie_word_embeddings', 'reference_compile', 'repad_logits_with_grad'],
    ...['sparse_prediction', 'sparse_pred_ignore_index'],
  ],
}

function readConfig(config: Config): ModernBertConfig {
  oneLabel(config)
  const size = (key: string) => config.integer(key, { min: 1, max: 2 ** 24 })
  const flag = (key: string) => config.boolean(key, { default: false })
  const [hidden, heads] = [size('hidden_size'), size('num_attention_heads')]
  if (hidden % heads !== 0 || (hidden / heads) % 2 !== 0 || hidden / heads > 256) {
    throw new ModelError(
      'config-unsupported',
      `${config.file}: hidden_size ${hidden} with ${heads} heads; expected a multiple with even heads of at most 256 numbers`,
    )
  }
  const layers = config.integer('num_hidden_layers', { min: 1, max: 1024 })
  const olderTheta = config.number('global_rope_theta', { min: 1, default: 160000 })
  const globalTheta = thetaOf(config, 'full_attention', olderTheta)
  const localTheta = config.number('local_rope_theta', {
    min: 1,
    default: 10000,
    null: globalTheta,
  })
  const read: ModernBertConfig = {
    vocab: size('vocab_size'),
    hidden,
    heads,
    intermediate: size('intermediate_size'),
    layers,
    eps: config.number('norm_eps', { min: 0, default: 1e-5 }),
    activation: activationOf(config, 'hidden_activation', 'gelu'),
    attentionBias: flag('attention_bias'),
    mlpBias: flag('mlp_bias'),
    normBias: flag('norm_bias'),
    globalEvery: globalEveryOf(config, layers),
    window: Math.floor(config.integer('local_attention', { min: 2, default: 128 }) / 2),
    globalTheta,
    localTheta: thetaOf(config, 'sliding_attention', localTheta),
    pooling: config.string('classifier_pooling', { allowed: ['cls', 'mean'], default: 'cls' }),
    classifierBias: flag('classifier_bias'),
    classifierActivation: activationOf(config, 'classifier_activation', 'gelu'),
  }
  settleKeys(config, keys)
  return read
}

/** The base of a type of layer as transformers 5 writes it; `older` where there is none. */
function thetaOf(config: Config, type: string, older: number): number {
  const section = config.section('rope_parameters')?.section(type)
  section?.string('rope_type', { allowed: ['default'], default: 'default' })
  return section?.number('rope_theta', { min: 1, default: older }) ?? older
}

/** The distance of global layers: of transformers 5 by `layer_types`, else by the older key. */
function globalEveryOf(config: Config, layers: number): number {
  const older = config.integer('global_attn_every_n_layers', { min: 1, default: 3 })
  const types = config.strings('layer_types', { default: undefined })
  if (!types) return older
  const second = types.indexOf('full_attention', 1)
  const every = second < 0 ? layers : second
  const expected = (i: number) => (i % every === 0 ? 'full_attention' : 'sliding_attention')
  if (types.length === layers && types.every((type, i) => type === expected(i))) return every
  throw unsupported(
    config,
    'layer_types',
    `expected ${layers} types, full_attention for the first and every so many, else sliding_attention`,
  )
}

interface Layer extends QueryKeyValue {
  /** The first layer has none. */
  readonly attentionNorm: LayerNorm | undefined
  readonly attentionOutput: Linear
  readonly mlpNorm: LayerNorm
  readonly gate: Linear
  readonly up: Linear
  readonly down: Linear
}

/** What a layer computes with besides its weights. */
interface LayerContext {
  readonly own: AttentionTables
  readonly keys: AttentionTables
  readonly rope: Tensor
  readonly window: number
  readonly watch: WatchAttention | undefined
  /** The layer, from 1. */
  readonly number: number
}

/**
 * ModernBERT (Warner et al. 2024; `ModernBertModel`): pre-norm layers of attention in both directions with rotary positions, most
 * of them within a window, and a gated MLP.
 */
class ModernBert implements Backbone {
  readonly #words: HostTable
  readonly #embeddingNorm: LayerNorm
  readonly #layers: readonly Layer[]
  readonly #norm: LayerNorm
  readonly #global: RopeTable
  readonly #local: RopeTable
  readonly causal = false
  readonly maxTokens = mostTokens

  constructor(
    readonly config: ModernBertConfig,
    weights: Weights,
  ) {
    const { vocab, hidden, heads, intermediate, eps, layers } = config
    const [attentionBias, mlpBias] = [{ bias: config.attentionBias }, { bias: config.mlpBias }]
    const norm = (name: string) => weights.layerNorm(name, hidden, eps, { bias: config.normBias })
    weights.backbone = 'model'
    this.#words = weights.hostTable('model.embeddings.tok_embeddings.weight', vocab, hidden)
    this.#embeddingNorm = norm('model.embeddings.norm')
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const layer = `model.layers.${i}`
      const qkv = [hidden, hidden, hidden] as const
      const halves = [intermediate, intermediate] as const
      const [query, key, value] = weights.packedLinears(
        `${layer}.attn.Wqkv`,
        qkv,
        hidden,
        attentionBias,
      )
      const [gate, up] = weights.packedLinears(`${layer}.mlp.Wi`, halves, hidden, mlpBias)
      return {
        attentionNorm: i > 0 ? norm(`${layer}.attn_norm`) : undefined,
        query,
        key,
        value,
        attentionOutput: weights.linear(`${layer}.attn.Wo`, hidden, hidden, attentionBias),
        mlpNorm: norm(`${layer}.mlp_norm`),
        gate,
        up,
        down: weights.linear(`${layer}.mlp.Wo`, hidden, intermediate, mlpBias),
      }
    })
    this.#norm = norm('model.final_norm')
    const headDim = hidden / heads
    this.#global = new RopeTable(headDim, { theta: config.globalTheta })
    this.#local = new RopeTable(headDim, { theta: config.localTheta })
  }

  get dtype() {
    return this.#words.dtype
  }

  get layers() {
    return this.#layers.length
  }

  *states(tape: Tape, batch: Batch, { from, to, watch }: LayerRange): Generator<LayerState, void> {
    const headDim = this.config.hidden / this.config.heads
    const global = this.#global.upload(tape, batch)
    const ropeTables = {
      global: global.table,
      local: this.#local.upload(tape, batch).table,
    }
    const tables = attentionTables(tape, batch, headDim, 'first', global.rows)
    const start = from ?? { layer: 0, x: this.#embed(tape, batch) }
    const rows = { ...start, batch, scored: tables.rows }
    yield* layerStates(tape, rows, to, (i, x, all, which) => {
      const isGlobal = i % this.config.globalEvery === 0
      const context = {
        own: tables[which],
        keys: tables.every,
        rope: isGlobal ? ropeTables.global : ropeTables.local,
        window: isGlobal ? 0 : this.config.window + 1,
        watch: which === 'every' ? watch : undefined,
        number: i + 1,
      }
      return this.#layer(tape, this.#layers[i] as Layer, x, all, context)
    })
  }

  /** The final norm. */
  output(tape: Tape, states: Tensor): Tensor {
    return layerNorm(tape, states, this.#norm)
  }

  /** One layer: rows of `x` attend to all of `all`, which holds keys and values. */
  #layer(
    tape: Tape,
    layer: Layer,
    x: Tensor,
    all: Tensor,
    { own: { tiles, positions }, keys, rope, window, watch, number }: LayerContext,
  ): Tensor {
    const { hidden, heads, activation } = this.config
    const headDim = hidden / heads
    const normed = (x: Tensor, norm?: LayerNorm) => (norm ? layerNorm(tape, x, norm) : x)
    const attended = tape.scope([], () => {
      const every = normed(all, layer.attentionNorm)
      const own = x === all ? every : normed(x, layer.attentionNorm)
      const [query, key, v] = queryKeyValue(tape, own, every, layer)
      const [q, k] = rotary(tape, [query, key], [positions, keys.positions], rope)
      const attend = (values: Tensor) => attention(tape, q, k, values, tiles, headDim, { window })
      watch?.({ layer: number, headDim, values: v, attend })
      const context = attend(v)
      return linear(tape, context, layer.attentionOutput, { add: x })
    })
    const input = layerNorm(tape, attended, layer.mlpNorm)
    const gate = linear(tape, input, layer.gate, { activation })
    const gated = linear(tape, input, layer.up, { multiply: gate })
    return linear(tape, gated, layer.down, { add: attended })
  }

  #embed(tape: Tape, { ids }: Batch): Tensor {
    checkIds('token id', ids, this.config.vocab)
    return tape.scope([], () => {
      const words = embedRows(tape, gatherTable(tape, this.#words, ids), this.#words, 1)
      return layerNorm(tape, words, this.#embeddingNorm)
    })
  }
}

/** `ModernBertPredictionHead` and classifier, on the first token or the mean of all. */
function classifier(backbone: ModernBert, weights: Weights): Head {
  const { hidden, eps, pooling, ...config } = backbone.config
  const dense = weights.linear('head.dense', hidden, hidden, { bias: config.classifierBias })
  const norm = weights.layerNorm('head.norm', hidden, eps, { bias: config.normBias })
  const output = weights.linear('classifier', 1, hidden)
  const pooled = (tape: Tape, state: LayerState, { ends }: Batch) => {
    if (pooling === 'cls') return backbone.output(tape, state.scored())
    const upload = (numbers: number[]) =>
      tape.upload(new Uint32Array(numbers), [numbers.length], 'u32')
    const starts = upload(ends.map(({ start }) => start))
    const lengths = upload(ends.map(({ length }) => length))
    return meanRows(tape, backbone.output(tape, state.x), starts, lengths)
  }
  return (tape, state, batch) => {
    const activation = config.classifierActivation
    const hiddenState = linear(tape, pooled(tape, state, batch), dense, { activation })
    return linear(tape, layerNorm(tape, hiddenState, norm), output, { dtype: 'f32' })
  }
}

/** ModernBERT without a head. */
export const declareModernBert = (config: Config, weights: Weights): Backbone =>
  new ModernBert(readConfig(config), weights)

/** ModernBERT with a classifier of one label (`ModernBertForSequenceClassification`). */
export const modernBert: WholeFamily = {
  head: 'classifier',
  config: readConfig,
  declare(config: Config, weights: Weights) {
    const backbone = new ModernBert(readConfig(config), weights)
    return { backbone, head: classifier(backbone, weights) }
  },
}
