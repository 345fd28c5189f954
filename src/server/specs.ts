import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { embedded } from '../rerankers/embedded.ts'
import type { ModelSpec, ServedModel } from './models.ts'

/** Loads the model at a place; the embedded one where none is given. */
export type LoadModel = (place: string | undefined) => Promise<ServedModel>

/**
 * The models of a server from what its user names: `PLACE`, or `NAME=PLACE`, a place being whatever `Reranker.load` takes.
 * A place without a name can also be called by its last part. Without any, the embedded model.
 */
export function specsOf(given: readonly string[], load: LoadModel): ModelSpec[] {
  if (given.length === 0)
    return [{ name: embedded.FlagReranker as string, load: () => load(undefined) }]
  return given.map((one) => {
    const [, name, place = one] = /^([\w.-]+(?:\/[\w.-]+)?)=(.+)$/.exec(one) ?? []
    const last = place.split(/[/\\]/).filter(Boolean).at(-1)
    return {
      name: name ?? one,
      aliases: name === undefined && last !== undefined ? [last] : [],
      bytes: weightBytes(place),
      load: () => load(place),
    }
  })
}

/** Bytes of the weights in a folder; 0 where the place is none. */
function weightBytes(place: string): number {
  try {
    return readdirSync(place)
      .filter((name) => name.endsWith('.safetensors'))
      .reduce((sum, name) => sum + statSync(join(place, name)).size, 0)
  } catch {
    return 0
  }
}
