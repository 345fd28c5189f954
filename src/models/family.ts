import type { Config } from '../checkpoint/index.ts'
import type { Backbone, BackboneConfig } from './backbone.ts'
import type { Decoder } from './decoder.ts'
import type { DecoderConfig } from './decoder-config.ts'
import type { Encoder } from './encoder.ts'
import type { EncoderConfig } from './encoder-config.ts'
import type { EncoderNames } from './encoder-names.ts'
import type { Head } from './heads.ts'
import type { Weights } from './weights.ts'

/** What may be said of every family. */
interface FamilyFacts {
  /** Sums of residuals go beyond 65504, the most that f16 holds: activations are f32 unless a load asks for f16. */
  readonly overflowsF16?: true
}

/** Encoders with a classifier on the first token. */
export interface EncoderFamily extends FamilyFacts {
  readonly head: 'classifier'
  readonly Backbone: typeof Encoder
  /** What the checkpoint calls the encoder. */
  readonly prefix: string
  /** What it calls the tensors, where it is not as BERT does; it may depend on which there are. */
  names?(weights: Weights): EncoderNames
  /** The two layers of the classifier. */
  readonly classifier: { readonly dense: string; readonly output: string }
  /** Reads and checks config.json. */
  config(config: Config): EncoderConfig
}

/** A model with a classifier that declares backbone and head by itself. */
export interface WholeFamily extends FamilyFacts {
  readonly head: 'classifier'
  /** Reads and checks config.json. */
  config(config: Config): BackboneConfig
  declare(config: Config, weights: Weights): { readonly backbone: Backbone; readonly head: Head }
}

/** Causal language models: the score is a word's logit at the last token, or the difference of two words' logits. */
export interface CausalFamily extends FamilyFacts {
  readonly head: 'word'
  readonly Backbone: typeof Decoder
  config(config: Config): DecoderConfig
}

/** Decoders with a classifier of one label on the last token, without bias. */
export interface CausalClassifierFamily extends FamilyFacts {
  readonly head: 'last-token'
  readonly Backbone: typeof Decoder
  /** The name of the classifier. */
  readonly classifier: string
  config(config: Config): DecoderConfig
}

/** Decoders with a head on several layers. */
export interface LayerwiseFamily<C extends DecoderConfig = DecoderConfig> extends FamilyFacts {
  readonly head: 'layers'
  readonly Backbone: typeof Decoder
  config(config: Config): C
  /** The layers that have a head. */
  layers(config: C): readonly number[]
  /** The heads of those layers that the decoder has loaded. */
  heads(config: C, decoder: Decoder, weights: Weights): ReadonlyMap<number, Head>
}

export type Family =
  | EncoderFamily
  | WholeFamily
  | CausalFamily
  | CausalClassifierFamily
  | LayerwiseFamily
