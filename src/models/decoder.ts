import { attention } from '../tensor/attention.ts'
import { embedRows, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import { type RmsNorm, rmsNorm } from '../tensor/rms-norm.ts'
import { rotary } from '../tensor/rotary.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type AttentionTables, attentionTables } from './attention-tables.ts'
import { type Backbone, type LayerRange, type LayerState, layerStates } from './backbone.ts'
import { type Batch, checkIds } from './batch.ts'
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
  readonly mlpNorm: RmsNorm
  readonly gate: Linear
  readonly up: Linear
  readonly down: Linear
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
  readonly causal = true
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
      return {
        inputNorm: weights.rmsNorm(`${layer}.input_layernorm`, hidden, eps, normOffset),
        query,
        key,
        value,
        queryNorm: headNorm('q_norm'),
        keyNorm: headNorm('k_norm'),
        attentionOutput: weights.linear(`${self}.o_proj`, hidden, heads * headDim, {
          bias: config.outputBias,
        }),
        mlpNorm: weights.rmsNorm(`${layer}.post_attention_layernorm`, hidden, eps, normOffset),
        gate: weights.linear(`${layer}.mlp.gate_proj`, intermediate, hidden, mlpBias),
        up: weights.linear(`${layer}.mlp.up_proj`, intermediate, hidden, mlpBias),
        down: weights.linear(`${layer}.mlp.down_proj`, hidden, intermediate, mlpBias),
      }
    })
    this.#rope = new RopeTable(headDim, config)
    this.#norm = weights.rmsNorm('model.norm', hidden, eps, normOffset)
  }

  get dtype() {
    return this.#words.dtype
  }

  get layers() {
    return this.#layers.length
  }

  *states(tape: Tape, batch: Batch, { from, to }: LayerRange): Generator<LayerState, void> {
    const { headDim } = this.config
    const positions = positionsOf(batch)
    const ropeTable = this.#rope.upload(tape, positions)
    const tables = attentionTables(tape, batch, headDim, 'last', positions)
    const start = from ?? { layer: 0, x: this.#embed(tape, batch) }
    yield* layerStates(tape, start, to, tables.rows, (i, x, all, which) => {
      const layer = this.#layers[i] as DecoderLayer
      const window = this.config.windows[i]
      return this.#layer(tape, layer, x, all, tables[which], tables.every, ropeTable, window)
    })
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
    { tiles, positions }: AttentionTables,
    keys: AttentionTables,
    ropeTable: Tensor,
    window = 0,
  ): Tensor {
    const { headDim, activation, residualScale: scale } = this.config
    const normed = (heads: Tensor, norm?: RmsNorm) => (norm ? rmsNorm(tape, heads, norm) : heads)
    const attended = tape.scope([], () => {
      const every = rmsNorm(tape, all, layer.inputNorm)
      const own = x === all ? every : rmsNorm(tape, x, layer.inputNorm)
      const [query, key, v] = queryKeyValue(tape, own, every, layer)
      const q = rotary(tape, normed(query, layer.queryNorm), positions, ropeTable)
      const k = rotary(tape, normed(key, layer.keyNorm), keys.positions, ropeTable)
      const context = attention(tape, q, k, v, tiles, headDim, { causal: true, window })
      return linear(tape, context, layer.attentionOutput, { scale, add: x })
    })
    const input = rmsNorm(tape, attended, layer.mlpNorm)
    const gate = linear(tape, input, layer.gate, { activation })
    const gated = linear(tape, input, layer.up, { multiply: gate })
    return linear(tape, gated, layer.down, { scale, add: attended })
  }

  #embed(tape: Tape, { ids }: Batch): Tensor {
    const { vocab, embeddingScale } = this.config
    checkIds('token id', ids, vocab)
    return tape.scope([], () =>
      embedRows(tape, gatherTable(tape, this.#words, ids), this.#words, embeddingScale),
    )
  }
}
