/** The list of ranked passages. */

import type { Passage } from './documents/split.ts'
import { block, button, element, many, number } from './dom.ts'
import type { ScoredPassage } from './messages.ts'

/** Scored passages, best first, with what is shown of them. */
export interface Ranking {
  readonly rows: readonly ScoredPassage[]
  readonly passages: readonly Passage[]
  /** Scores are between 0 and 1. */
  readonly normalized: boolean
  /** The layer whose scores rank, where rows have those of several. */
  readonly layer?: number | undefined
}

/** The score that ranks a row. */
export const scoreOf = (row: ScoredPassage, layer: number | undefined): number =>
  layer === undefined ? row.score : (row.layerScores?.[layer] ?? Number.NaN)

/** Rows best first, ties as they were given. */
export const sortRows = (rows: readonly ScoredPassage[], layer?: number): ScoredPassage[] =>
  rows.toSorted((a, b) => scoreOf(b, layer) - scoreOf(a, layer) || a.index - b.index)

/** Whether every passage has a score: not so while it is ranked, nor after a stop. */
export const isComplete = ({ rows, passages }: Ranking): boolean => rows.length === passages.length

/** Where a score stands from 0 to 1: a sigmoid as it is, a logit between the least and the highest. */
export function partOf(scores: readonly number[], normalized: boolean): (score: number) => number {
  if (normalized) return (score) => score
  // Not as arguments of one call: a hundred thousand overflow the stack.
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  const least = scores.reduce((a, b) => Math.min(a, b), Infinity)
  return (score) => (most === least ? 1 : (score - least) / (most - least))
}

const firstShown = 20
const longText = 320
const slideMs = 250

/** Shows a ranking; what moved slides to its place. */
export function rankingView(): { show(ranking: Ranking): void; clear(): void } {
  const list = block('results')
  const more = button('more')
  let items = new Map<number, HTMLLIElement>()
  let shown = firstShown
  let current: Ranking | undefined

  function show(ranking: Ranking): void {
    if (current?.passages !== ranking.passages) clear()
    current = ranking
    const { rows, normalized, layer } = ranking
    const visible = rows.slice(0, shown)
    const part = partOf(
      rows.map((row) => scoreOf(row, layer)),
      normalized,
    )
    const partOfAll = partOf(
      rows.flatMap(({ layerScores }) => Object.values(layerScores ?? {})),
      normalized,
    )
    const before = new Map(
      [...items].map(([index, item]) => [index, item.getBoundingClientRect().top]),
    )
    const next = new Map<number, HTMLLIElement>()
    for (const [i, row] of visible.entries()) {
      const item = items.get(row.index) ?? makeItem(ranking.passages[row.index] as Passage)
      fill(item, row, i + 1, ranking, part, partOfAll)
      next.set(row.index, item)
    }
    items = next
    place([...next.values()])
    slide(before)
    more.hidden = rows.length <= shown
    more.textContent = `Show ${many(Math.min(50, rows.length - shown), 'more passage')}`
  }

  /** Puts items in order, moving as few as it can: a moved element loses the focus. */
  function place(wanted: readonly HTMLLIElement[]): void {
    for (const item of [...list.children]) {
      if (!wanted.includes(item as HTMLLIElement)) item.remove()
    }
    wanted.forEach((item, i) => {
      if (list.children[i] !== item) list.insertBefore(item, list.children[i] ?? null)
    })
  }

  function slide(before: ReadonlyMap<number, number>): void {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
    for (const [index, item] of items) {
      const from = before.get(index)
      const distance = from === undefined ? 0 : from - item.getBoundingClientRect().top
      if (Math.abs(distance) < 2) continue
      item.animate([{ transform: `translateY(${distance}px)` }, { transform: 'none' }], {
        duration: slideMs,
        easing: 'ease-out',
      })
    }
  }

  function clear(): void {
    items = new Map()
    shown = firstShown
    current = undefined
    list.replaceChildren()
    more.hidden = true
  }

  more.onclick = () => {
    const first = shown
    shown += 50
    if (current) show(current)
    const item = list.children[first] as HTMLElement | undefined
    if (item) item.tabIndex = -1
    item?.focus()
  }
  return { show, clear }
}

/** The parts of a row that do not change. */
function makeItem({ text, document, place }: Passage): HTMLLIElement {
  const passage = element('p', 'passage', text)
  const body = element('div', 'body', passage)
  if (text.length > longText || text.split('\n').length > 4) {
    passage.classList.add('short')
    const toggle = element('button', 'link', 'Show all')
    toggle.type = 'button'
    toggle.ariaExpanded = 'false'
    toggle.onclick = () => {
      const isShort = passage.classList.toggle('short')
      toggle.textContent = isShort ? 'Show all' : 'Show less'
      toggle.ariaExpanded = String(!isShort)
    }
    body.append(toggle)
  }
  body.append(element('div', 'meter', element('span')), element('p', 'marks'))
  return element(
    'li',
    '',
    element('span', 'rank'),
    element('span', 'source', [document, place].filter(Boolean).join(' · ')),
    element('span', 'score'),
    body,
  )
}

function fill(
  item: HTMLLIElement,
  row: ScoredPassage,
  rank: number,
  { normalized, layer }: Ranking,
  part: (score: number) => number,
  partOfAll: (score: number) => number,
): void {
  const find = (name: string) => item.querySelector(name) as HTMLElement
  const score = scoreOf(row, layer)
  const digits = normalized ? 3 : 2
  find('.rank').textContent = String(rank)
  find('.score').replaceChildren(element('span', 'said', 'score '), score.toFixed(digits))
  find('.meter span').style.setProperty('--part', `${Math.max(1, 100 * part(score))}%`)
  find('.marks').replaceChildren(...marksOf(row))
  item.querySelector('.chart')?.remove()
  if (row.layerScores) {
    find('.body').append(chart(Object.entries(row.layerScores), layer, partOfAll, digits))
  }
}

/** Tokens, whether the passage was shortened, and the layer at which it left a cascade. */
function marksOf({ tokens, truncated, passageTokens, layer, layerScores }: ScoredPassage): Node[] {
  const marks: Node[] = [element('span', '', many(tokens, 'token'))]
  if (truncated) {
    const mark = element('span', 'mark', 'shortened')
    const whole = passageTokens === undefined ? '' : ` (the passage has ${number(passageTokens)})`
    mark.append(element('span', 'whole', whole))
    marks.push(mark)
  }
  if (layer !== undefined && !layerScores) marks.push(element('span', 'at', `layer ${layer}`))
  return marks
}

/** The scores of a passage at each layer: bars, with their numbers where there is room. */
function chart(
  scores: readonly (readonly [layer: string, score: number])[],
  layer: number | undefined,
  part: (score: number) => number,
  digits: number,
): HTMLDListElement {
  const list = element('dl', 'chart')
  const isCrowded = scores.length > 10
  for (const [name, score] of scores) {
    const bar = element('i')
    bar.style.setProperty('--part', `${Math.max(3, 100 * part(score))}%`)
    const text = score.toFixed(Math.min(digits, 2))
    const entry = element(
      'div',
      Number(name) === layer ? 'now' : '',
      element('dt', '', element('span', 'said', 'layer '), name),
      element('dd', '', bar, element('span', isCrowded ? 'said' : '', text)),
    )
    entry.title = `layer ${name}: ${score.toFixed(digits)}`
    list.append(entry)
  }
  return list
}
