import { type Config, show } from '../checkpoint/index.ts'
import { type AttentionTiles, attention, attentionTiles } from '../tensor/attention.ts'
import { embed, gatherTable, type HostTable } from '../tensor/embedding.ts'
import { gatherRows } from '../tensor/gather_rows.ts'
import { type LayerNorm, layerNorm } from '../tensor/layer_norm.ts'
import { type Activation, type Linear, linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor, WeightDtype } from '../tensor/tensor.ts'
import type { Weight } from '../tensor/weights.ts'
import { allSpans, type Batch, scoredRows, scoredSpans } from './batch.ts'
import { activationOf, type FamilyKeys, settleKeys, unsupported } from './config-keys.ts'
import { ModelError } from './errors.ts'
import type { WeightLoader } from './loader.ts'
import { type QueryKeyValue, queryKeyValue } from './query_key_value.ts'

/** What config.json says of an XLM-R sequence classifier. */
export interface XlmRobertaConfig {
  readonly vocab: number
  readonly hidden: number
  readonly heads: number
  readonly intermediate: number
  readonly layers: number
  /** Rows of the position table; the first `padId + 1` are never used by a token. */
  readonly positions: number
  readonly kinds: number
  readonly eps: number
  readonly padId: number
  readonly activation: Activation
}

/** The names that `architectures` gives this model. */
export const xlmRobertaArchitecture = 'XLMRobertaForSequenceClassification'

const xlmRobertaKeys: FamilyKeys = {
  name: xlmRobertaArchitecture,
  only: {
    position_embedding_type: 'absolute',
    is_decoder: false,
    is_encoder_decoder: false,
    add_cross_attention: false,
  },
  // The class has no head over words that a table could be tied to.
  inert: [
    ...['hidden_dropout_prob', 'attention_probs_dropout_prob', 'classifier_dropout'],
    'tie_word_embeddings',
  ],
}

/** Reads and checks the config of `XLMRobertaForSequenceClassification`. */
export function xlmRobertaConfig(config: Config): XlmRobertaConfig {
  const size = (key: string) => config.integer(key, { min: 1, max: 2 ** 24 })
  const labels = labelCount(config)
  if (labels !== 1) {
    throw new ModelError(
      'config-unsupported',
      `${config.file}: the model has ${labels} labels; a reranker has one. Its scores would mean something else`,
    )
  }
  const hidden = size('hidden_size')
  const heads = size('num_attention_heads')
  if (hidden % heads !== 0 || hidden / heads > 256) {
    throw new ModelError(
      'config-unsupported',
      `${config.file}: hidden_size ${hidden} with ${heads} heads; expected a multiple with heads of at most 256 numbers`,
    )
  }
  const positions = size('max_position_embeddings')
  const read = {
    vocab: size('vocab_size'),
    hidden,
    heads,
    intermediate: size('intermediate_size'),
    layers: config.integer('num_hidden_layers', { min: 1, max: 1024 }),
    positions,
    kinds: size('type_vocab_size'),
    eps: config.number('layer_norm_eps', { min: 0, default: 1e-12 }),
    padId: config.integer('pad_token_id', { min: 0, max: positions - 2, default: 1 }),
    activation: activationOf(config, 'hidden_act', 'gelu'),
  }
  settleKeys(config, xlmRobertaKeys)
  return read
}

/** Labels as transformers counts them: by the numbers that id2label has names for, else num_labels. */
function labelCount(config: Config): number {
  const keys = config.keys('id2label', { default: undefined })
  if (!keys) return config.integer('num_labels', { default: 2 })
  const wrong = keys.find((key) => !/^\s*[+-]?\d+\s*$/.test(key))
  if (wrong !== undefined) {
    throw unsupported(config, 'id2label', `expected numbers as keys, not ${show(wrong)}`)
  }
  return new Set(keys.map(Number)).size
}

interface EncoderLayer extends QueryKeyValue {
  readonly activation: Activation
  readonly attentionOutput: Linear
  readonly attentionNorm: LayerNorm
  readonly intermediate: Linear
  readonly output: Linear
  readonly outputNorm: LayerNorm
}

/** The tables of a batch that every layer reads. */
interface Tables {
  /** Attention tiles of all tokens. */
  readonly tiles: AttentionTiles
  /** The scored tokens, and their attention tiles. */
  readonly scored: Tensor
  readonly scoredTiles: AttentionTiles
}

/**
 * XLM-RoBERTa for sequence classification (Conneau et al. 2020; transformers'
 * `XLMRobertaForSequenceClassification`): a post-norm encoder, scored at its first token.
 */
export class XlmRoberta {
  readonly #words: HostTable
  readonly #kinds: Weight
  readonly #positions: Weight
  readonly #embeddingNorm: LayerNorm
  readonly #layers: readonly EncoderLayer[]
  readonly #dense: Linear
  readonly #outProj: Linear

  constructor(
    readonly config: XlmRobertaConfig,
    loader: WeightLoader,
  ) {
    const { vocab, hidden, positions, kinds, intermediate, eps, layers, activation } = config
    loader.backbone = 'roberta'
    const name = 'roberta.embeddings'
    this.#words = loader.hostTable(`${name}.word_embeddings.weight`, vocab, hidden)
    const { dtype } = this.#words
    this.#positions = loader.table(`${name}.position_embeddings.weight`, positions, hidden, dtype)
    this.#kinds = loader.table(`${name}.token_type_embeddings.weight`, kinds, hidden, dtype)
    this.#embeddingNorm = loader.layerNorm(`${name}.LayerNorm`, hidden, eps)
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const layer = `roberta.encoder.layer.${i}`
      const self = `${layer}.attention.self`
      const [query, key, value] = loader.linears(
        [
          [`${self}.query`, hidden],
          [`${self}.key`, hidden],
          [`${self}.value`, hidden],
        ],
        hidden,
      )
      return {
        activation,
        query,
        key,
        value,
        attentionOutput: loader.linear(`${layer}.attention.output.dense`, hidden, hidden),
        attentionNorm: loader.layerNorm(`${layer}.attention.output.LayerNorm`, hidden, eps),
        intermediate: loader.linear(`${layer}.intermediate.dense`, intermediate, hidden),
        output: loader.linear(`${layer}.output.dense`, hidden, intermediate),
        outputNorm: loader.layerNorm(`${layer}.output.LayerNorm`, hidden, eps),
      }
    })
    this.#dense = loader.linear('classifier.dense', hidden, hidden)
    this.#outProj = loader.linear('classifier.out_proj', 1, hidden)
  }

  /** How the weights lie on the device. */
  get dtype(): WeightDtype {
    return this.#words.dtype
  }

  /** The longest sequence that the position table has rows for. */
  get maxTokens(): number {
    return this.config.positions - this.config.padId - 1
  }

  /** A token sees those after it: what comes before a passage has other states with each. */
  readonly sharesPrefixes = false

  /** The score of each sequence, f32 [sequences, 1]: the head on the last layer's first tokens. */
  scores(tape: Tape, batch: Batch): Tensor[] {
    let last: Tensor | undefined
    for (const { x } of this.states(tape, batch)) last = x
    const first = last as Tensor
    const scores = tape.step([first], () => {
      const pooled = linear(tape, first, this.#dense, { activation: 'tanh' })
      return linear(tape, pooled, this.#outProj, { dtype: 'f32' })
    })
    return [scores]
  }

  /**
   * The hidden states after the embeddings (layer 0) and after each layer: [tokens, hidden], after the last
   * layer [sequences, hidden], since only the scored tokens go through it. A state is valid until the next.
   */
  *states(tape: Tape, batch: Batch): Generator<{ layer: number; x: Tensor }, void> {
    const headDim = this.config.hidden / this.config.heads
    const tables = this.#tables(tape, batch)
    let x = this.#embed(tape, batch)
    yield { layer: 0, x }
    for (const [i, layer] of this.#layers.entries()) {
      const input = x
      x = tape.step([input], () =>
        i + 1 < this.#layers.length
          ? encoderLayer(tape, input, input, layer, tables.tiles, headDim)
          : encoderLayer(
              tape,
              gatherRows(tape, input, tables.scored),
              input,
              layer,
              tables.scoredTiles,
              headDim,
            ),
      )
      yield { layer: i + 1, x }
    }
  }

  #embed(tape: Tape, batch: Batch): Tensor {
    const { ids } = batch
    const positions = this.#positionIds(batch)
    return tape.step([], () => {
      const word = gatherTable(tape, this.#words, ids)
      const position = tape.upload(positions, [ids.length], 'u32')
      const sum = embed(tape, word, this.#kinds, this.#positions, position)
      return layerNorm(tape, sum, this.#embeddingNorm)
    })
  }

  #tables(tape: Tape, batch: Batch): Tables {
    const headDim = this.config.hidden / this.config.heads
    return {
      tiles: attentionTiles(tape, allSpans(batch), headDim),
      scored: tape.upload(scoredRows(batch, 'first'), [batch.ends.length], 'u32'),
      scoredTiles: attentionTiles(tape, scoredSpans(batch, 'first'), headDim),
    }
  }

  /**
   * Positions as the reference counts them (`create_position_ids_from_input_ids`): from padId + 1 up; a
   * token that is padId itself has position padId and is not counted. Ids and positions are checked here:
   * on the device a read outside a table gives a plausible wrong score.
   */
  #positionIds({ ids, runs }: Batch): Uint32Array<ArrayBuffer> {
    const { padId, positions, vocab } = this.config
    const found = new Uint32Array(ids.length)
    for (const { start, length } of runs) {
      let next = padId + 1
      for (let i = start; i < start + length; i++) {
        const id = ids[i] as number
        if (id >= vocab) {
          throw new ModelError(
            'token-out-of-range',
            `token id ${id}; the model's vocabulary has ${vocab} rows`,
          )
        }
        found[i] = id === padId ? padId : next++
      }
      if (next > positions) {
        throw new ModelError(
          'sequence-too-long',
          `a sequence of ${next - padId - 1} tokens; the model has positions for ${this.maxTokens}`,
        )
      }
    }
    return found
  }
}

/** One layer: rows of `x` attend to all of `all`, which holds keys and values. */
function encoderLayer(
  tape: Tape,
  x: Tensor,
  all: Tensor,
  layer: EncoderLayer,
  tiles: AttentionTiles,
  headDim: number,
): Tensor {
  const attended = tape.step([], () => {
    const [q, k, v] = queryKeyValue(tape, x, all, layer)
    const context = attention(tape, q, k, v, tiles, headDim)
    const projected = linear(tape, context, layer.attentionOutput, { plus: x })
    return layerNorm(tape, projected, layer.attentionNorm)
  })
  const raised = linear(tape, attended, layer.intermediate, { activation: layer.activation })
  const lowered = linear(tape, raised, layer.output, { plus: attended })
  return layerNorm(tape, lowered, layer.outputNorm)
}
