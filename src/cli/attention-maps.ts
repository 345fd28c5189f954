import { open, rename } from 'node:fs/promises'
import { basename } from 'node:path'
import { safetensorsLayout } from '../checkpoint/index.ts'
import { CliError } from './errors.ts'
import type { CliReranker } from './io.ts'
import { writable, writeWhole } from './output.ts'

type Pairs = readonly (readonly [string, string])[]

/**
 * Writes attention maps as safetensors: for pair i and layer N a tensor `pair.i.layer.N`, f32 [heads, tokens, tokens], rows for queries,
 * and the ids of the tokens as `pair.i.ids`, i32 [tokens]. One pair is in memory at a time. Until it is whole, the file is called
 * `<path>.part`.
 *
 * @param onProgress called with the number of pairs done
 */
export async function writeAttentionMaps(
  path: string,
  reranker: CliReranker,
  pairs: Pairs,
  layers: readonly number[],
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<void> {
  const mapsOf = async (pair: Pairs[number]) => {
    const [maps] = (await reranker.attentionMaps?.([pair], layers, { signal })) ?? []
    if (maps) return maps
    throw new CliError('usage', 'attention maps need one device; leave --devices out')
  }
  const part = `${path}.part`
  const file = await writable(path, open(part, 'w'))
  try {
    const { heads } = await mapsOf(pairs[0]!)
    const lengths = pairs.map(([query, passage]) => reranker.tokenizeWindows(query, passage).flat())
    const tensors = lengths.flatMap(({ length }, i) => [
      { name: `pair.${i}.ids`, dtype: 'i32' as const, shape: [length] },
      ...layers.map((layer) => ({
        name: `pair.${i}.layer.${layer}`,
        dtype: 'f32' as const,
        shape: [heads, length, length],
      })),
    ])
    const { header, starts } = safetensorsLayout(tensors, {
      model: basename(reranker.info.model),
      pairs: String(pairs.length),
      attention: 'softmax probabilities [heads, queries, keys] of the layers, counted from 1',
    })
    await writable(path, writeWhole(file, header, 0))
    for (const [i, pair] of pairs.entries()) {
      const maps = await mapsOf(pair)
      const write = (name: string, { buffer }: { readonly buffer: ArrayBuffer }) =>
        writable(path, writeWhole(file, new Uint8Array(buffer), starts.get(`pair.${i}.${name}`)!))
      await write('ids', Int32Array.from(maps.ids))
      for (const layer of layers) await write(`layer.${layer}`, maps.layers[layer]!)
      onProgress(i + 1)
    }
  } finally {
    await file.close()
  }
  await writable(path, rename(part, path))
}
