/** Which embedded model ranks, by the language of the query. */

import { type Languages, modelFor, modelOfLanguage } from '../src/languages/models.ts'
import { languageName } from '../src/languages/names.ts'
import { embedded } from '../src/rerankers/embedded.ts'
import type { EmbeddedModel } from './messages.ts'

/** The models of this page to choose from. */
export interface ModelsByLanguage {
  /** The one for every language. */
  readonly multilingual: EmbeddedModel
  /** Those for one language each, by its code. */
  readonly ofLanguage: Readonly<Record<string, EmbeddedModel>>
}

/** The models by language; `undefined` where the page does not have enough of them for a choice. */
export function modelsByLanguage(models: readonly EmbeddedModel[]): ModelsByLanguage | undefined {
  const find = (wanted: string | undefined) => models.find(({ name }) => name === wanted)
  const multilingual = find(embedded.FlagReranker)
  const ofLanguage: Record<string, EmbeddedModel> = {}
  for (const [language, name] of Object.entries(modelOfLanguage)) {
    const model = find(name)
    if (model) ofLanguage[language] = model
  }
  return multilingual && Object.keys(ofLanguage).length > 0
    ? { multilingual, ofLanguage }
    : undefined
}

/** What the choice depends on. */
export interface Circumstances {
  /** The languages of the query and the passages; `undefined` if the detector is not to be had. */
  readonly languages: Languages | undefined
  /** Whether a model can be loaded now: it is in this browser, or there is a network. */
  isToBeHad(model: EmbeddedModel): Promise<boolean>
  /** The model to keep where the language of the query cannot be told: that of a query that is still being typed. */
  readonly kept?: EmbeddedModel | undefined
}

export interface ModelChoice {
  readonly model: EmbeddedModel
  /** Says which model and why. */
  readonly reason: string
}

/** Chooses the model of a query. */
export async function chooseModel(
  { multilingual, ofLanguage }: ModelsByLanguage,
  { languages, isToBeHad, kept }: Circumstances,
): Promise<ModelChoice> {
  const choose = (model: EmbeddedModel, why: string): ModelChoice => ({
    model,
    reason: `Model: ${model.label} (${model.name}), as ${why}.`,
  })
  if (!languages) return choose(multilingual, 'the language detector did not load')
  const { query, passages } = languages
  if (query === undefined) {
    const untold = 'the language of the query cannot be told for certain'
    return kept ? choose(kept, `${untold} yet`) : choose(multilingual, untold)
  }
  const own = ofLanguage[query]
  const said = `the query is in ${languageName(query)}`
  if (!own) return choose(multilingual, said)
  if (modelFor(languages) !== own.name) {
    return choose(multilingual, `${said}, passages are in ${languageName(passages ?? '')}`)
  }
  if ((await isToBeHad(own)) || !(await isToBeHad(multilingual))) return choose(own, said)
  return choose(multilingual, `${said}, but the ${own.label} is not in this browser yet`)
}
