import { Gpu, type GpuOptions } from '../gpu/device.ts'
import type { ExactSearchOptions, FoundVector } from './exact-search.ts'
import type { Vectors } from './vectors.ts'

/** A search with what it holds on the device. */
export interface OpenSearch {
  /** The `k` vectors with the largest dot products with each query. */
  find(queries: readonly Float32Array[], k: number): Promise<FoundVector[][]>
  /** Frees what the search has on the device. */
  dispose(): void
}

/**
 * Opens a device for an exact search.
 *
 * @throws GpuError, PlatformError where there is no adapter
 */
export async function exactSearch(
  vectors: Vectors,
  options: ExactSearchOptions & GpuOptions = {},
): Promise<OpenSearch> {
  const { ExactSearch } = await import('./exact-search.ts')
  const gpu = await Gpu.open(options)
  const search = new ExactSearch(gpu, vectors, options)
  return {
    find: (queries, k) => search.search(queries, k),
    dispose: () => gpu.dispose(),
  }
}
