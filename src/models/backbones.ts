import { Config } from '../checkpoint/index.ts'
import type { Backbone } from './backbone.ts'
import { bert } from './bert.ts'
import { Decoder } from './decoder.ts'
import type { DecoderConfig } from './decoder-config.ts'
import { Encoder } from './encoder.ts'
import { ModelError } from './errors.ts'
import type { EncoderFamily } from './family.ts'
import { gte } from './gte.ts'
import { jinaBert } from './jina-bert.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import { declareModernBert } from './modernbert.ts'
import { qwen2, qwen3 } from './qwen.ts'
import type { Weights } from './weights.ts'
import { xlmRoberta } from './xlm-roberta.ts'

interface BackboneRow {
  readonly declare: (config: Config, weights: Weights) => Backbone
  readonly overflowsF16?: true | undefined
}

const encoder = ({ prefix, names, config: read, overflowsF16 }: EncoderFamily): BackboneRow => ({
  overflowsF16,
  declare(config, weights) {
    weights.backbone = prefix
    return new Encoder(read(config), weights, prefix, names?.(weights))
  },
})

const decoder = ({
  config: read,
  overflowsF16,
}: Pick<BackboneRow, 'overflowsF16'> & { config(config: Config): DecoderConfig }): BackboneRow => ({
  overflowsF16,
  declare: (config, weights) => new Decoder(read(config), weights),
})

/** The backbones, by what their classes are called before `Model`. */
const backbones: Readonly<Record<string, BackboneRow>> = {
  Bert: encoder(bert),
  Roberta: encoder(xlmRoberta),
  XLMRoberta: encoder(xlmRoberta),
  JinaBert: encoder(jinaBert),
  New: encoder(gte),
  ModernBert: { declare: declareModernBert },
  Llama: decoder(llama),
  Mistral: decoder(mistral),
  Qwen2: decoder(qwen2),
  Qwen3: decoder(qwen3),
}

/** The class of a backbone, or of one with a head, which transformers' `AutoModel` leaves out. */
const classPattern = /^(.+?)(Model|For(MaskedLM|CausalLM|PreTraining|\w+Classification))$/

/** What a config's class is called before `Model`; `undefined` where its backbone is not known. */
const backboneOf = (architecture: string): string | undefined => {
  const [, name = ''] = classPattern.exec(architecture) ?? []
  return Object.hasOwn(backbones, name) ? name : undefined
}

/**
 * The architecture of a config whose backbone is known, whatever its head.
 *
 * @throws ModelError `architecture-unsupported`
 */
export function backboneArchitecture(config: Config): string {
  const found = config.strings('architectures', { default: [] })
  const known = found.find((name) => backboneOf(name) !== undefined)
  if (known !== undefined) return known
  const names = Object.keys(backbones).map((name) => `${name}Model`)
  throw new ModelError(
    'architecture-unsupported',
    `${config.file}: architectures is [${found.slice(0, 4).join(', ')}]; known as backbones are ${names.join(', ')}`,
  )
}

/** The row of a config whose backbone is known. */
export const backboneRow = (config: Config): BackboneRow =>
  backbones[backboneOf(backboneArchitecture(config)) as string] as BackboneRow

/** Declares the weights of a model without its head. Gives the config that was read, for its warnings. */
export function declareBackbone(
  config: Config,
  weights: Weights,
): { readonly backbone: Backbone; readonly read: Config } {
  const { declare } = backboneRow(config)
  // The labels are those of a head, of which the families allow one.
  const read = new Config(config.file, { ...config.raw, id2label: { 0: 'LABEL_0' } })
  return { backbone: declare(read, weights), read }
}
