/** Which model: one that is served beside the page, by name or by the query's language, one of the hub, or a picked folder. */
import { languageName } from '../src/languages/names.ts'
import { block, element, input, megabytes, say, select } from './dom.ts'
import { isCached, sizeOf } from './embedded.ts'
import { dtypes, type EmbeddedModel, type LoadRequest, type Source } from './messages.ts'
import { type ModelsByLanguage, modelsByLanguage } from './model-choice.ts'

/** What is asked for: a model, or the choice of one for each query. */
export interface Wanted {
  readonly source: Source | { readonly kind: 'by-language'; readonly models: ModelsByLanguage }
  readonly dtype: LoadRequest['dtype']
}

export interface ModelPanel {
  /** What to load; `undefined` where nothing is named yet. */
  wanted(): Wanted | undefined
  /** Why nothing is named, in words. */
  missing(): string
  /** Most tokens of a pair, if a number was given. */
  maxLength(): number | undefined
  /** Says anew what loading costs. */
  refresh(): Promise<void>
}

/**
 * @param onModel called when another model is chosen
 * @param onLength called when the most tokens of a pair are others
 */
export function modelPanel(
  models: readonly EmbeddedModel[],
  onModel: () => void,
  onLength: () => void,
): ModelPanel {
  const byLanguage = modelsByLanguage(models)
  const model = select('model')
  const hub = input('hub')
  const folder = input('folder')
  const dtype = select('dtype')
  const maxLength = input('max-length')
  const embedded = () => models.find(({ name }) => name === model.value)

  model.replaceChildren(
    ...(byLanguage ? [option('by-language', 'by the language of the query')] : []),
    ...models.map((one) => option(one.name, `${one.label}, ${megabytes(sizeOf(one))}`)),
    option('hub', 'the Hugging Face Hub, by name'),
    option('folder', 'a folder on this computer'),
  )
  dtype.replaceChildren(...dtypes.map((name) => option(name, dtypeLabels[name])))

  async function refresh(): Promise<void> {
    const { value } = model
    block('hub-field').hidden = value !== 'hub'
    block('folder-field').hidden = value !== 'folder'
    const chosen = embedded()
    const notes = {
      'by-language': byLanguage && (await noteOf(byLanguage)),
      hub: 'Downloaded once, checked, and kept in this browser.',
      folder: 'Read where it is; nothing is uploaded.',
    }
    const note = chosen ? await costOf(chosen) : notes[value as keyof typeof notes]
    if (model.value === value) say(block('model-note'), note ?? '')
  }
  model.onchange = () => {
    void refresh()
    onModel()
  }
  for (const one of [hub, folder, dtype]) one.onchange = onModel
  maxLength.onchange = onLength
  void refresh()

  function source(): Wanted['source'] | undefined {
    const chosen = embedded()
    if (model.value === 'by-language' && byLanguage)
      return { kind: 'by-language', models: byLanguage }
    if (chosen) return { kind: 'embedded', model: chosen }
    const name = hub.value.trim()
    if (model.value === 'hub') return name ? { kind: 'hub', name } : undefined
    const files = [...(folder.files ?? [])]
    if (files.length === 0) return undefined
    const named = files.map((file) => [file.webkitRelativePath || file.name, file] as const)
    return { kind: 'files', files: Object.fromEntries(named) }
  }

  return {
    refresh,
    wanted() {
      const found = source()
      return found && { source: found, dtype: dtype.value as Wanted['dtype'] }
    },
    missing: () =>
      model.value === 'hub'
        ? 'Name a model of the hub, such as BAAI/bge-reranker-v2-m3.'
        : 'Choose the folder of a model.',
    maxLength: () => (maxLength.value === '' ? undefined : maxLength.valueAsNumber),
  }
}

const costOf = async (
  model: EmbeddedModel,
  ifNot = 'downloaded once and then kept in this browser',
): Promise<string> =>
  `${megabytes(sizeOf(model))}, ${(await isCached(model)) ? 'in this browser already' : ifNot}`

/** A line for each model. */
async function noteOf({ multilingual, ofLanguage }: ModelsByLanguage): Promise<string> {
  const cost = (model: EmbeddedModel) => costOf(model, 'downloaded once, when it is needed')
  const own = Object.entries(ofLanguage).map(
    async ([language, model]) => `${languageName(language)}: ${await cost(model)}`,
  )
  const lines = await Promise.all([...own, `Other languages: ${await cost(multilingual)}`])
  return lines.join('\n')
}

const dtypeLabels: Record<(typeof dtypes)[number], string> = {
  auto: 'as stored',
  f32: 'f32',
  f16: 'f16',
  int8: 'int8, smaller',
  int4: 'int4, smallest',
}

function option(value: string, text: string): HTMLOptionElement {
  const made = element('option', '', text)
  made.value = value
  return made
}
