import { Config } from '../checkpoint/index.ts'
import type { Backbone } from './backbone.ts'
import { ModelError } from './errors.ts'
import type { CausalFamily, EncoderFamily } from './family.ts'
import type { Weights } from './weights.ts'

/** How the weights of a model without its head are declared. */
export interface BackboneRow {
  readonly declare: (config: Config, weights: Weights) => Backbone
  readonly overflowsF16?: true | undefined
}

const encoder = ({
  Backbone,
  prefix,
  names,
  config: read,
  overflowsF16,
}: EncoderFamily): BackboneRow => ({
  overflowsF16,
  declare(config, weights) {
    weights.backbone = prefix
    return new Backbone(read(config), weights, prefix, names?.(weights))
  },
})

const decoder = ({ Backbone, config: read, overflowsF16 }: CausalFamily): BackboneRow => ({
  overflowsF16,
  declare: (config, weights) => new Backbone(read(config), weights),
})

/** The backbones, by what their classes are called before `Model`. */
const backbones: Readonly<Record<string, () => Promise<BackboneRow>>> = {
  Bert: async () => encoder((await import('./bert.ts')).bert),
  Roberta: async () => encoder((await import('./xlm-roberta.ts')).xlmRoberta),
  XLMRoberta: async () => encoder((await import('./xlm-roberta.ts')).xlmRoberta),
  JinaBert: async () => encoder((await import('./jina-bert.ts')).jinaBert),
  New: async () => encoder((await import('./gte.ts')).gte),
  ModernBert: async () => ({ declare: (await import('./modernbert.ts')).declareModernBert }),
  Llama: async () => decoder((await import('./llama.ts')).llama),
  Mistral: async () => decoder((await import('./mistral.ts')).mistral),
  Qwen2: async () => decoder((await import('./qwen.ts')).qwen2),
  Qwen3: async () => decoder((await import('./qwen.ts')).qwen3),
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

/** Imports the row of a config whose backbone is known. */
export const backboneRow = async (config: Config): Promise<BackboneRow> =>
  (backbones[backboneOf(backboneArchitecture(config)) as string] as () => Promise<BackboneRow>)()

/** Declares the weights of a model without its head. Gives the config that was read, for its warnings. */
export function declareBackbone(
  { declare }: BackboneRow,
  config: Config,
  weights: Weights,
): { readonly backbone: Backbone; readonly read: Config } {
  // The labels are those of a head, of which the families allow one.
  const read = new Config(config.file, { ...config.raw, id2label: { 0: 'LABEL_0' } })
  return { backbone: declare(read, weights), read }
}
