import { type Config, show } from '../checkpoint/index.ts'
import { unsupported } from './config-keys.ts'
import type { RopeConfig, RopeScaling } from './rope-scaling.ts'

/** Where transformers 4 and transformers 5 keep the kind of scaling; the latter has rope_theta there too. */
const sections = ['rope_scaling', 'rope_parameters'] as const

/** The kinds of scaling. */
const kinds = ['linear', 'dynamic', 'llama3', 'yarn'] as const satisfies RopeScaling['type'][]

/** What a family's reference computes. */
interface Computed {
  /** The sections in which it reads a scaling; in others it must be none. */
  readonly scales?: readonly (typeof sections)[number][]
  /** The kinds of scaling that it has. */
  readonly types?: readonly RopeScaling['type'][]
}

/**
 * Reads rope_theta, rope_scaling and rope_parameters. In a section rope_theta goes before that outside, as in transformers 5.
 * Sections, and what one says for each type of layer, must come to the same: no class that is loaded here distinguishes them.
 *
 * @throws ModelError `config-unsupported`, CheckpointError `config-invalid`
 */
export function ropeConfig(
  config: Config,
  { scales = sections, types = kinds }: Computed = {},
): RopeConfig {
  const plain: RopeConfig = { theta: config.number('rope_theta', { min: 1, default: 10000 }) }
  const found = sections.flatMap((key) => {
    const section = config.size(key, { default: 0 }) === 0 ? undefined : config.section(key)
    if (!section) return []
    const own = readSection(config, section, plain, types)
    if (own.scaling && !scales.includes(key)) {
      throw unsupported(
        config,
        key,
        'transformers 4 leaves this scaling out and transformers 5 computes it: remove it, or rename it rope_parameters',
      )
    }
    const byLayer = layerTypes.flatMap((type) => section.section(type) ?? [])
    return [own, ...byLayer.map((layer) => readSection(config, layer, plain, types))].map(
      (rope) => ({ key, rope }),
    )
  })
  const rope = found[0]?.rope ?? plain
  const other = found.find((one) => textOf(one.rope) !== textOf(rope))
  if (!other) return rope
  throw unsupported(
    config,
    other.key,
    `this does not come to the same rotary positions in all layers and sections (${textOf(rope)} and ${textOf(other.rope)}); expected one rope_theta and one scaling`,
  )
}

const layerTypes = ['full_attention', 'sliding_attention'] as const

/** A scaling as messages show it; two of the same text are the same. */
function textOf({ theta, scaling }: RopeConfig): string {
  return [['theta', theta], ...Object.entries(scaling ?? {})]
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')
}

function readSection(
  config: Config,
  section: Config,
  plain: RopeConfig,
  types: readonly RopeScaling['type'][],
): RopeConfig {
  const older = section.string('type', { default: undefined })
  const name = section.string('rope_type', { default: undefined }) ?? older ?? 'default'
  if (older !== undefined && older !== name) {
    throw unsupported(section, 'type', `rope_type is ${show(name)}; expected one of them`)
  }
  const type = types.find((known) => known === name)
  if (name !== 'default' && type === undefined) {
    const key = section.has('rope_type') ? 'rope_type' : 'type'
    const known = ['default', ...types].map(show)
    throw unsupported(
      section,
      key,
      `rotary positions are computed with ${known.slice(0, -1).join(', ')} and ${known.at(-1)}`,
    )
  }
  const rotated = section.number('partial_rotary_factor', { default: 1 })
  if (rotated !== 1) {
    throw unsupported(section, 'partial_rotary_factor', 'whole heads are rotated, which is 1')
  }
  const theta = section.number('rope_theta', { min: 1, default: plain.theta })
  return { theta, scaling: type && readers[type](section, config) }
}

/** How the section of each kind is read. */
const readers: {
  readonly [T in RopeScaling['type']]: (section: Config, config: Config) => RopeScaling | undefined
} = {
  linear: (section) => {
    const factor = factorOf(section)
    return factor === 1 ? undefined : { type: 'linear', factor }
  },
  dynamic: (section, config) => {
    // The reference reads max_position_embeddings alone.
    section.number('original_max_position_embeddings', { default: 0 })
    return { type: 'dynamic', factor: factorOf(section), positions: mostPositions(config) }
  },
  llama3: (section, config) => {
    const factor = factorOf(section)
    const positions = firstPositions(section, config)
    const low = section.number('low_freq_factor', { min: 1e-6 })
    const high = section.number('high_freq_factor', { min: 1e-6 })
    if (high > low) return { type: 'llama3', factor, positions, low, high }
    throw unsupported(section, 'high_freq_factor', `expected more than low_freq_factor, ${low}`)
  },
  yarn: (section, config) => {
    const factor = factorOf(section)
    const optional = (key: string) => section.number(key, { min: 0, default: undefined })
    const [scale, ofAll] = [optional('mscale'), optional('mscale_all_dim')]
    const attention =
      scale && ofAll ? growth(factor, scale) / growth(factor, ofAll) : growth(factor, 1)
    return {
      type: 'yarn',
      factor,
      positions: firstPositions(section, config),
      fast: optional('beta_fast') || 32,
      slow: optional('beta_slow') || 1,
      truncate: section.boolean('truncate', { default: true }),
      attention: optional('attention_factor') ?? attention,
    }
  },
}

const factorOf = (section: Config) => section.number('factor', { min: 1e-6, max: 1e6 })

const mostPositions = (config: Config) => config.integer('max_position_embeddings', { min: 1 })

/** The longest text of the first training: outside of the section it goes before that within. */
function firstPositions(section: Config, config: Config): number {
  const key = 'original_max_position_embeddings'
  const within = section.integer(key, { min: 1, default: undefined })
  return config.integer(key, { min: 1, default: undefined }) ?? within ?? mostPositions(config)
}

/** The factor of attention for texts that are so many times longer (YaRN, equation 22). */
const growth = (factor: number, scale: number) =>
  factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1
