import type { Config } from '../checkpoint/index.ts'
import { type AttentionTiles, attention, attentionTiles } from '../tensor/attention.ts'
import { embedRows, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { gatherRows } from '../tensor/gather_rows.ts'
import { type Activation, type Linear, linear } from '../tensor/linear.ts'
import { type RmsNorm, rmsNorm } from '../tensor/rms_norm.ts'
import { rotary, rotaryTable } from '../tensor/rotary.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor, WeightDtype } from '../tensor/tensor.ts'
import { allSpans, type Batch, scoredRows, scoredSpans } from './batch.ts'
import { unsupported } from './config-keys.ts'
import { ModelError } from './errors.ts'
import type { WeightLoader } from './loader.ts'
import { type QueryKeyValue, queryKeyValue } from './query_key_value.ts'
import type { RopeConfig } from './rope-config.ts'

/** Sizes of a decoder, and where the families differ. */
export interface DecoderConfig extends RopeConfig {
  readonly vocab: number
  readonly hidden: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly intermediate: number
  readonly layers: number
  readonly eps: number
  /** Tokens that a token sees, itself counted; 0 for all before it. */
  readonly window: number
  readonly attentionBias: boolean
  readonly mlpBias: boolean
  readonly activation: Activation
  /** Added to the weights of the norms. */
  readonly normOffset: number
  /** What embeddings, and what attention and MLP add to the residual stream, are multiplied by. */
  readonly embeddingScale: number
  readonly residualScale: number
}

/** The longest sequence that is taken; rotary positions have no table to run out of. */
const mostTokens = 2 ** 16

/** Keys of config.json that change nothing in a decoder: rotary positions have no table to run out of. */
export const inertDecoderKeys = [
  ...['max_position_embeddings', 'is_decoder', 'is_encoder_decoder', 'add_cross_attention'],
  'classifier_dropout',
]

/** Keys of config.json that would change what a decoder computes, and the value that holds. */
export const onlyDecoderKeys = { is_causal: true, partial_rotary_factor: 1 } as const

/** What the configs of Gemma, Llama, Mistral and MiniCPM have in common, read and checked. */
export function decoderSizes(
  config: Config,
  standard: { readonly headDim?: number; readonly kvHeads?: number } = {},
) {
  const size = (key: string) => config.integer(key, { min: 1, max: 2 ** 24 })
  const hidden = size('hidden_size')
  const heads = size('num_attention_heads')
  const kvHeads = config.integer('num_key_value_heads', {
    min: 1,
    max: heads,
    default: standard.kvHeads ?? heads,
    null: heads,
  })
  const headDim =
    config.integer('head_dim', { min: 1, default: undefined }) ?? standard.headDim ?? hidden / heads
  if (!Number.isInteger(headDim) || headDim % 2 !== 0 || headDim > 256 || heads % kvHeads !== 0) {
    throw new ModelError(
      'config-unsupported',
      `${config.file}: hidden_size ${hidden} with ${heads} heads of ${headDim} numbers and ${kvHeads} key/value heads; expected even heads of at most 256 numbers in equal groups`,
    )
  }
  return {
    vocab: size('vocab_size'),
    hidden,
    heads,
    kvHeads,
    headDim,
    intermediate: size('intermediate_size'),
    layers: config.integer('num_hidden_layers', { min: 1, max: 1024 }),
    eps: config.number('rms_norm_eps', { min: 0, default: 1e-6 }),
    window: 0,
    attentionBias: config.boolean('attention_bias', { default: false }),
    mlpBias: false,
    normOffset: 0,
    embeddingScale: 1,
    residualScale: 1,
  }
}

/**
 * Checks `layer_types`, which newer configs have: no family here has layers of more than one type.
 *
 * @param name what messages call the family
 * @param window tokens that the attention of every layer sees; 0 for all
 */
export function checkLayerTypes(
  config: Config,
  name: string,
  layers: number,
  window: number,
): void {
  const types = config.strings('layer_types', { default: undefined })
  if (!types) return
  const [type = ''] = types
  const known = window > 0 ? ['full_attention', 'sliding_attention'] : ['full_attention']
  const isOne = types.length === layers && types.every((other) => other === type)
  if (!isOne || !known.includes(type)) {
    throw unsupported(
      config,
      'layer_types',
      `${name} has ${layers} layers of one type, ${known.join(' or ')}`,
    )
  }
  if (window > 0 && type === 'full_attention') {
    config.warn(
      `layer_types names full_attention; ${name} applies its sliding_window of ${window} all the same`,
    )
  }
}

interface DecoderLayer extends QueryKeyValue {
  readonly inputNorm: RmsNorm
  readonly attentionOutput: Linear
  readonly mlpNorm: RmsNorm
  readonly gate: Linear
  readonly up: Linear
  readonly down: Linear
}

/** The tables of a batch that every layer reads. */
interface Tables {
  readonly tiles: AttentionTiles
  readonly positions: Tensor
  readonly turns: Tensor
}

/**
 * The decoder that Llama, Mistral, Gemma and MiniCPM share: pre-norm layers of causal attention with rotary positions
 * and a gated MLP (Touvron et al. 2023).
 */
export class Decoder {
  /**
   * The name of the embeddings. Where the head is tied to them, a file may hold the table as the head alone, or twice; of
   * two, transformers 4 keeps the head's, which it reads last.
   */
  readonly table: string
  readonly #words: HostTable
  readonly #layers: readonly DecoderLayer[]
  readonly #norm: RmsNorm
  #turns = new Float32Array()

  /**
   * @param layers how many of the model's layers are loaded, from the first
   * @param tied whether the head is the table of the embeddings
   */
  constructor(
    readonly config: DecoderConfig,
    loader: WeightLoader,
    layers = config.layers,
    tied = false,
  ) {
    const { vocab, hidden, heads, kvHeads, headDim, intermediate, eps, normOffset } = config
    const bias = { bias: config.attentionBias }
    const mlpBias = { bias: config.mlpBias }
    loader.backbone = 'model'
    const isHead = tied && loader.has('lm_head.weight')
    this.table = isHead ? 'lm_head.weight' : 'model.embed_tokens.weight'
    this.#words = loader.hostTable(this.table, vocab, hidden)
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const layer = `model.layers.${i}`
      const self = `${layer}.self_attn`
      const [query, key, value] = loader.linears(
        [
          [`${self}.q_proj`, heads * headDim],
          [`${self}.k_proj`, kvHeads * headDim],
          [`${self}.v_proj`, kvHeads * headDim],
        ],
        hidden,
        bias,
      )
      return {
        inputNorm: loader.rmsNorm(`${layer}.input_layernorm`, hidden, eps, normOffset),
        query,
        key,
        value,
        attentionOutput: loader.linear(`${self}.o_proj`, hidden, heads * headDim, bias),
        mlpNorm: loader.rmsNorm(`${layer}.post_attention_layernorm`, hidden, eps, normOffset),
        gate: loader.linear(`${layer}.mlp.gate_proj`, intermediate, hidden, mlpBias),
        up: loader.linear(`${layer}.mlp.up_proj`, intermediate, hidden, mlpBias),
        down: loader.linear(`${layer}.mlp.down_proj`, hidden, intermediate, mlpBias),
      }
    })
    this.#norm = loader.rmsNorm('model.norm', hidden, eps, normOffset)
  }

  get dtype(): WeightDtype {
    return this.#words.dtype
  }

  get maxTokens(): number {
    return mostTokens
  }

  /** Layers that are loaded. */
  get layers(): number {
    return this.#layers.length
  }

  /**
   * The hidden states after each layer up to `last`, before the final norm: [tokens, hidden]; after `last` itself
   * [sequences, hidden], since only the scored tokens go through it. Starts from the embeddings (layer 0), or from
   * the states of another pass. A state is valid until the next.
   */
  *states(
    tape: Tape,
    batch: Batch,
    last: number,
    from?: { readonly layer: number; readonly x: Tensor },
  ): Generator<{ layer: number; x: Tensor }, void> {
    const { headDim } = this.config
    const positions = positionsOf(batch)
    const turns = this.#turnsFor(positions)
    const upload = (rows: Uint32Array<ArrayBuffer>) => tape.upload(rows, [rows.length], 'u32')
    const table = tape.upload(turns, [turns.length / headDim, headDim], 'f32')
    const all = {
      tiles: attentionTiles(tape, allSpans(batch), headDim),
      positions: upload(positions),
      turns: table,
    }
    const lastRows = scoredRows(batch, 'last')
    const scored = {
      rows: upload(lastRows),
      tiles: attentionTiles(tape, scoredSpans(batch, 'last'), headDim),
      positions: upload(lastRows.map((row) => positions[row] as number)),
      turns: table,
    }
    let x = from?.x ?? this.#embed(tape, batch)
    const first = from?.layer ?? 0
    if (first === 0) yield { layer: 0, x }
    for (const [i, layer] of this.#layers.slice(0, last).entries()) {
      if (i < first) continue
      const input = x
      x = tape.step([input], () =>
        i + 1 < last
          ? this.#layer(tape, input, input, layer, all, all)
          : this.#layer(tape, gatherRows(tape, input, scored.rows), input, layer, all, scored),
      )
      yield { layer: i + 1, x }
    }
  }

  /** The states of the scored tokens, [sequences, hidden], as a pass has them after a layer. */
  scoredStates(tape: Tape, x: Tensor, batch: Batch, isLast: boolean): Tensor {
    if (isLast) return x
    return gatherRows(tape, x, tape.upload(scoredRows(batch, 'last'), [batch.ends.length], 'u32'))
  }

  /** The final norm. */
  norm(tape: Tape, x: Tensor): Tensor {
    return rmsNorm(tape, x, this.#norm)
  }

  /** One layer: rows of `x` attend to all of `all`, which holds keys and values. */
  #layer(
    tape: Tape,
    x: Tensor,
    all: Tensor,
    layer: DecoderLayer,
    keyTables: Tables,
    queryTables: Tables,
  ): Tensor {
    const { headDim, window, activation, residualScale: scale } = this.config
    const attended = tape.step([], () => {
      const normed = rmsNorm(tape, all, layer.inputNorm)
      const own = x === all ? normed : rmsNorm(tape, x, layer.inputNorm)
      const [query, key, v] = queryKeyValue(tape, own, normed, layer)
      const q = rotary(tape, query, queryTables.positions, queryTables.turns)
      const k = rotary(tape, key, keyTables.positions, keyTables.turns)
      const context = attention(tape, q, k, v, queryTables.tiles, headDim, { causal: true, window })
      return linear(tape, context, layer.attentionOutput, { scale, plus: x })
    })
    const normed = rmsNorm(tape, attended, layer.mlpNorm)
    const gate = linear(tape, normed, layer.gate, { activation })
    const gated = linear(tape, normed, layer.up, { times: gate })
    return linear(tape, gated, layer.down, { scale, plus: attended })
  }

  #embed(tape: Tape, { ids }: Batch): Tensor {
    const { vocab, embeddingScale } = this.config
    const wrong = ids.find((id) => id >= vocab)
    if (wrong !== undefined) {
      throw new ModelError(
        'token-out-of-range',
        `token id ${wrong}; the model's vocabulary has ${vocab} rows`,
      )
    }
    return tape.step([], () =>
      embedRows(tape, gatherTable(tape, this.#words, ids), this.#words, embeddingScale),
    )
  }

  /** The rotary table up to the last of these positions. */
  #turnsFor(positions: Uint32Array): Float32Array<ArrayBuffer> {
    const { headDim, theta, ropeFactor } = this.config
    const needed = positions.reduce((most, position) => Math.max(most, position), 0) + 1
    if (this.#turns.length < needed * headDim) {
      this.#turns = rotaryTable(2 ** Math.ceil(Math.log2(needed)), headDim, theta, ropeFactor)
    }
    return this.#turns.subarray(0, needed * headDim)
  }
}

/** Where each token of a batch stands in its sequence. */
function positionsOf({ ids, runs }: Batch): Uint32Array<ArrayBuffer> {
  const positions = new Uint32Array(ids.length)
  for (const { start, length, position } of runs) {
    for (let i = 0; i < length; i++) positions[start + i] = position + i
  }
  return positions
}
