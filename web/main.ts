/** The page: documents and a query in, passages ranked by a model in a worker. */

import { harmIn, type Languages, mostTexts } from '../src/languages/models.ts'
import { selfTestButton, showFacts, showTimings, type Timings } from './device-panel.ts'
import { documentPanel } from './document-panel.ts'
import type { Passage } from './documents/split.ts'
import { block, button, duration, get, input, many, megabytes, number, say } from './dom.ts'
import { isCached } from './embedded.ts'
import { EngineFault, startEngine } from './engine.ts'
import { type Made, save, toCsv, toJson } from './export.ts'
import { layerControls } from './layer-controls.ts'
import type {
  EmbeddedModel,
  LoadAnswer,
  LoadRequest,
  RankAnswer,
  ScoredPassage,
} from './messages.ts'
import { chooseModel, type ModelChoice, type ModelsByLanguage } from './model-choice.ts'
import { modelPanel } from './model-panel.ts'
import { keepPage } from './offline.ts'
import { isComplete, type Ranking, rankingView, sortRows } from './ranking.ts'
import { sampleQuery } from './sample.ts'
import { findLack, type Lack } from './webgpu.ts'

const worker = new Worker(new URL('worker.js', document.baseURI), { type: 'module' })
const models: EmbeddedModel[] = await (await fetch('models.json')).json()
const query = input('query')
query.value = sampleQuery

/** A ranking as the engine gives it, with what made it: another model may be loaded since. */
interface Shown extends Ranking, Made {
  readonly rows: ScoredPassage[]
  /** The layers that have a score. */
  readonly layers: readonly number[]
  layer: number | undefined
}

/** What is loaded, and what was asked for to load it. */
let loaded: (LoadAnswer & { readonly request: LoadRequest }) | undefined
let passages: readonly Passage[] = []
let shown: Shown | undefined
/** The work in progress: a new one stops it, and waits until it has stopped. */
let work: { readonly abort: AbortController; readonly done: Promise<void> } | undefined
const timings: Timings = {}

const engine = startEngine(worker, ({ message }) => {
  loaded = undefined
  setStatus('bad', 'the model is gone')
  say(block('rank-error'), `${message}\nRank again to load the model again.`)
})
const view = rankingView()
const layers = layerControls(rankAgain, showRanking)
const panel = modelPanel(models, modelChanged, rankAgain)

function setStatus(state: '' | 'ok' | 'busy' | 'bad', text: string): void {
  const status = block('status')
  status.className = `status ${state}`
  say(status, text)
}

/** Whether a pause in typing ranks. */
const isLive = () => input('live').checked

const statusOf = ({ info }: LoadAnswer) =>
  `ready: ${info.dtype} on ${info.adapter.description || info.adapter.architecture || 'WebGPU'}`

function setProgress(text: string | undefined, done = 0, total = 0): void {
  block('progress').hidden = text === undefined
  const bar = get('progress-bar', HTMLProgressElement)
  if (total > 0) {
    bar.max = total
    bar.value = done
  } else bar.removeAttribute('value')
  block('progress-text').textContent = text ?? ''
}

/** Runs work that stops what ran before; says what went wrong, unless it was stopped. */
async function start(run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const before = work
  before?.abort.abort()
  const abort = new AbortController()
  const done = (async () => {
    await before?.done
    if (abort.signal.aborted) return
    button('stop').hidden = false
    say(block('rank-error'), '')
    try {
      await run(abort.signal)
    } catch (fault) {
      if (!abort.signal.aborted) await fail(fault)
    }
    setProgress(undefined)
    button('stop').hidden = true
    if (!loaded && !block('status').classList.contains('bad')) setStatus('', 'no model yet')
  })()
  work = { abort, done }
  await done
}

async function fail(fault: unknown): Promise<void> {
  if (fault instanceof EngineFault && fault.code === 'webgpu-missing') {
    showLack({
      why: fault.message,
      steps: ['Use Chrome, Edge or Safari in their newest versions.'],
    })
  }
  if (!loaded) setStatus('bad', 'no model')
  say(block('rank-error'), fault instanceof Error ? fault.message : String(fault))
  say(block('note'), '')
}

/** What ranks: a query, and whether it is still being typed. */
interface Asked {
  readonly text: string
  readonly isTyped?: boolean
}

/** The model for a query by its language, with the languages that were found. */
async function choose(
  models: ModelsByLanguage,
  { text, isTyped = false }: Asked,
  signal?: AbortSignal,
): Promise<ModelChoice & { readonly languages: Languages | undefined }> {
  const texts = {
    queries: [text],
    passages: passages.slice(0, mostTexts).map((passage) => passage.text),
  }
  const languages = await engine.call('languages', texts, { signal }).catch(() => {
    signal?.throwIfAborted()
    return undefined
  })
  const source = loaded?.request.source
  const kept = isTyped && source?.kind === 'embedded' ? source.model : undefined
  const isToBeHad = async (model: EmbeddedModel) => navigator.onLine || isCached(model)
  return { ...(await chooseModel(models, { languages, isToBeHad, kept })), languages }
}

/** Loads the model that is asked for, or that of the query's language, and says which and of what to beware. */
async function ensureModel(asked: Asked, signal: AbortSignal): Promise<LoadAnswer> {
  const wanted = panel.wanted()
  if (!wanted) throw new Error(panel.missing())
  const { source, dtype } = wanted
  if (source.kind !== 'by-language') {
    for (const id of ['choice', 'language-warning']) say(block(id), '')
    return load({ source, dtype }, signal)
  }
  const { model, reason, languages } = await choose(source.models, asked, signal)
  say(block('choice'), reason)
  const answer = await load({ source: { kind: 'embedded', model }, dtype }, signal)
  const harm = harmIn(languages?.query, model.name, answer.measured)
  say(block('language-warning'), harm ? `The query is ${harm}. Choose another model.` : '')
  return answer
}

/** Loads a model, unless it is loaded. One at a time: a device may not have room for two. */
async function load(request: LoadRequest, signal: AbortSignal): Promise<LoadAnswer> {
  if (loaded && isSame(loaded.request, request)) return loaded
  loaded = undefined
  button('self-test').disabled = true
  setStatus('busy', 'loading the model')
  setProgress('Loading the model …')
  const answer = await engine.call('load', request, {
    signal,
    onUpdate({ phase, done, total, secondsLeft }) {
      const what = phase === 'download' ? 'Model files' : 'Model to the device'
      const left = secondsLeft === undefined ? '' : `, ${duration(1000 * secondsLeft)} left`
      setProgress(`${what}: ${megabytes(done)} of ${megabytes(total)}${left}`, done, total)
    },
  })
  // For measurements from outside: when the files were here, and when the model was.
  const now = performance.mark('model loaded').startTime
  performance.mark('model files', { startTime: now - answer.ms.load })
  loaded = { ...answer, request }
  Object.assign(timings, answer.ms)
  showTimings(timings)
  showFacts(answer)
  layers.show(answer.layers)
  layers.setPassages(passages.length)
  input('max-length').max = String(answer.info.limits.maxTokens)
  button('self-test').disabled = false
  setStatus('ok', statusOf(answer))
  void panel.refresh()
  return answer
}

const isSame = (a: LoadRequest, b: LoadRequest) =>
  a.dtype === b.dtype &&
  (a.source.kind === 'files'
    ? b.source.kind === 'files' && sameFiles(a.source.files, b.source.files)
    : JSON.stringify(a.source) === JSON.stringify(b.source))

const sameFiles = (a: Readonly<Record<string, File>>, b: Readonly<Record<string, File>>) =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([path, file]) => b[path] === file)

async function rank(signal: AbortSignal, isTyped = false): Promise<void> {
  let text = query.value.trim()
  if (text === '') throw new Error('Type a query.')
  if (passages.length === 0) throw new Error('Add a document.')
  let model = await ensureModel({ text, isTyped }, signal)
  // What was typed while the model loaded may be in another language.
  for (let latest = query.value.trim(); isLive() && latest !== '' && latest !== text; ) {
    text = latest
    model = await ensureModel({ text, isTyped: true }, signal)
    latest = query.value.trim()
  }
  const { info } = model
  const maxLength = panel.maxLength()
  const ranking: Shown = {
    query: text,
    passages,
    rows: [],
    plan: layers.plan(),
    normalized: !input('raw').checked,
    info,
    maxLength: maxLength ?? info.limits.maxLength,
    layers: model.layers,
    layer: undefined,
  }
  say(block('note'), `Ranking ${many(passages.length, 'passage')} …`)
  let frame = 0
  const request = {
    query: text,
    passages: passages.map((passage) => passage.text),
    plan: ranking.plan,
    normalize: ranking.normalized,
    maxLength,
  }
  canExport(false)
  try {
    const answer = await engine.call('rank', request, {
      signal,
      onUpdate(update) {
        if (signal.aborted) return
        if (!('rows' in update)) return setProgress('Ranking …', update.done, update.total)
        noteFirstScore()
        for (const row of update.rows) ranking.rows.push(row)
        shown = ranking
        setProgress(scored(ranking), ranking.rows.length, passages.length)
        frame ||= requestAnimationFrame(() => {
          frame = 0
          showRanking()
        })
      },
    })
    cancelAnimationFrame(frame)
    showRanking()
    finish(answer, ranking)
  } finally {
    canExport(shown !== undefined)
  }
}

const scored = ({ rows, passages }: Ranking) =>
  `${number(rows.length)} of ${many(passages.length, 'passage')}`

function canExport(can: boolean): void {
  for (const id of ['export-csv', 'export-json']) button(id).disabled = !can
}

function noteFirstScore(): void {
  if (timings.firstScore !== undefined) return
  timings.firstScore = performance.mark('first score').startTime
  showTimings(timings)
}

function finish(answer: RankAnswer, { rows }: { rows: readonly ScoredPassage[] }): void {
  performance.mark('ranked')
  timings.ranked = { ...answer, passages: rows.length }
  showTimings(timings)
  const cut = rows.filter(({ truncated }) => truncated).length
  const parts = [
    many(rows.length, 'passage'),
    many(answer.tokens, 'token'),
    cut > 0 ? `${cut} shortened` : '',
    duration(answer.ms),
  ]
  say(block('note'), parts.filter(Boolean).join(' · '))
  // The first ranking may end before the service worker is there.
  void navigator.serviceWorker?.ready.then(({ active }) => active?.postMessage('keep the rest'))
}

/** A ranking in its order: of a cascade that which the engine gave. */
function ordered(ranking: Shown): Shown {
  if (ranking.plan.kind === 'cascade') return ranking
  return { ...ranking, rows: sortRows(ranking.rows, ranking.layer) }
}

function showRanking(): void {
  if (!shown) return
  const layer = layers.layer()
  // The slider may be that of a model that was loaded since.
  if (shown.plan.kind === 'all' && layer !== undefined && shown.layers.includes(layer)) {
    shown.layer = layer
  }
  view.show(ordered(shown))
}

/** Ranks again what is ranked, with other settings. */
function rankAgain(): void {
  if (shown && loaded) void start(rank)
}

function modelChanged(): void {
  say(block('rank-error'), '')
}

function passagesChanged(next: readonly Passage[]): void {
  // A model that is loading goes on: what is ranked then are the passages of that time.
  const isRanking = loaded !== undefined && !button('stop').hidden
  if (isRanking) work?.abort.abort()
  passages = next
  layers.setPassages(next.length)
  shown = undefined
  view.clear()
  for (const id of ['choice', 'language-warning']) say(block(id), '')
  canExport(false)
  say(block('note'), 'Passages appear here, best first.')
  const isWanted = isRanking || isLive()
  if (loaded && next.length > 0 && isWanted) void start(rank)
}

/** Whether the model to rank with is in this browser: loading it costs no download that was not agreed to. */
async function isHere(): Promise<boolean> {
  const source = panel.wanted()?.source
  if (source?.kind === 'embedded') return isCached(source.model)
  if (source?.kind !== 'by-language') return false
  const { multilingual, ofLanguage } = source.models
  const are = await Promise.all([multilingual, ...Object.values(ofLanguage)].map(isCached))
  if (!are.includes(true)) return false
  return isCached((await choose(source.models, { text: query.value.trim() })).model)
}

function showLack({ why, steps }: Lack): void {
  block('no-webgpu').hidden = false
  say(block('no-webgpu-why'), why)
  block('no-webgpu-steps').replaceChildren(
    ...steps.map((step) => Object.assign(document.createElement('li'), { textContent: step })),
  )
  for (const id of ['go', 'load']) button(id).disabled = true
  setStatus('bad', 'no WebGPU')
}

get('ask', HTMLFormElement).onsubmit = (event) => {
  event.preventDefault()
  void start(rank)
}
button('stop').onclick = () => {
  work?.abort.abort()
  const part = shown && !isComplete(shown) ? `: ${scored(shown)} ranked` : ''
  say(block('note'), `Stopped${part}.`)
  query.focus()
}
button('load').onclick = () => start((signal) => ensureModel({ text: query.value.trim() }, signal))
input('raw').onchange = rankAgain
const typingPauseMs = 350
let pause: ReturnType<typeof setTimeout> | undefined
query.oninput = () => {
  clearTimeout(pause)
  if (!isLive() || !loaded || query.value.trim() === '') return
  pause = setTimeout(() => void start((signal) => rank(signal, true)), typingPauseMs)
}
/** A table has no room to say that passages are missing; its name does. */
const fileName = (ranking: Ranking) => (isComplete(ranking) ? 'ranking' : 'ranking-incomplete')
button('export-csv').onclick = async () => {
  if (shown) save(`${fileName(shown)}.csv`, 'text/csv', await toCsv(ordered(shown)))
}
button('export-json').onclick = () => {
  if (!shown) return
  const ranking = ordered(shown)
  save(`${fileName(shown)}.json`, 'application/json', toJson(ranking, ranking))
}
selfTestButton(() => engine.call('selfTest', undefined))
showTimings(timings)
documentPanel(passagesChanged)
keepPage()

const lack = await findLack()
if (lack) showLack(lack)
else {
  setStatus('', 'no model yet')
  // What is in this browser already costs nothing: the ranking is there at once.
  if (await isHere()) void start(rank)
}
document.documentElement.dataset.ready = ''
