import { type Config, show } from '../checkpoint/index.ts'
import { unsupported } from './config-keys.ts'

/** Rotary positions: the base of the frequencies, and what these are divided by (linear scaling). */
export interface RopeConfig {
  readonly theta: number
  readonly ropeFactor: number
}

/** Where transformers 4 and transformers 5 keep the kind of scaling; the latter has rope_theta there too. */
const sections = ['rope_scaling', 'rope_parameters'] as const

/**
 * Reads rope_theta, rope_scaling and rope_parameters. In a section rope_theta goes before that outside, as in transformers 5.
 * Sections, and what one says for each type of layer, must come to the same: no class that is loaded here distinguishes them.
 *
 * @param scales the sections in which the reference reads a scaling; in others it must be none
 * @throws ModelError `config-unsupported`, CheckpointError `config-invalid`
 */
export function ropeConfig(
  config: Config,
  scales: readonly (typeof sections)[number][] = sections,
): RopeConfig {
  const plain: RopeConfig = {
    theta: config.number('rope_theta', { min: 1, default: 10000 }),
    ropeFactor: 1,
  }
  const found = sections.flatMap((key) => {
    const section = config.size(key, { default: 0 }) === 0 ? undefined : config.section(key)
    if (!section) return []
    const own = readSection(section, plain)
    if (own.ropeFactor !== 1 && !scales.includes(key)) {
      throw unsupported(
        config,
        key,
        'transformers 4 leaves this scaling out and transformers 5 computes it: remove it, or rename it rope_parameters',
      )
    }
    const byLayer = layerTypes.flatMap((type) => section.section(type) ?? [])
    return [own, ...byLayer.map((layer) => readSection(layer, plain))].map((rope) => ({
      key,
      rope,
    }))
  })
  const rope = found[0]?.rope ?? plain
  const other = found.find(({ rope: { theta, ropeFactor } }) => {
    return theta !== rope.theta || ropeFactor !== rope.ropeFactor
  })
  if (!other) return rope
  throw unsupported(
    config,
    other.key,
    `this does not come to the same rotary positions in all layers and sections (theta ${rope.theta} and ${other.rope.theta}, factor ${rope.ropeFactor} and ${other.rope.ropeFactor}); expected one rope_theta and one scaling`,
  )
}

const layerTypes = ['full_attention', 'sliding_attention'] as const

function readSection(section: Config, plain: RopeConfig): RopeConfig {
  const older = section.string('type', { default: undefined })
  const type = section.string('rope_type', { default: undefined }) ?? older ?? 'default'
  if (older !== undefined && older !== type) {
    throw unsupported(section, 'type', `rope_type is ${show(type)}; expected one of them`)
  }
  if (type !== 'default' && type !== 'linear') {
    const key = section.has('rope_type') ? 'rope_type' : 'type'
    throw unsupported(section, key, 'rotary positions are computed with "default" and "linear"')
  }
  const rotated = section.number('partial_rotary_factor', { default: 1 })
  if (rotated !== 1) {
    throw unsupported(section, 'partial_rotary_factor', 'whole heads are rotated, which is 1')
  }
  return {
    theta: section.number('rope_theta', { min: 1, default: plain.theta }),
    ropeFactor: type === 'linear' ? section.number('factor', { min: 1e-6, max: 1e6 }) : 1,
  }
}
