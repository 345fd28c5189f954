import { basename } from 'node:path'
import { Embedder, isEmbedder } from '../embedders/index.ts'
import type { JudgedQuery } from '../eval/index.ts'
import type { LayerwiseLoadOptions, ModelStage, ScorePassages } from '../rerankers/index.ts'
import { CliError } from './errors.ts'
import type { CliReranker, Io } from './io.ts'
import { wholeGroups } from './layers-research.ts'
import type { Progress } from './progress.ts'
import { cachedScores } from './score-cache.ts'

type Pair = readonly [query: string, passage: string]

/** A model that is compared: a folder or name, what it is called, one of its layers or all that have a score, and its dtype. */
export interface ModelSpec {
  readonly place: string | undefined
  /** Where there is none, the model's own name. */
  readonly name?: string | undefined
  readonly layer?: number | undefined
  readonly dtype: NonNullable<LayerwiseLoadOptions['dtype']>
}

/** A model, or a layer of one, with its scores and costs. */
export interface System {
  readonly name: string
  readonly model: string
  readonly kind: 'model' | 'layer' | 'embedder'
  readonly scores: readonly number[]
  /** Per pair, of a sample of whole queries. */
  readonly flops: number
  readonly milliseconds: number
  /** Runs it, as a stage of a cascade. */
  readonly stage: Pick<ModelStage, 'model' | 'cutoffLayer'>
}

/** A model that is open: what it is called, how it scores, and how it is closed. */
export interface OpenModel {
  readonly name: string
  readonly systems: readonly System[]
  /** A reranker, whose layers a cascade of its own may take. */
  readonly reranker?: CliReranker | undefined
  close(): Promise<void> | void
}

/** What models are measured on. */
export interface Workload {
  readonly pairs: readonly Pair[]
  readonly groups: readonly (readonly number[])[]
  readonly queries: readonly JudgedQuery[]
  /** The most pairs that are timed, in whole queries, and the rounds, after one that does not count. */
  readonly timePairs: number
  readonly rounds: number
  /** A folder where scores are kept, so that no model scores the same pairs twice. */
  readonly cache?: string | undefined
}

/**
 * Checks, before any model is scored, that layers are chosen of no embedder.
 *
 * @throws CliError `usage`, and what opening the places throws
 */
export async function checkLayers(specs: readonly ModelSpec[], signal: AbortSignal): Promise<void> {
  for (const { place, layer } of specs) {
    if (place === undefined || layer === undefined) continue
    if (await isEmbedder(place, { signal })) {
      throw new CliError('usage', `${place} is an embedder: it has no layers to choose`)
    }
  }
}

/** Opens a model, scores all pairs, and measures what a pair costs. */
export async function openSystem(
  spec: ModelSpec,
  work: Workload,
  io: Io,
  progress: Progress,
): Promise<OpenModel> {
  const { signal } = io
  const { place } = spec
  return place !== undefined && (await isEmbedder(place, { signal }))
    ? openEmbedder(spec, work, io, progress)
    : openReranker(spec, work, io, progress)
}

async function openReranker(
  spec: ModelSpec,
  work: Workload,
  io: Io,
  progress: Progress,
): Promise<OpenModel> {
  const { signal } = io
  const { place, layer, dtype } = spec
  const reranker =
    layer === undefined
      ? await io.load(place, { dtype, signal })
      : await io.loadLayerwise(place, { dtype, signal, cutoffLayers: layer })
  try {
    const { info } = reranker
    const name = nameOf(spec, info.model)
    const layers = reranker.layers.filter((own) => layer === undefined || own === layer)
    const isLayerwise = reranker.layers.length > 1 || layer !== undefined
    const { cache, pairs } = work
    const scores = await cachedScores(cache, { info, layers, pairs }, () =>
      scoreAll(reranker, pairs, isLayerwise ? layers : undefined, signal, progress, name),
    )
    const sample = sampleOf(work)
    const flops = await reranker.layerFlops?.(sample.flat())
    const count = sample.flat().length
    const systems: System[] = []
    for (const [at, own] of layers.entries()) {
      const cutoffLayers = isLayerwise ? { cutoffLayers: own } : {}
      const milliseconds = await timed(work, sample, async (query, passages) => {
        await reranker.rank(query, passages, { ...cutoffLayers, signal })
      })
      systems.push({
        name: isLayerwise ? `${name}@${own}` : name,
        model: `${place} ${dtype}`,
        kind: isLayerwise ? 'layer' : 'model',
        scores: scores[at]!,
        flops: (flops?.find(({ layer }) => layer === own)?.cutoff ?? own) / count,
        milliseconds,
        stage: { model: reranker, ...(isLayerwise && { cutoffLayer: own }) },
      })
    }
    return { name, systems, reranker, close: () => reranker.dispose() }
  } catch (error) {
    await reranker.dispose()
    throw error
  }
}

const nameOf = ({ name, dtype }: ModelSpec, model: string): string =>
  `${name ?? basename(model)}${dtype === 'auto' ? '' : ` ${dtype}`}`

async function scoreAll(
  reranker: CliReranker,
  pairs: readonly Pair[],
  cutoffLayers: readonly number[] | undefined,
  signal: AbortSignal,
  progress: Progress,
  name: string,
): Promise<number[][]> {
  progress.start(`scoring ${name}`, pairs.length)
  const onProgress = ({ done }: { done: number }) => progress.update(done)
  const options = { signal, onProgress }
  const scores = cutoffLayers
    ? await reranker.computeScore(pairs, { ...options, cutoffLayers })
    : [await reranker.computeScore(pairs, options)]
  progress.stop()
  return scores
}

/**
 * An embedder is measured as it is used, with an index: passages are embedded beforehand, and a query costs its own embedding and as
 * many products.
 */
async function openEmbedder(
  spec: ModelSpec,
  work: Workload,
  { signal }: Io,
  progress: Progress,
): Promise<OpenModel> {
  const { place, dtype } = spec
  const embedder = await Embedder.load(place, { dtype, signal })
  try {
    const name = nameOf(spec, embedder.info.model)
    progress.start(`embedding for ${name}`, 2)
    const texts = [...new Set(work.pairs.map(([, passage]) => passage))]
    const vectors = await embedder.embed(texts, { kind: 'passage', signal })
    progress.update(1)
    const index = new Map(texts.map((text, i) => [text, vectors[i]!]))
    const model: ScorePassages = async (query, passages) => {
      const [asked] = await embedder.embed([query], { kind: 'query', signal })
      return passages.map((passage) => embedder.similarity(asked!, index.get(passage)!))
    }
    const scores = new Array<number>(work.pairs.length)
    for (const group of work.groups) {
      if (group.length === 0) continue
      const passages = group.map((i) => work.pairs[i]![1])
      const own = await model(work.pairs[group[0]!]![0], passages, group)
      group.forEach((i, at) => {
        scores[i] = own[at]!
      })
    }
    progress.stop()
    const sample = sampleOf(work)
    const flops = embedder.flops(
      sample.map((list) => list[0]![0]),
      {},
    )
    const count = sample.flat().length
    const milliseconds = await timed(work, sample, async (query, passages) => {
      await model(query, passages, [])
    })
    const system: System = {
      name: `${name} (indexed)`,
      model: `${place} ${dtype}`,
      kind: 'embedder',
      scores,
      flops: flops / count + 2 * embedder.info.dimensions,
      milliseconds,
      stage: { model },
    }
    return { name, systems: [system], close: () => embedder.dispose() }
  } catch (error) {
    embedder.dispose()
    throw error
  }
}

/** The pairs of whole queries that are timed. */
export const sampleOf = ({ pairs, groups, timePairs }: Workload): Pair[][] =>
  wholeGroups(groups, timePairs).map((group) => group.map((index) => pairs[index]!))

/** Milliseconds per pair of ranking the sample: the median of rounds, after one that does not count. */
export async function timed(
  { rounds }: Pick<Workload, 'rounds'>,
  sample: readonly (readonly Pair[])[],
  rank: (query: string, passages: readonly string[]) => Promise<void>,
): Promise<number> {
  const times: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    for (const list of sample) {
      await rank(
        list[0]![0],
        list.map(([, passage]) => passage),
      )
    }
    if (round > 0) times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]! / sample.flat().length
}
