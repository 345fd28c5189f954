/** What sentence-transformers' `CrossEncoder` reads of a model's files. */
import type { Config } from '../checkpoint/index.ts'

/** The activations by the last part of their class's name. */
const activations: Readonly<Record<string, 'identity' | 'sigmoid'>> = {
  Identity: 'identity',
  Sigmoid: 'sigmoid',
}

/** The activation that the config names, by its newer or its older key; the sigmoid where it names none. */
export function activationOfFiles(config: Config): 'identity' | 'sigmoid' | `unknown: ${string}` {
  const newer = Object(config.raw.sentence_transformers).activation_fn
  const name = newer ?? config.raw.sbert_ce_default_activation_function
  if (typeof name !== 'string') return 'sigmoid'
  return activations[name.slice(name.lastIndexOf('.') + 1)] ?? `unknown: ${name}`
}
