import { embeddedFolder } from '#platform'
import { type Folder, readJsonIfValid } from '../platform/files.ts'
import { embedded } from '../rerankers/open-model.ts'
import { type Io, printWarnings } from './io.ts'
import { languageName, languageOf } from './language.ts'
import type { LayerOptions, ModelOptions } from './model.ts'

/** What a run is about, or the beginning of it. */
export interface Texts {
  readonly queries: readonly string[]
  readonly passages: readonly string[]
}

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

/** The embedded models for queries in one language, which are used once their folders are there. Others take the library's. */
const ofLanguage: Readonly<Record<string, string>> = { en: 'minilm-cross-6x384' }

/** The file of a model's folder with what was measured by language: nDCG@10 of BM25, and of its first documents reranked. */
const measuredFile = 'languages.json'

interface Measured {
  readonly languages: Readonly<Record<string, { readonly bm25: number; readonly reranked: number }>>
}

/** So many texts tell the languages of a run. */
const mostTexts = 50

/**
 * The default model of a run. Where a model, a recipe or a layer is asked for, there is nothing to choose and no warning.
 *
 * @param models the models by language; tests give others
 */
export function defaultModel(
  { model, recipe, cutoffLayer, cascade }: Partial<ModelOptions & LayerOptions>,
  io: Io,
  models = ofLanguage,
): DefaultModel {
  const isAsked = [model, recipe, cutoffLayer, cascade].some((option) => option !== undefined)
  let chosen = embedded.FlagReranker as string
  let isSilent = isAsked
  return {
    async choose(textsOf) {
      if (isAsked) return model
      let texts: Texts | undefined
      for (const [language, name] of Object.entries(models)) {
        const folder = await folderOf(name)
        if (!folder) continue
        texts ??= await textsOf()
        if (!(await areIn(language, texts))) continue
        chosen = name
        return folder.name
      }
      return undefined
    },
    async warn(queries) {
      if (isSilent) return
      const measured = await measuredOf(chosen)
      if (!measured) return
      for (const query of queries.slice(0, mostTexts)) {
        const language = await languageOf(query)
        const found = language === undefined ? undefined : measured.languages[language]
        if (language === undefined || !found || found.reranked >= found.bm25) continue
        isSilent = true
        await printWarnings([harm(chosen, language, found)], io)
        return
      }
    },
  }
}

const harm = (model: string, language: string, { bm25, reranked }: Measured['languages'][string]) =>
  `a query is in ${languageName(language)}, in which the embedded ${model} ranks worse than BM25 (nDCG@10 ${reranked.toFixed(3)}, BM25 ${bm25.toFixed(3)}); name another model with --model`

/** Whether there are queries, all of them in a language for certain, and no passage in another one. */
async function areIn(language: string, { queries, passages }: Texts): Promise<boolean> {
  if (queries.length === 0) return false
  for (const query of queries.slice(0, mostTexts)) {
    if ((await languageOf(query)) !== language) return false
  }
  for (const passage of passages.slice(0, mostTexts)) {
    if (((await languageOf(passage)) ?? language) !== language) return false
  }
  return true
}

/** The folder of an embedded model, where it is there. */
const folderOf = (name: string): Promise<Folder | undefined> =>
  embeddedFolder(name, 'BAAI/bge-reranker-v2-m3').catch(() => undefined)

const measuredOf = async (name: string): Promise<Measured | undefined> => {
  const folder = await folderOf(name)
  return folder && ((await readJsonIfValid(folder, measuredFile)) as Measured | undefined)
}
