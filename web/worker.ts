/** The engine, in a worker of its own: the page stays alive while a model loads and scores. */
import { languagesOf, type Measured, measuredFile } from '../src/languages/models.ts'
import { readJsonIfValid } from '../src/platform/files.ts'
import { openModel, Reranker } from '../src/rerankers/index.ts'
import { openEmbedded } from './embedded.ts'
import type {
  FromWorker,
  LoadAnswer,
  LoadRequest,
  Method,
  Methods,
  RankAnswer,
  RankRequest,
  ScoredPassage,
  SelfTestAnswer,
  ToWorker,
} from './messages.ts'

interface Context<M extends Method> {
  readonly signal: AbortSignal
  update(value: Methods[M]['update']): void
}

const post = (message: FromWorker) => globalThis.postMessage(message)

let loaded: Reranker | undefined
let hasStoredScore = false

function model(): Reranker {
  if (loaded) return loaded
  throw new Error('no model is loaded')
}

async function load(
  { source, dtype }: LoadRequest,
  { signal, update }: Context<'load'>,
): Promise<LoadAnswer> {
  loaded?.dispose()
  loaded = undefined
  const begun = performance.now()
  const onProgress = (progress: { done: number; total: number }) =>
    update({ ...progress, phase: 'download' })
  const folder =
    source.kind === 'embedded'
      ? await openEmbedded(source.model, { signal, onProgress })
      : await openModel(source.kind === 'hub' ? source.name : source.files, { signal, onProgress })
  const found = performance.now()
  const stored = await folder.open('self-test.json')
  await stored?.close()
  const measured =
    source.kind === 'embedded'
      ? ((await readJsonIfValid(folder, measuredFile)) as Measured | undefined)
      : undefined
  const reranker = await Reranker.load(folder, { dtype, signal, onProgress: update })
  loaded = reranker
  hasStoredScore = stored !== undefined
  void reranker.lost.then(({ name, message }) => {
    if (loaded !== reranker) return
    loaded = undefined
    post({ kind: 'lost', value: { name, message } })
  })
  return {
    info: reranker.info,
    layers: reranker.layers,
    measured,
    ms: { files: found - begun, load: performance.now() - found },
  }
}

/** Passages of the first call, so that there is a score soon, and about how long a later call may take, in ms. */
const firstChunk = 1
const chunkMs = 250

/** Scores passages some at a time; a score does not depend on what it is computed beside. */
async function rank(
  { query, passages, plan, normalize, maxLength }: RankRequest,
  { signal, update }: Context<'rank'>,
): Promise<RankAnswer> {
  const reranker = model()
  const begun = performance.now()
  let tokens = 0
  const options = {
    signal,
    normalize,
    maxLength,
    onStats: (stats: { tokens: number }) => {
      tokens += stats.tokens
    },
  }
  const tell = (rows: readonly Omit<ScoredPassage, 'passageTokens'>[]) =>
    update({
      rows: rows.map(({ index, score, tokens, truncated, layer, layerScores }) => ({
        index,
        score,
        tokens,
        truncated,
        ...(truncated && {
          passageTokens: reranker.tokenizer.encode(passages[index] as string).length,
        }),
        ...(layer !== undefined && { layer }),
        ...(layerScores && { layerScores }),
      })),
    })

  if (plan.kind === 'cascade') {
    const onProgress = update
    tell(await reranker.rank(query, passages, { ...options, cascade: plan.stages, onProgress }))
  } else {
    const cutoffLayers = plan.kind === 'all' ? 'all' : plan.layer
    for (let first = 0, size = firstChunk; first < passages.length; ) {
      const at = performance.now()
      const chunk = passages.slice(first, first + size)
      const rows = await reranker.rank(query, chunk, { ...options, cutoffLayers })
      tell(rows.map((row) => ({ ...row, index: first + row.index })))
      first += chunk.length
      const ms = performance.now() - at
      size = Math.max(1, Math.round(chunk.length * Math.min(4, chunkMs / ms)))
    }
  }
  return { tokens, ms: performance.now() - begun }
}

const query = 'what is panda?'
const passages = ['hi', 'The giant panda is a bear species endemic to China.', 'pandas '.repeat(40)]

async function selfTest(): Promise<SelfTestAnswer> {
  const reranker = model()
  const stored = hasStoredScore ? await reranker.selfTest() : undefined
  const pairs = passages.map((passage): [string, string] => [query, passage])
  const alone = await reranker.computeScore(pairs[1] as [string, string])
  const [, together = Number.NaN] = await reranker.computeScore(pairs)
  return { alone, together, ...(stored && { stored }) }
}

const methods: {
  [M in Method]: (
    request: Methods[M]['request'],
    context: Context<M>,
  ) => Promise<Methods[M]['answer']>
} = { languages: languagesOf, load, rank, selfTest }

const running = new Map<number, AbortController>()

globalThis.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  const { id } = data
  if (data.method === 'abort') return running.get(id)?.abort()
  const abort = new AbortController()
  running.set(id, abort)
  try {
    const value = await methods[data.method](data.request as never, {
      signal: abort.signal,
      update: (update) => post({ id, kind: 'update', value: update }),
    })
    post({ id, kind: 'answer', value })
  } catch (error) {
    const { name = 'Error', code, message = String(error) } = Object(error)
    post({ id, kind: 'fault', value: { name, code, message } })
  } finally {
    running.delete(id)
  }
}
