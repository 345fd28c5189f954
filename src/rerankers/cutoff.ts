import { RerankerError } from './errors.ts'
import { type CutoffLayers, show } from './options.ts'

/** The layers of a cutoff, each checked to be one that has a score. */
export function layersOf(cutoff: CutoffLayers, known: readonly number[]): readonly number[] {
  if (cutoff === 'all') return known
  const layers = typeof cutoff === 'number' ? [cutoff] : cutoff
  const range = `${known[0]} to ${known.at(-1)}`
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new RerankerError(
      'option-invalid',
      `cutoffLayers: found ${show(cutoff)}; expected a layer from ${range}, a list of them, or "all"`,
    )
  }
  for (const layer of layers) {
    if (known.includes(layer)) continue
    throw new RerankerError(
      'option-invalid',
      `cutoffLayers: found ${show(layer)}; expected layers from ${range}, those that have a head and are loaded`,
    )
  }
  return layers
}

/**
 * Throws unless the layers after which tokens are merged are those of a model.
 *
 * @param last the model's last layer, loaded or not
 */
export function checkCompressLayers(layers: readonly number[] | undefined, last: number): void {
  const wrong = layers?.find((layer) => layer < 1 || layer > last)
  if (wrong === undefined) return
  throw new RerankerError(
    'option-invalid',
    `compressLayers: found ${show(wrong)}; expected layers from 1 to ${last}, those of the model`,
  )
}

/** Throws unless layers are those of a model, from `first` on; 0 stands for its embeddings. */
export function checkLayers(layers: readonly number[], last: number, first = 0): void {
  if (!Array.isArray(layers)) {
    throw new RerankerError(
      'option-invalid',
      `layers: found ${show(layers)}; expected a list of layers`,
    )
  }
  const wrong = layers.find((layer) => !Number.isInteger(layer) || layer < first || layer > last)
  if (wrong === undefined) return
  throw new RerankerError(
    'option-invalid',
    `layers: found ${show(wrong)}; expected layers from ${first} to ${last}`,
  )
}
