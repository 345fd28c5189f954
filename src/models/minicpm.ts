import type { Config } from '../checkpoint/index.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch } from './batch.ts'
import { activationOf, type FamilyKeys, settleKeys } from './config-keys.ts'
import {
  checkLayerTypes,
  Decoder,
  type DecoderConfig,
  decoderSizes,
  inertDecoderKeys,
  onlyDecoderKeys,
} from './decoder.ts'
import { ModelError } from './errors.ts'
import type { WeightLoader } from './loader.ts'
import { ropeConfig } from './rope-config.ts'

/** The name that `architectures` gives this model. */
export const minicpmArchitecture = 'LayerWiseMiniCPMForCausalLM'

/** What config.json says of a layerwise MiniCPM reranker. */
export interface MiniCpmConfig extends DecoderConfig {
  /** The first layer that has a score; all later ones have one too. */
  readonly startLayer: number
  /** `simple`: a head of one number; `raw` and `complex`: a vocabulary's logits, of which the reference takes the last. */
  readonly headType: 'simple' | 'raw' | 'complex'
  /** Whether each layer has its own head. */
  readonly headMulti: boolean
  /** Whether the one `raw` head is the table of the embeddings; heads of the other kinds never are. */
  readonly tied: boolean
  /** What `raw` and `complex` heads multiply the normed state by. */
  readonly headScale: number
}

const minicpmKeys: FamilyKeys = {
  name: minicpmArchitecture,
  only: onlyDecoderKeys,
  inert: [...inertDecoderKeys, 'pretraining_tp'],
}

/** Reads and checks the config of MiniCPM (Hu et al. 2024) with heads on its layers, as FlagEmbedding has it. */
export function minicpmConfig(config: Config): MiniCpmConfig {
  const sizes = decoderSizes(config)
  const base = config.number('dim_model_base', { min: 1, default: 1 })
  const headType = config.string('head_type', {
    allowed: ['simple', 'raw', 'complex'],
    default: 'simple' as const,
  })
  const headMulti = config.boolean('head_multi', { default: true, null: false })
  const tied = config.boolean('tie_word_embeddings', { default: true, null: false })
  // Split heads forget the scale in the reference; elsewhere the split changes no result.
  if (headType !== 'simple') config.integer('pretraining_tp', { min: 1, max: 1, default: 1 })
  checkLayerTypes(config, minicpmKeys.name, sizes.layers, 0)
  const read = {
    ...sizes,
    ...ropeConfig(config),
    activation: activationOf(config, 'hidden_act', 'silu'),
    embeddingScale: config.number('scale_emb', { default: 1 }),
    residualScale: config.number('scale_depth', { default: 1 }) / Math.sqrt(sizes.layers),
    startLayer: config.integer('start_layer', { min: 1, max: sizes.layers, default: 8 }),
    headType,
    headMulti,
    tied: tied && headType === 'raw' && !headMulti,
    headScale: base / sizes.hidden,
  }
  settleKeys(config, minicpmKeys)
  return read
}

/** Layerwise MiniCPM: a score after each layer from `startLayer` on. */
export class MiniCpm {
  readonly decoder: Decoder
  readonly #heads: ReadonlyMap<number, Linear>

  /** @param last the last layer that is loaded: no score above it can be asked for */
  constructor(
    readonly config: MiniCpmConfig,
    loader: WeightLoader,
    last = config.layers,
  ) {
    const { startLayer, headMulti, tied } = config
    this.decoder = new Decoder(config, loader, last, tied)
    const layers = Array.from({ length: last - startLayer + 1 }, (_, i) => startLayer + i)
    const head = tied ? this.decoder.table.replace(/\.weight$/, '') : 'lm_head'
    const one = headMulti ? undefined : this.#head(loader, head)
    this.#heads = new Map(
      layers.map((layer) => [layer, one ?? this.#head(loader, `lm_head.${layer - startLayer}`)]),
    )
  }

  #head(loader: WeightLoader, name: string): Linear {
    const { headType, hidden, vocab } = this.config
    if (headType === 'simple')
      return loader.linear(`${name}.linear_head`, 1, hidden, { bias: false })
    const weight = headType === 'raw' ? `${name}.weight` : `${name}.linear_head.weight`
    return loader.linearRow(weight, vocab, hidden, vocab - 1)
  }

  get dtype() {
    return this.decoder.dtype
  }

  get maxTokens() {
    return this.decoder.maxTokens
  }

  readonly sharesPrefixes = true

  /** The layers that have a score, of those loaded. */
  get scoredLayers(): number[] {
    return [...this.#heads.keys()]
  }

  /** The scores of each layer asked for, f32 [sequences, 1] each, in the order of the layers, all from one pass. */
  scores(tape: Tape, batch: Batch, layers: readonly number[] = [this.decoder.layers]): Tensor[] {
    const last = Math.max(...layers)
    const found = new Map<number, Tensor>()
    for (const { layer, x } of this.decoder.states(tape, batch, last)) {
      if (layers.includes(layer))
        found.set(layer, this.score(tape, batch, layer, x, layer === last))
    }
    return layers.map((layer) => found.get(layer) as Tensor)
  }

  /** The scores after one layer, f32 [sequences, 1], from the states there; the pass's last layer has scored tokens only. */
  score(tape: Tape, batch: Batch, layer: number, x: Tensor, isLast: boolean): Tensor {
    const head = this.#heads.get(layer)
    if (!head) throw new ModelError('internal', `internal: layer ${layer} has no head`)
    const { headType, headScale } = this.config
    const scale = headType === 'simple' ? 1 : headScale
    return tape.step([], () => {
      const scored = this.decoder.scoredStates(tape, x, batch, isLast)
      return linear(tape, this.decoder.norm(tape, scored), head, { scale, dtype: 'f32' })
    })
  }
}
