import { openFolder } from '#platform'
import { openNamed } from '../hub/open.ts'
import { type Place, readWhole } from '../platform/files.ts'
import type { EmbedderLoadOptions } from './options.ts'

/**
 * Whether a place has an embedder by its files: a modules.json with a Pooling module.
 *
 * @throws what opening the place throws
 */
export async function isEmbedder(
  place: Place,
  options: Pick<EmbedderLoadOptions, 'revision' | 'signal'> = {},
): Promise<boolean> {
  const folder = (await openNamed(place, options)) ?? (await openFolder(place))
  const bytes = await readWhole(folder, 'modules.json')
  return bytes !== undefined && /\bPooling"/.test(new TextDecoder().decode(bytes))
}
