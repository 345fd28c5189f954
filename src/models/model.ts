import type { Config } from '../checkpoint/index.ts'
import type { Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Backbone } from './backbone.ts'
import type { Batch } from './batch.ts'
import type { Compression } from './compression.ts'
import type {
  CausalClassifierFamily,
  CausalFamily,
  EncoderFamily,
  Family,
  LayerwiseFamily,
  WholeFamily,
} from './family.ts'
import {
  classifierHead,
  type Head,
  lastTokenHead,
  layersFrom,
  type Words,
  wordHead,
} from './heads.ts'
import type { Weights } from './weights.ts'

/** A backbone, and a head on each layer that has a score. */
export interface Model {
  readonly backbone: Backbone
  readonly heads: ReadonlyMap<number, Head>
}

/** What a checkpoint's weights are declared with. */
interface Declaration {
  readonly config: Config
  readonly weights: Weights
  /** The words whose logits are the score of a causal language model. */
  readonly words?: Words | undefined
  /** The last layer that is loaded, of the layers that have a score. Default: all are. */
  readonly lastLayer?: ((scored: readonly number[]) => number) | undefined
  /** Puts the head of a model with one on every layer. */
  readonly logitLens?: boolean | undefined
}

/** Reads a checkpoint's config and declares its weights. */
export function declareModel(family: Family, declaration: Declaration): Model {
  const model = declareOwn(family, declaration)
  return declaration.logitLens ? withLens(model) : model
}

/**
 * The head of the last layer on all layers, with the norm or pooler that it begins with (the "logit lens", nostalgebraist 2020): for
 * research, since it was trained on the last layer alone.
 */
function withLens({ backbone, heads }: Model): Model {
  const head = heads.get(backbone.layers) as Head
  return {
    backbone,
    heads: new Map(layersFrom(1, backbone.layers).map((layer) => [layer, head])),
  }
}

function declareOwn(family: Family, declaration: Declaration): Model {
  switch (family.head) {
    case 'classifier':
      return 'declare' in family
        ? wholeModel(family, declaration)
        : encoderModel(family, declaration)
    case 'word':
      return causalModel(family, declaration)
    case 'last-token':
      return causalClassifier(family, declaration)
    case 'layers':
      return layerwiseModel(family, declaration)
  }
}

function encoderModel(family: EncoderFamily, { config, weights }: Declaration): Model {
  weights.backbone = family.prefix
  const names = family.names?.(weights)
  const backbone = new family.Backbone(family.config(config), weights, family.prefix, names)
  const { hidden, headActivation } = backbone.config
  const head = classifierHead(weights, hidden, family.classifier, headActivation)
  return { backbone, heads: new Map([[backbone.layers, head]]) }
}

function wholeModel(family: WholeFamily, { config, weights }: Declaration): Model {
  const { backbone, head } = family.declare(config, weights)
  return { backbone, heads: new Map([[backbone.layers, head]]) }
}

function causalModel(family: CausalFamily, { config, weights, words }: Declaration): Model {
  const backbone = new family.Backbone(family.config(config), weights)
  const head = wordHead(weights, backbone, words ?? { word: 0 })
  return { backbone, heads: new Map([[backbone.layers, head]]) }
}

function causalClassifier(family: CausalClassifierFamily, { config, weights }: Declaration): Model {
  const backbone = new family.Backbone(family.config(config), weights)
  const head = lastTokenHead(weights, backbone, family.classifier)
  return { backbone, heads: new Map([[backbone.layers, head]]) }
}

function layerwiseModel(family: LayerwiseFamily, declaration: Declaration): Model {
  const { config, weights, lastLayer } = declaration
  const read = family.config(config)
  const backbone = new family.Backbone(read, weights, lastLayer?.(family.layers(read)))
  return { backbone, heads: family.heads(read, backbone, weights) }
}

/** The layers of a model that have a score, in ascending order. */
export const scoredLayers = ({ heads }: Model): number[] => [...heads.keys()]

/**
 * The scores of a batch after each of some layers, f32 [sequences, 1] each, in their order, all from one pass.
 *
 * @param layers each must have a head; the last layer unless given
 * @param compression of models that merge tokens
 */
export function scoreBatch(
  { backbone, heads }: Model,
  tape: Tape,
  batch: Batch,
  layers: readonly number[] = [backbone.layers],
  compression?: Compression | undefined,
): Tensor[] {
  const found = new Map<number, Tensor>()
  const to = Math.max(...layers)
  for (const state of backbone.states(tape, batch, { to, compression })) {
    if (!layers.includes(state.layer)) continue
    const head = heads.get(state.layer) as Head
    found.set(
      state.layer,
      tape.scope([], () => head(tape, state, batch)),
    )
  }
  return layers.map((layer) => found.get(layer) as Tensor)
}
