/** Which model: one that is served beside the page, one of the hub, or a picked folder. */
import { block, element, input, megabytes, say, select } from './dom.ts'
import { isCached, sizeOf } from './embedded.ts'
import { dtypes, type EmbeddedModel, type LoadRequest, type Source } from './messages.ts'

export interface ModelPanel {
  /** What to load; `undefined` where nothing is named yet. */
  wanted(): LoadRequest | undefined
  /** Why nothing is named, in words. */
  missing(): string
  /** Most tokens of a pair, if a number was given. */
  maxLength(): number | undefined
  /** Says anew what loading costs. */
  refresh(): Promise<void>
  /** Whether loading costs no download that was not agreed to. */
  isHere(): Promise<boolean>
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
  const model = select('model')
  const hub = input('hub')
  const folder = input('folder')
  const dtype = select('dtype')
  const maxLength = input('max-length')
  const embedded = () => models.find(({ name }) => name === model.value)

  model.replaceChildren(
    ...models.map((one) => option(one.name, `${one.label}, ${megabytes(sizeOf(one))}`)),
    option('hub', 'the Hugging Face Hub, by name'),
    option('folder', 'a folder on this computer'),
  )
  dtype.replaceChildren(...dtypes.map((name) => option(name, dtypeLabels[name])))

  async function refresh(): Promise<void> {
    block('hub-field').hidden = model.value !== 'hub'
    block('folder-field').hidden = model.value !== 'folder'
    const chosen = embedded()
    const notes = {
      hub: 'Downloaded once, checked, and kept in this browser.',
      folder: 'Read where it is; nothing is uploaded.',
    }
    const note = chosen
      ? `${megabytes(sizeOf(chosen))}${(await isCached(chosen)) ? ', in this browser already' : ', downloaded once and then kept in this browser'}`
      : notes[model.value as keyof typeof notes]
    say(block('model-note'), note)
  }
  model.onchange = () => {
    void refresh()
    onModel()
  }
  for (const one of [hub, folder, dtype]) one.onchange = onModel
  maxLength.onchange = onLength
  void refresh()

  function source(): Source | undefined {
    const chosen = embedded()
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
      return found && { source: found, dtype: dtype.value as LoadRequest['dtype'] }
    },
    missing: () =>
      model.value === 'hub'
        ? 'Name a model of the hub, such as BAAI/bge-reranker-v2-m3.'
        : 'Choose the folder of a model.',
    maxLength: () => (maxLength.value === '' ? undefined : maxLength.valueAsNumber),
    async isHere() {
      const chosen = embedded()
      return chosen !== undefined && isCached(chosen)
    },
  }
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
