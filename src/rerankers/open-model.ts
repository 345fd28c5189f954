import { embeddedFolder, openFolder } from '#platform'
import { openNamed } from '../hub/open.ts'
import type { HubFolder, HubOptions } from '../hub/types.ts'
import type { Folder, Place } from '../platform/files.ts'
import { embedded } from './embedded.ts'
import { RerankerError } from './errors.ts'
import { type RecipeName, show } from './options.ts'

/**
 * Where a model is: a path or URL of a folder, the name of a model on the Hugging Face Hub, a `Folder`, a list of `File`s, or
 * `File`s and `Blob`s by name.
 */
export type ModelPlace = Place

/** A model's folder; with a commit and a path on the disk where it is one of the hub. */
export type ModelFolder = Folder & Partial<Omit<HubFolder, keyof Folder>>

/** Published models to name where none is embedded. */
const publishedFor: Readonly<Partial<Record<RecipeName, string>>> = {
  FlagLLMReranker: 'BAAI/bge-reranker-v2-gemma',
  LayerWiseFlagLLMReranker: 'BAAI/bge-reranker-v2-minicpm-layerwise',
}

/**
 * Opens a model's folder; that of the embedded model where no place is given. What could be a name on the hub is one unless
 * there is a file or folder of that name.
 *
 * @throws PlatformError, HubError; RerankerError `option-invalid` for a revision of what has none; the signal's reason
 */
export async function openModel(
  place: ModelPlace | undefined,
  options: HubOptions & { readonly recipe?: RecipeName | undefined } = {},
): Promise<ModelFolder> {
  const { recipe = 'FlagReranker', revision } = options
  const named = await openNamed(place, options)
  if (named) return named
  if (revision !== undefined) {
    throw new RerankerError(
      'option-invalid',
      `revision: found ${show(revision)}; ${place === undefined ? 'the embedded model' : typeof place === 'string' ? place : 'the model given'} has no revisions, which models named as on the Hugging Face Hub have. Leave it out`,
    )
  }
  if (place !== undefined) return openFolder(place)
  const name = embedded[recipe]
  if (name !== undefined) {
    return embeddedFolder(name, publishedFor[recipe] ?? 'BAAI/bge-reranker-v2-m3')
  }
  throw new RerankerError(
    'option-invalid',
    `recipe: found ${show(recipe)}; no model for it is embedded. Name the model`,
  )
}
