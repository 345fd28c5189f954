import type { Config } from '../checkpoint/index.ts'
import { type Linear, linear } from '../tensor/linear.ts'
import { activationOf, type FamilyKeys, settleKeys } from './config-keys.ts'
import { Decoder } from './decoder.ts'
import {
  checkLayerTypes,
  type DecoderConfig,
  decoderSizes,
  inertDecoderKeys,
  onlyDecoderKeys,
} from './decoder-config.ts'
import type { LayerwiseFamily } from './family.ts'
import { type Head, layersFrom } from './heads.ts'
import { ropeConfig } from './rope-config.ts'
import type { Weights } from './weights.ts'

/** What config.json says of a layerwise MiniCPM reranker. */
interface MiniCpmConfig extends DecoderConfig {
  /** The first layer that has a score; all later ones have one too. */
  readonly startLayer: number
  /** `simple`: a head of one number; `raw` and `complex`: a vocabulary's logits, of which the reference takes the last. */
  readonly headType: 'simple' | 'raw' | 'complex'
  /** Whether each layer has its own head. */
  readonly headMulti: boolean
  /** What `raw` and `complex` heads multiply the normed state by. */
  readonly headScale: number
}

const keys: FamilyKeys = {
  name: 'LayerWiseMiniCPMForCausalLM',
  only: onlyDecoderKeys,
  inert: [...inertDecoderKeys, 'pretraining_tp'],
}

/** Reads and checks the config of MiniCPM (Hu et al. 2024) with heads on its layers, as FlagEmbedding has it. */
function readConfig(config: Config): MiniCpmConfig {
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
  checkLayerTypes(config, keys.name, sizes.layers, 0)
  const read = {
    ...sizes,
    ...ropeConfig(config, { types: ['linear', 'dynamic'] }),
    activation: activationOf(config, 'hidden_act', 'silu'),
    embeddingScale: config.number('scale_emb', { default: 1 }),
    residualScale: config.number('scale_depth', { default: 1 }) / Math.sqrt(sizes.layers),
    startLayer: config.integer('start_layer', { min: 1, max: sizes.layers, default: 8 }),
    headType,
    headMulti,
    // Heads of the other kinds are never the table of the embeddings.
    tied: tied && headType === 'raw' && !headMulti,
    headScale: base / sizes.hidden,
  }
  settleKeys(config, keys)
  return read
}

/** A head on each layer from `startLayer` on, of those loaded: its own, or one for all. */
function heads(
  { startLayer, headMulti, headType, headScale, tied, hidden, vocab }: MiniCpmConfig,
  decoder: Decoder,
  weights: Weights,
): Map<number, Head> {
  const load = (name: string): Linear => {
    if (headType === 'simple')
      return weights.linear(`${name}.linear_head`, 1, hidden, { bias: false })
    const weight = headType === 'raw' ? `${name}.weight` : `${name}.linear_head.weight`
    return weights.linearRow(weight, vocab, hidden, vocab - 1)
  }
  const shared = tied ? decoder.table.replace(/\.weight$/, '') : 'lm_head'
  const one = headMulti ? undefined : load(shared)
  const scale = headType === 'simple' ? 1 : headScale
  return new Map(
    layersFrom(startLayer, decoder.layers).map((layer) => {
      const head = one ?? load(`lm_head.${layer - startLayer}`)
      return [
        layer,
        (tape, state) =>
          linear(tape, decoder.output(tape, state.scored()), head, { scale, dtype: 'f32' }),
      ]
    }),
  )
}

/** Layerwise MiniCPM (Hu et al. 2024; FlagEmbedding's `LayerWiseMiniCPMForCausalLM`): a score after each layer from `startLayer` on. */
export const minicpm: LayerwiseFamily<MiniCpmConfig> = {
  head: 'layers',
  Backbone: Decoder,
  config: readConfig,
  layers: ({ startLayer, layers }) => layersFrom(startLayer, layers),
  heads,
}
