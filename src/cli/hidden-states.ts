import { open, rename } from 'node:fs/promises'
import { basename } from 'node:path'
import { safetensorsLayout } from '../checkpoint/index.ts'
import type { CliReranker } from './io.ts'
import { writable, writeWhole } from './output.ts'

/** Pairs whose states are held in memory at a time. */
const pairsAtOnce = 256

/**
 * Writes the hidden states of the scored tokens as safetensors: for each layer a tensor `layer.N`, f32 [pairs, hidden].
 * Until it is whole, the file is called `<path>.part`.
 *
 * @param onProgress called with the number of pairs done
 */
export async function writeHiddenStates(
  path: string,
  reranker: CliReranker,
  pairs: readonly (readonly [string, string])[],
  layers: readonly number[],
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<void> {
  const part = `${path}.part`
  const file = await writable(path, open(part, 'w'))
  try {
    let starts: ReadonlyMap<string, number> | undefined
    for (let first = 0; first < pairs.length; first += pairsAtOnce) {
      const some = pairs.slice(first, first + pairsAtOnce)
      const states = await reranker.hiddenStates(some, layers, { signal })
      const hidden = states[0]![layers[0]!]!.length
      if (!starts) {
        const shape = [pairs.length, hidden]
        const layout = safetensorsLayout(
          layers.map((layer) => ({ name: `layer.${layer}`, dtype: 'f32', shape })),
          {
            model: basename(reranker.info.model),
            pairs: String(pairs.length),
            states: 'the scored token after each layer, before the final norm',
          },
        )
        starts = layout.starts
        await writable(path, file.write(layout.header, 0, layout.header.length, 0))
      }
      for (const layer of layers) {
        const rows = new Float32Array(some.length * hidden)
        states.forEach((byLayer, i) => {
          rows.set(byLayer[layer]!, i * hidden)
        })
        const bytes = new Uint8Array(rows.buffer)
        const position = starts.get(`layer.${layer}`)! + first * hidden * rows.BYTES_PER_ELEMENT
        await writable(path, writeWhole(file, bytes, position))
      }
      onProgress(first + some.length)
    }
  } finally {
    await file.close()
  }
  await writable(path, rename(part, path))
}
