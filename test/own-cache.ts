import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, vi } from 'vitest'
import { Gpu, type GpuOptions } from '../src/gpu/device.ts'

/** Gives each test of a file a cache of its own, with tuning on; the result is the folder of the test that runs. */
export function ownCache(): () => string {
  let cache = ''
  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'dawnrank-cache-'))
    vi.stubEnv('XDG_CACHE_HOME', cache)
    vi.stubEnv('DAWNRANK_TUNE', undefined)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(cache, { recursive: true })
  })
  return () => cache
}

/** Opens a device for as long as it is used. */
export async function on<T>(options: GpuOptions, use: (gpu: Gpu) => Promise<T>): Promise<T> {
  const gpu = await Gpu.open(options)
  try {
    return await use(gpu)
  } finally {
    gpu.dispose()
  }
}
