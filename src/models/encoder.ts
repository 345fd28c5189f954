import { alibiBias } from '../tensor/alibi.ts'
import { attention, type ScoreBias } from '../tensor/attention.ts'
import { embed, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { type LayerNorm, layerNorm } from '../tensor/layer-norm.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import { rotary } from '../tensor/rotary.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor, Weight } from '../tensor/tensor.ts'
import { isQuantized } from '../weight-dtypes.ts'
import { type AttentionTables, attentionTables } from './attention-tables.ts'
import {
  type Backbone,
  type LayerRange,
  type LayerState,
  layerStates,
  type WatchAttention,
} from './backbone.ts'
import { type Batch, checkIds } from './batch.ts'
import { Convolution } from './convolution.ts'
import type { EncoderConfig } from './encoder-config.ts'
import { bertNames, type EncoderNames } from './encoder-names.ts'
import { ModelError } from './errors.ts'
import { type QueryKeyValue, queryKeyValue } from './query-key-value.ts'
import { type LayerBias, RelativePositions } from './relative-positions.ts'
import { mostTokens, RopeTable } from './rope.ts'
import type { Weights } from './weights.ts'

interface EncoderLayer extends QueryKeyValue {
  /** Norms over all heads together. */
  readonly queryNorm: LayerNorm | undefined
  readonly keyNorm: LayerNorm | undefined
  readonly attentionOutput: Linear
  readonly attentionNorm: LayerNorm
  /** Of the layer's input and what its attention gave. */
  readonly middleNorm: LayerNorm | undefined
  readonly up: Linear
  readonly gate: Linear | undefined
  readonly down: Linear
  readonly outputNorm: LayerNorm
}

/** What a layer computes with besides its weights. */
interface LayerContext {
  readonly own: AttentionTables<Tensor | undefined>
  readonly keys: AttentionTables<Tensor | undefined>
  readonly rope: Tensor | undefined
  readonly biasOf: ((q: Tensor, k: Tensor) => ScoreBias) | undefined
  readonly watch: WatchAttention | undefined
  /** The layer, from 1. */
  readonly number: number
}

/**
 * The encoder that BERT, RoBERTa, XLM-R, ELECTRA, DeBERTa, JinaBERT and GTE share (Devlin et al. 2019): post-norm layers of
 * attention in both directions. A sequence is scored at its first token.
 */
export class Encoder implements Backbone {
  /** The table of words, [vocab, embedding]. */
  readonly words: HostTable
  readonly #types: Weight | undefined
  readonly #positions: Weight | undefined
  readonly #embeddingNorm: LayerNorm
  readonly #projection: Linear | undefined
  readonly #convolution: Convolution | undefined
  readonly #relative: RelativePositions | undefined
  readonly #layers: readonly EncoderLayer[]
  readonly #rope: RopeTable | undefined
  readonly causal = false

  /**
   * @param prefix what the checkpoint calls the encoder, such as `bert`
   * @param names what it calls the tensors
   * @param words the table of another encoder, where they share it
   */
  constructor(
    readonly config: EncoderConfig,
    weights: Weights,
    prefix: string,
    readonly names: EncoderNames = bertNames,
    words?: HostTable,
  ) {
    const { vocab, hidden, heads, positions, types, intermediate, eps, layers, rope } = config
    const { embedding = hidden, relative, convolution } = config
    const { embeddingProjection: projection } = names
    weights.backbone = prefix
    this.words =
      words ?? weights.hostTable(`${prefix}.embeddings.word_embeddings.weight`, vocab, embedding)
    const { dtype } = this.words
    const tableDtype = isQuantized(dtype) ? 'f16' : dtype
    const table = (name: string, rows: number) =>
      rows > 0
        ? weights.table(`${prefix}.embeddings.${name}.weight`, rows, embedding, tableDtype)
        : undefined
    this.#positions = table('position_embeddings', positions)
    this.#types = table('token_type_embeddings', types)
    const normWidth = projection?.at === 'after norm' ? embedding : hidden
    this.#embeddingNorm = weights.layerNorm(`${prefix}.${names.embeddingNorm}`, normWidth, eps)
    this.#projection =
      projection && embedding !== hidden
        ? weights.linear(`${prefix}.${projection.name}`, hidden, embedding, {
            bias: projection.at === 'after norm',
          })
        : undefined
    this.#rope = rope && new RopeTable(hidden / heads, rope)
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const at = (name: string) => `${prefix}.${names.layers}.${i}.${name}`
      const norm = (name: string) => weights.layerNorm(at(name), hidden, eps)
      const [query, key, value] =
        typeof names.queryKeyValue === 'string'
          ? weights.packedLinears(at(names.queryKeyValue), [hidden, hidden, hidden], hidden)
          : weights.linears(
              names.queryKeyValue.map((name) => [at(name), hidden] as const) as [
                readonly [string, number],
                readonly [string, number],
                readonly [string, number],
              ],
              hidden,
            )
      return {
        query,
        key,
        value,
        queryNorm: names.queryNorm ? norm(names.queryNorm) : undefined,
        keyNorm: names.keyNorm ? norm(names.keyNorm) : undefined,
        attentionOutput: weights.linear(at(names.attentionOutput), hidden, hidden),
        attentionNorm: norm(names.attentionNorm),
        middleNorm: names.middleNorm ? norm(names.middleNorm) : undefined,
        ...this.#upAndGate(weights, at(names.up), intermediate, hidden, names.gate),
        down: weights.linear(at(names.down), hidden, intermediate),
        outputNorm: norm(names.outputNorm),
      }
    })
    this.#convolution =
      convolution && new Convolution(convolution, weights, `${prefix}.encoder.conv`, config)
    this.#relative =
      relative && new RelativePositions(relative, config, weights, prefix, this.#layers)
  }

  /** The layers that widen: one, or two that a checkpoint holds as one without bias. */
  #upAndGate(
    weights: Weights,
    name: string,
    columns: number,
    inner: number,
    gateIs: EncoderNames['gate'],
  ): { up: Linear; gate: Linear | undefined } {
    if (!gateIs) return { up: weights.linear(name, columns, inner), gate: undefined }
    const [a, b] = weights.packedLinears(name, [columns, columns], inner, { bias: false })
    return gateIs === 'first' ? { gate: a, up: b } : { up: a, gate: b }
  }

  get dtype() {
    return this.words.dtype
  }

  get layers() {
    return this.#layers.length
  }

  /** The longest sequence that the table of positions has rows for, where there is one. */
  get maxTokens() {
    const { positions, padId } = this.config
    if (positions === 0) return mostTokens
    return positions - (padId === undefined ? 0 : padId + 1)
  }

  *states(tape: Tape, batch: Batch, { from, to, watch }: LayerRange): Generator<LayerState, void> {
    const headDim = this.config.hidden / this.config.heads
    const turns = this.#rope?.upload(tape, batch)
    const ropeTable = turns?.table
    const tables = attentionTables(tape, batch, headDim, 'first', turns?.rows)
    const spansOf = (which: 'every' | 'scored') => this.#convolution?.spans(tape, batch, which)
    const spans = { every: spansOf('every'), scored: spansOf('scored') }
    const bias = this.#bias(tape, batch)
    const start = from ?? { layer: 0, x: this.#embed(tape, batch) }
    const rows = { ...start, batch, scored: tables.rows }
    yield* layerStates(tape, rows, to, (i, x, all, which) => {
      const layer = this.#layers[i] as EncoderLayer
      const context = {
        own: tables[which],
        keys: tables.every,
        rope: ropeTable,
        biasOf: bias && ((q: Tensor, k: Tensor) => bias(i, q, k, which)),
        watch: which === 'every' ? watch : undefined,
        number: i + 1,
      }
      const y = this.#layer(tape, layer, x, all, context)
      const own = spans[which]
      if (i > 0 || !own) return y
      return this.#convolution?.run(tape, all, own, y) ?? y
    })
  }

  output(_tape: Tape, scored: Tensor): Tensor {
    return scored
  }

  /** What is added to the scores of a pass, where there is something. */
  #bias(tape: Tape, batch: Batch): LayerBias | undefined {
    if (this.#relative) return this.#relative.pass(tape, batch)
    if (!this.config.alibi) return undefined
    const bias = alibiBias(tape, this.config.heads)
    return () => bias
  }

  /** One layer: rows of `x` attend to all of `all`, which holds keys and values. */
  #layer(
    tape: Tape,
    layer: EncoderLayer,
    x: Tensor,
    all: Tensor,
    { own: { tiles, positions }, keys, rope, biasOf, watch, number }: LayerContext,
  ): Tensor {
    const { hidden, heads, activation, scoreScale } = this.config
    const headDim = hidden / heads
    const normed = (x: Tensor, norm?: LayerNorm) => (norm ? layerNorm(tape, x, norm) : x)
    const attended = tape.scope([], () => {
      const [query, key, v] = queryKeyValue(tape, x, all, layer)
      const pair = [normed(query, layer.queryNorm), normed(key, layer.keyNorm)] as const
      const [q, k] =
        rope && positions && keys.positions
          ? rotary(tape, pair, [positions, keys.positions], rope)
          : pair
      const options = { ...(scoreScale && { scale: scoreScale }), bias: biasOf?.(q, k) }
      const attend = (values: Tensor) => attention(tape, q, k, values, tiles, headDim, options)
      watch?.({ layer: number, headDim, values: v, attend })
      const context = attend(v)
      const projected = linear(tape, context, layer.attentionOutput, { add: x })
      const { attentionNorm, middleNorm } = layer
      if (!middleNorm) return layerNorm(tape, projected, attentionNorm)
      return layerNorm(tape, layerNorm(tape, projected, attentionNorm, x), middleNorm)
    })
    const gate = layer.gate && linear(tape, attended, layer.gate, { activation })
    const up = linear(tape, attended, layer.up, gate ? { multiply: gate } : { activation })
    const down = linear(tape, up, layer.down, { add: attended })
    return layerNorm(tape, down, layer.outputNorm)
  }

  #embed(tape: Tape, batch: Batch): Tensor {
    const { ids, types } = batch
    const { vocab, types: typeCount } = this.config
    checkIds('token id', ids, vocab)
    if (typeCount > 0) checkIds('token type', types, typeCount)
    const upload = (rows: Uint32Array<ArrayBuffer>) => tape.upload(rows, [rows.length], 'u32')
    const type = this.#types && { table: this.#types, rows: types }
    const position = this.#positions && {
      table: this.#positions,
      rows: this.#positionIds(batch),
    }
    return tape.scope([], () => {
      const sum = embed(tape, gatherTable(tape, this.words, ids), this.words, {
        ...(type && { type: { table: type.table, rows: upload(type.rows) } }),
        ...(position && { position: { table: position.table, rows: upload(position.rows) } }),
      })
      return this.#projected(tape, sum)
    })
  }

  /** The norm of the embeddings, and the layer that widens them, before or after it. */
  #projected(tape: Tape, x: Tensor): Tensor {
    const projection = this.#projection
    if (!projection) return layerNorm(tape, x, this.#embeddingNorm)
    return this.names.embeddingProjection?.at === 'before norm'
      ? layerNorm(tape, linear(tape, x, projection), this.#embeddingNorm)
      : linear(tape, layerNorm(tape, x, this.#embeddingNorm), projection)
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
