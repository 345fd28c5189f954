import { type AttentionTiles, attention, attentionTiles } from '../tensor/attention.ts'
import { embed, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { type LayerNorm, layerNorm } from '../tensor/layer-norm.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor, Weight } from '../tensor/tensor.ts'
import { type Backbone, type LayerRange, type LayerState, layerStates } from './backbone.ts'
import { allSpans, type Batch, checkIds, scoredRows, scoredSpans } from './batch.ts'
import type { EncoderConfig } from './encoder-config.ts'
import { ModelError } from './errors.ts'
import { type QueryKeyValue, queryKeyValue } from './query-key-value.ts'
import type { Weights } from './weights.ts'

interface EncoderLayer extends QueryKeyValue {
  readonly attentionOutput: Linear
  readonly attentionNorm: LayerNorm
  readonly intermediate: Linear
  readonly output: Linear
  readonly outputNorm: LayerNorm
}

/**
 * The encoder that BERT, RoBERTa and XLM-R share (Devlin et al. 2019): post-norm layers of attention in both directions. A
 * sequence is scored at its first token.
 */
export class Encoder implements Backbone {
  readonly #words: HostTable
  readonly #types: Weight
  readonly #positions: Weight
  readonly #embeddingNorm: LayerNorm
  readonly #layers: readonly EncoderLayer[]
  readonly causal = false

  /** @param prefix what the checkpoint calls the encoder, such as `bert` */
  constructor(
    readonly config: EncoderConfig,
    weights: Weights,
    prefix: string,
  ) {
    const { vocab, hidden, positions, types, intermediate, eps, layers } = config
    weights.backbone = prefix
    const name = `${prefix}.embeddings`
    this.#words = weights.hostTable(`${name}.word_embeddings.weight`, vocab, hidden)
    const { dtype } = this.#words
    this.#positions = weights.table(`${name}.position_embeddings.weight`, positions, hidden, dtype)
    this.#types = weights.table(`${name}.token_type_embeddings.weight`, types, hidden, dtype)
    this.#embeddingNorm = weights.layerNorm(`${name}.LayerNorm`, hidden, eps)
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const layer = `${prefix}.encoder.layer.${i}`
      const self = `${layer}.attention.self`
      const [query, key, value] = weights.linears(
        [
          [`${self}.query`, hidden],
          [`${self}.key`, hidden],
          [`${self}.value`, hidden],
        ],
        hidden,
      )
      return {
        query,
        key,
        value,
        attentionOutput: weights.linear(`${layer}.attention.output.dense`, hidden, hidden),
        attentionNorm: weights.layerNorm(`${layer}.attention.output.LayerNorm`, hidden, eps),
        intermediate: weights.linear(`${layer}.intermediate.dense`, intermediate, hidden),
        output: weights.linear(`${layer}.output.dense`, hidden, intermediate),
        outputNorm: weights.layerNorm(`${layer}.output.LayerNorm`, hidden, eps),
      }
    })
  }

  get dtype() {
    return this.#words.dtype
  }

  get layers() {
    return this.#layers.length
  }

  /** The longest sequence that the table of positions has rows for. */
  get maxTokens() {
    const { positions, padId } = this.config
    return positions - (padId === undefined ? 0 : padId + 1)
  }

  *states(tape: Tape, batch: Batch, { from, to }: LayerRange): Generator<LayerState, void> {
    const headDim = this.config.hidden / this.config.heads
    const tiles = {
      every: attentionTiles(tape, allSpans(batch), headDim),
      scored: attentionTiles(tape, scoredSpans(batch, 'first'), headDim),
    }
    const rows = tape.upload(scoredRows(batch, 'first'), [batch.ends.length], 'u32')
    const start = from ?? { layer: 0, x: this.#embed(tape, batch) }
    yield* layerStates(tape, start, to, rows, (i, x, all, which) =>
      this.#layer(tape, this.#layers[i] as EncoderLayer, x, all, tiles[which]),
    )
  }

  output(_tape: Tape, scored: Tensor): Tensor {
    return scored
  }

  /** One layer: rows of `x` attend to all of `all`, which holds keys and values. */
  #layer(tape: Tape, layer: EncoderLayer, x: Tensor, all: Tensor, tiles: AttentionTiles): Tensor {
    const { hidden, heads, activation } = this.config
    const attended = tape.scope([], () => {
      const [q, k, v] = queryKeyValue(tape, x, all, layer)
      const context = attention(tape, q, k, v, tiles, hidden / heads)
      const projected = linear(tape, context, layer.attentionOutput, { add: x })
      return layerNorm(tape, projected, layer.attentionNorm)
    })
    const up = linear(tape, attended, layer.intermediate, { activation })
    const down = linear(tape, up, layer.output, { add: attended })
    return layerNorm(tape, down, layer.outputNorm)
  }

  #embed(tape: Tape, batch: Batch): Tensor {
    const { ids, types } = batch
    const { vocab, types: typeCount } = this.config
    checkIds('token id', ids, vocab)
    checkIds('token type', types, typeCount)
    const positions = this.#positionIds(batch)
    return tape.scope([], () => {
      const upload = (rows: Uint32Array<ArrayBuffer>) => tape.upload(rows, [rows.length], 'u32')
      const sum = embed(
        tape,
        gatherTable(tape, this.#words, ids),
        { table: this.#types, rows: upload(types) },
        { table: this.#positions, rows: upload(positions) },
      )
      return layerNorm(tape, sum, this.#embeddingNorm)
    })
  }

  /** Positions as the reference counts them (RoBERTa: `create_position_ids_from_input_ids`). */
  #positionIds({ ids, runs }: Batch): Uint32Array<ArrayBuffer> {
    const { padId, positions } = this.config
    const found = new Uint32Array(ids.length)
    for (const { start, length } of runs) {
      let next = padId === undefined ? 0 : padId + 1
      for (let i = start; i < start + length; i++) {
        found[i] = padId !== undefined && ids[i] === padId ? padId : next++
      }
      if (next > positions) {
        throw new ModelError(
          'sequence-too-long',
          `a sequence of ${length} tokens; the model has positions for ${this.maxTokens}`,
        )
      }
    }
    return found
  }
}
