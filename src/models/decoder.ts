import { attention, type ScoreBias } from '../tensor/attention.ts'
import { embedRows, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import { meanRows } from '../tensor/mean-rows.ts'
import { type RmsNorm, rmsNorm } from '../tensor/rms-norm.ts'
import { rotary } from '../tensor/rotary.ts'
import { softCapBias } from '../tensor/soft-cap.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type AttentionTables, attentionTables } from './attention-tables.ts'
import {
  type Backbone,
  type LayerRange,
  type LayerState,
  layerStates,
  type Rows,
  type WatchAttention,
} from './backbone.ts'
import { type Batch, checkIds } from './batch.ts'
import { mergePassages } from './compression.ts'
import type { DecoderConfig } from './decoder-config.ts'
import { type QueryKeyValue, queryKeyValue } from './query-key-value.ts'
import { mostTokens, positionsOf, RopeTable } from './rope.ts'
import type { Weights } from './weights.ts'

interface DecoderLayer extends QueryKeyValue {
  readonly inputNorm: RmsNorm
  /** Norms of each head. */
  readonly queryNorm: RmsNorm | undefined
  readonly keyNorm: RmsNorm | undefined
  readonly attentionOutput: Linear
  /** Norms of what attention and MLP add. */
  readonly attentionOutputNorm: RmsNorm | undefined
  readonly mlpOutputNorm: RmsNorm | undefined
  readonly mlpNorm: RmsNorm
  readonly gate: Linear
  readonly up: Linear
  readonly down: Linear
}

/** What a layer computes with besides its weights. */
interface LayerContext {
  readonly own: AttentionTables
  readonly keys: AttentionTables
  readonly rope: Tensor
  readonly bias: ScoreBias | undefined
  readonly window: number | undefined
  readonly watch: WatchAttention | undefined
  /** The layer, from 1. */
  readonly number: number
}

/**
 * The decoder that Llama, Mistral, Qwen, Gemma and MiniCPM share: pre-norm layers of causal attention with rotary positions
 * and a gated MLP (Touvron et al. 2023). A sequence is scored at its last token.
 */
export class Decoder implements Backbone {
  /**
   * The name of the embeddings. Where the head is tied to them, a file may hold the table as the head alone, or twice; of
   * two, transformers 4 keeps the head's, which it reads last.
   */
  readonly table: string
  readonly #words: HostTable
  readonly #layers: readonly DecoderLayer[]
  readonly #norm: RmsNorm
  readonly #rope: RopeTable
  readonly causal: boolean
  readonly maxTokens = mostTokens

  /** @param layers how many of the model's layers are loaded, from the first */
  constructor(
    readonly config: DecoderConfig,
    weights: Weights,
    layers = config.layers,
  ) {
    const { vocab, hidden, heads, kvHeads, headDim, intermediate, eps, normOffset } = config
    const mlpBias = { bias: config.mlpBias }
    weights.backbone = 'model'
    const isHead = config.tied && weights.has('lm_head.weight')
    this.table = isHead ? 'lm_head.weight' : 'model.embed_tokens.weight'
    this.#words = weights.hostTable(this.table, vocab, hidden)
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const layer = `model.layers.${i}`
      const self = `${layer}.self_attn`
      const [query, key, value] = weights.linears(
        [
          [`${self}.q_proj`, heads * headDim],
          [`${self}.k_proj`, kvHeads * headDim],
          [`${self}.v_proj`, kvHeads * headDim],
        ],
        hidden,
        { bias: config.qkvBias },
      )
      const headNorm = (name: string) =>
        config.qkNorm ? weights.rmsNorm(`${self}.${name}`, headDim, eps, normOffset) : undefined
      const norm = (name: string) => weights.rmsNorm(`${layer}.${name}`, hidden, eps, normOffset)
      return {
        inputNorm: norm('input_layernorm'),
        query,
        key,
        value,
        queryNorm: headNorm('q_norm'),
        keyNorm: headNorm('k_norm'),
        attentionOutput: weights.linear(`${self}.o_proj`, hidden, heads * headDim, {
          bias: config.outputBias,
        }),
        ...normsOf(config, norm),
        gate: weights.linear(`${layer}.mlp.gate_proj`, intermediate, hidden, mlpBias),
        up: weights.linear(`${layer}.mlp.up_proj`, intermediate, hidden, mlpBias),
        down: weights.linear(`${layer}.mlp.down_proj`, hidden, intermediate, mlpBias),
      }
    })
    this.#rope = new RopeTable(headDim, config)
    this.causal = config.scaling?.type !== 'dynamic'
    this.#norm = weights.rmsNorm('model.norm', hidden, eps, normOffset)
  }

  get dtype() {
    return this.#words.dtype
  }

  get layers() {
    return this.#layers.length
  }

  *states(
    tape: Tape,
    batch: Batch,
    { from, to, compression, watch }: LayerRange,
  ): Generator<LayerState, void> {
    const { headDim, windows, attentionCap } = this.config
    // Merging makes no position larger.
    const { table: rope, rows: positions } = this.#rope.upload(tape, batch)
    const bias = attentionCap > 0 ? softCapBias(tape, attentionCap) : undefined
    let tables = attentionTables(tape, batch, headDim, 'last', positions)
    const start = from ?? { layer: 0, x: this.#embed(tape, batch) }
    const merge = (i: number, rows: Rows): Rows => {
      if (!compression?.layers.includes(i)) return rows
      const merged = mergePassages(rows.batch, compression.ratio)
      const upload = (numbers: Uint32Array<ArrayBuffer>) =>
        tape.upload(numbers, [numbers.length], 'u32')
      const [starts, lengths] = [upload(merged.starts), upload(merged.lengths)]
      const x = tape.scope([rows.x], () => meanRows(tape, rows.x, starts, lengths))
      tables = attentionTables(tape, merged.batch, headDim, 'last', positionsOf(merged.batch))
      return { batch: merged.batch, x, scored: tables.rows }
    }
    const rows = { ...start, batch, scored: tables.rows }
    yield* layerStates(
      tape,
      rows,
      to,
      (i, x, all, which) => {
        const [own, keys] = [tables[which], tables.every]
        const seen = which === 'every' ? watch : undefined
        const context = { own, keys, rope, bias, window: windows[i], watch: seen, number: i + 1 }
        return this.#layer(tape, this.#layers[i] as DecoderLayer, x, all, context)
      },
      merge,
    )
  }

  /** The final norm. */
  output(tape: Tape, scored: Tensor): Tensor {
    return rmsNorm(tape, scored, this.#norm)
  }

  /** One layer: rows of `x` attend to all of `all`, which holds keys and values. */
  #layer(
    tape: Tape,
    layer: DecoderLayer,
    x: Tensor,
    all: Tensor,
    { own: { tiles, positions }, keys, rope, bias, window = 0, watch, number }: LayerContext,
  ): Tensor {
    const { headDim, activation, attentionScale: scale } = this.config
    const normed = (heads: Tensor, norm?: RmsNorm) => (norm ? rmsNorm(tape, heads, norm) : heads)
    const attended = tape.scope([], () => {
      const every = rmsNorm(tape, all, layer.inputNorm)
      const own = x === all ? every : rmsNorm(tape, x, layer.inputNorm)
      const [query, key, v] = queryKeyValue(tape, own, every, layer)
      const pair = [normed(query, layer.queryNorm), normed(key, layer.keyNorm)] as const
      const [q, k] = rotary(tape, pair, [positions, keys.positions], rope)
      const options = { causal: true, window, scale, bias }
      const attend = (values: Tensor) => attention(tape, q, k, values, tiles, headDim, options)
      watch?.({ layer: number, headDim, values: v, attend })
      const context = attend(v)
      return this.#add(tape, x, context, layer.attentionOutput, layer.attentionOutputNorm)
    })
    const input = rmsNorm(tape, attended, layer.mlpNorm)
    const gate = linear(tape, input, layer.gate, { activation })
    const gated = linear(tape, input, layer.up, { multiply: gate })
    return this.#add(tape, attended, gated, layer.down, layer.mlpOutputNorm)
  }

  /** What a part of a layer makes of the residual stream x by its output y. */
  #add(tape: Tape, x: Tensor, y: Tensor, output: Linear, norm: RmsNorm | undefined): Tensor {
    const { residualScale: scale } = this.config
    if (!norm) return linear(tape, y, output, { scale, add: x })
    return rmsNorm(tape, linear(tape, y, output, { scale }), norm, x)
  }

  #embed(tape: Tape, { ids }: Batch): Tensor {
    const { vocab, embeddingScale } = this.config
    checkIds('token id', ids, vocab)
    return tape.scope([], () =>
      embedRows(tape, gatherTable(tape, this.#words, ids), this.#words, embeddingScale),
    )
  }
}

/** The norms of a layer by their names: what is named as if it followed attention is read before the MLP where there is no other. */
function normsOf({ outputNorms }: DecoderConfig, norm: (name: string) => RmsNorm) {
  const afterAttention = norm('post_attention_layernorm')
  if (!outputNorms) {
    return { mlpNorm: afterAttention, attentionOutputNorm: undefined, mlpOutputNorm: undefined }
  }
  return {
    attentionOutputNorm: afterAttention,
    mlpNorm: norm('pre_feedforward_layernorm'),
    mlpOutputNorm: norm('post_feedforward_layernorm'),
  }
}
