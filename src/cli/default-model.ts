import { embeddedFolder } from '#platform'
import { languageOf } from '../languages/detect.ts'
import {
  harmIn,
  languagesOf,
  type Measured,
  measuredFile,
  modelFor,
  modelOfLanguage,
  mostTexts,
  type Texts,
} from '../languages/models.ts'
import { type Folder, readJsonIfValid } from '../platform/files.ts'
import { embedded } from '../rerankers/embedded.ts'
import { type Io, printWarnings } from './io.ts'
import type { LayerOptions, ModelOptions } from './model.ts'

/** Chooses the embedded model of a run by the language of its queries, and warns of languages that it is bad at. */
export interface DefaultModel {
  /**
   * The model to load: the one that is named, a folder, or `undefined` for the one that the library takes. The texts are asked
   * for where there is a choice.
   */
  choose(textsOf: () => Texts | Promise<Texts>): Promise<string | undefined>
  /** Warns once in a run, of the first of these queries whose language the chosen model was measured to be bad at. */
  warn(queries: readonly string[]): Promise<void>
}

/**
 * The default model of a run. Where a model, a recipe or a layer is asked for, there is nothing to choose and no warning.
 *
 * @param models the models by language; tests give others
 */
export function defaultModel(
  { model, recipe, cutoffLayer, cascade }: Partial<ModelOptions & LayerOptions>,
  io: Io,
  models = modelOfLanguage,
): DefaultModel {
  const isAsked = [model, recipe, cutoffLayer, cascade].some((option) => option !== undefined)
  let chosen = embedded.FlagReranker as string
  let isSilent = isAsked
  return {
    async choose(textsOf) {
      if (isAsked) return model
      const folders = await Promise.all(Object.values(models).map(folderOf))
      if (!folders.some(Boolean)) return undefined
      const name = modelFor(await languagesOf(await textsOf()), models)
      const folder = name === undefined ? undefined : await folderOf(name)
      if (name === undefined || !folder) return undefined
      chosen = name
      return folder.name
    },
    async warn(queries) {
      if (isSilent) return
      const measured = await measuredOf(chosen)
      if (!measured) return
      for (const query of queries.slice(0, mostTexts)) {
        const harm = harmIn(await languageOf(query), chosen, measured)
        if (!harm) continue
        isSilent = true
        await printWarnings([`a query is ${harm}; name another model with --model`], io)
        return
      }
    },
  }
}

/** The folder of an embedded model, where it is there. */
const folderOf = (name: string): Promise<Folder | undefined> =>
  embeddedFolder(name, 'BAAI/bge-reranker-v2-m3').catch(() => undefined)

const measuredOf = async (name: string): Promise<Measured | undefined> => {
  const folder = await folderOf(name)
  return folder && ((await readJsonIfValid(folder, measuredFile)) as Measured | undefined)
}
