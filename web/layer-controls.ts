/** The controls of models with a score at several layers. */
import { block, button, element, input, say } from './dom.ts'
import type { Plan } from './messages.ts'
import { cascadeOf, firstStages, type Stage, settleStages, stagesFor } from './stages.ts'

export interface LayerControls {
  /** What the engine is asked for. */
  plan(): Plan
  /** The layer that ranks, where every layer has a score. */
  layer(): number | undefined
  /** Shows the controls for a model's layers; hides them where there is but one. */
  show(layers: readonly number[]): void
  /** How many passages there are to keep. */
  setPassages(count: number): void
}

/**
 * @param onPlan called when the engine has to be asked again
 * @param onLayer called when another of the layers that have a score ranks
 */
export function layerControls(onPlan: () => void, onLayer: () => void): LayerControls {
  const slider = input('layer')
  const radios = [...document.querySelectorAll<HTMLInputElement>('input[name=plan]')]
  let layers: readonly number[] = []
  let passages = 1
  let stages: readonly Stage[] = []
  /** Whether the user has set the stages. */
  let isSet = false

  const kind = () => (radios.find(({ checked }) => checked)?.value ?? 'all') as Plan['kind']
  const layerAt = (at: number) => layers[at] as number
  const sliderLayer = () => layerAt(Number(slider.value))

  function refresh(): void {
    block('layer-field').hidden = kind() === 'cascade'
    block('cascade-field').hidden = kind() !== 'cascade'
    const notes: Record<Plan['kind'], string> = {
      all: 'One pass gives a score at each layer. Move the slider to rank by another.',
      layer: 'The model stops at this layer: lower layers are faster.',
      cascade: 'All passages are scored at the first layer; the best of them go on.',
    }
    say(block('plan-note'), notes[kind()])
    say(block('layer-value'), String(sliderLayer()))
    slider.setAttribute('aria-valuetext', `layer ${sliderLayer()}`)
    refreshStages()
  }

  /** Values alone change while a slider is moved, so that it keeps the focus. */
  function refreshStages(): void {
    const list = block('stages')
    if (list.childElementCount !== stages.length) {
      list.replaceChildren(...stages.map((_, i) => stageItem(i)))
    }
    for (const [i, stage] of stages.entries()) {
      for (const key of ['at', 'keep'] as const) {
        const range = list.querySelector<HTMLInputElement>(`#stage-${i}-${key}`)
        if (!range) continue
        range.max = String(key === 'at' ? layers.length - 1 : Math.max(1, passages))
        // A value that is set while a slider moves would keep it from telling its change.
        if (Number(range.value) !== stage[key]) range.value = String(stage[key])
        const text = key === 'at' ? `layer ${layerAt(stage.at)}` : `best ${stage.keep}`
        range.setAttribute('aria-valuetext', text)
        const output = list.querySelector<HTMLElement>(`output[for=${range.id}]`)
        if (output) say(output, String(key === 'at' ? layerAt(stage.at) : stage.keep))
      }
    }
    button('add-stage').disabled = stages.length >= layers.length
  }

  function stageItem(index: number): HTMLLIElement {
    const isLast = index + 1 === stages.length
    const remove = element('button', 'link', 'Remove')
    remove.type = 'button'
    remove.ariaLabel = `Remove stage ${index + 1}`
    remove.onclick = () => setStages(stages.toSpliced(index, 1))
    return element(
      'li',
      '',
      range(index, 'at', 'Layer '),
      isLast
        ? element('span', 'hint', 'ranks what is left')
        : range(index, 'keep', 'Keep the best '),
      ...(stages.length > 1 ? [remove] : []),
    )
  }

  function range(index: number, key: keyof Stage, text: string): HTMLElement {
    const made = element('input')
    made.type = 'range'
    made.id = `stage-${index}-${key}`
    made.min = key === 'at' ? '0' : '1'
    made.oninput = () => {
      const changed = stages.with(index, { ...(stages[index] as Stage), [key]: Number(made.value) })
      stages = settleStages(changed, layers.length, passages, index)
      isSet = true
      refreshStages()
    }
    made.onchange = onPlan
    const output = element('output')
    output.htmlFor.add(made.id)
    const label = element(
      'label',
      '',
      element('span', 'said', `Stage ${index + 1}: `),
      text,
      output,
    )
    label.htmlFor = made.id
    return element('div', '', label, made)
  }

  function setStages(next: readonly Stage[]): void {
    stages = settleStages(next, layers.length, passages)
    isSet = true
    block('stages').replaceChildren()
    refreshStages()
    block('stages').querySelector('input')?.focus()
    onPlan()
  }

  button('add-stage').onclick = () => {
    const last = stages.at(-1) as Stage
    setStages([...stages.slice(0, -1), { ...last, keep: stages.at(-2)?.keep ?? passages }, last])
  }
  for (const radio of radios) {
    radio.onchange = () => {
      refresh()
      onPlan()
    }
  }
  slider.oninput = () => {
    refresh()
    if (kind() === 'all') onLayer()
  }
  slider.onchange = () => {
    if (kind() === 'layer') onPlan()
  }

  return {
    plan() {
      if (layers.length < 2) return { kind: 'layer' }
      if (kind() === 'layer') return { kind: 'layer', layer: sliderLayer() }
      if (kind() === 'all') return { kind: 'all' }
      return { kind: 'cascade', stages: cascadeOf(stages, layers) }
    },
    layer: () => (layers.length > 1 && kind() === 'all' ? sliderLayer() : undefined),
    show(found) {
      block('layers').hidden = found.length < 2
      if (found.length < 2 || String(found) === String(layers)) {
        layers = found
        return
      }
      layers = found
      slider.min = '0'
      slider.max = String(layers.length - 1)
      slider.value = slider.max
      stages = firstStages(layers.length, passages)
      isSet = false
      refresh()
    },
    setPassages(count) {
      stages = stagesFor(stages, layers.length, count, isSet)
      if (count > 0) passages = count
      if (layers.length > 1) refreshStages()
    },
  }
}
