import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { openFolder } from '#platform'
import type { Embedder, MultiWeights } from '../embedders/index.ts'
import { collectPassages, firstStageOrder, type Run } from '../eval/index.ts'
import {
  bm25Stage,
  denseStage,
  type FirstStage,
  hybridStage,
  multiStage,
  openIndex,
  type Query,
  type Ranked,
  runStage,
  textsOf,
  uniquePassages,
  type VectorIndex,
} from '../retrieval/index.ts'
import { checkCorpus } from '../retrieval/index-writer.ts'
import type { DataSet } from './data-sets.ts'
import { CliError } from './errors.ts'
import { modelFiles } from './fingerprint.ts'
import type { Io } from './io.ts'
import { type Progress, progressOn } from './progress.ts'
import { loadSearchModel, type SearchModelOptions, writeVectors } from './vector-index.ts'

/** Gives the ranked documents of each query of a data set. */
export type RunSource = (set: DataSet, io: Io) => Promise<Run>

/** Options of making first stages. */
export interface FirstStageOptions {
  /** First stages as {@link parseStage} reads them. */
  firstStage?: readonly string[]
  /** Where indexes of vectors are kept. */
  indexes?: string
  top: number
  keepIdenticalIds: boolean
  progress: boolean
}

/** A first stage that was asked for. */
export type StageSpec =
  | { readonly kind: 'bm25' }
  | { readonly kind: 'dense'; readonly model: string | undefined }
  | {
      readonly kind: 'multi'
      readonly model: string | undefined
      readonly weights: MultiWeights | undefined
    }
  | { readonly kind: 'index'; readonly folder: string }
  | { readonly kind: 'run'; readonly file: string }
  | { readonly kind: 'hybrid'; readonly parts: readonly StageSpec[] }

export const stageForms =
  'bm25, dense, dense:MODEL, index:FOLDER, multi:MODEL, multi@DENSE,SPARSE,COLBERT:MODEL (weights), run:FILE, hybrid, ' +
  'hybrid:STAGE+STAGE'

/**
 * Reads a first stage, in one of the {@link stageForms}.
 *
 * @throws CliError `usage`
 */
export function parseStage(text: string): StageSpec {
  const [, kind, weights, , rest] = /^(\w+)(?:@([\d.,]+))?(:(.+))?$/s.exec(text) ?? []
  const isPlain = weights === undefined
  if (kind === 'bm25' && isPlain && rest === undefined) return { kind }
  if (kind === 'dense' && isPlain) return { kind, model: rest }
  if (kind === 'index' && isPlain && rest !== undefined) return { kind, folder: rest }
  if (kind === 'run' && isPlain && rest !== undefined) return { kind, file: rest }
  if (kind === 'hybrid' && isPlain) {
    const parts = rest === undefined ? ['bm25', 'dense'] : rest.split('+')
    if (parts.length > 1) return { kind, parts: parts.map(parseStage) }
  }
  if (kind === 'multi') {
    const [dense, sparse, colbert, ...more] = (weights ?? '1,1,1').split(',').map(Number)
    const isValid = [dense, sparse, colbert].every((weight) => Number.isFinite(weight))
    if (isValid && more.length === 0) {
      const given = weights === undefined ? undefined : { dense, sparse, colbert }
      return { kind, model: rest, weights: given }
    }
  }
  throw new CliError('usage', `--first-stage ${text}: expected ${stageForms}`)
}

/** Adds the options of {@link FirstStageOptions} to a command that has the others. */
export const withFirstStages = (command: Command): Command =>
  command
    .option('--first-stage <stages...>', `first stages that are made here: ${stageForms}`)
    .option(
      '--indexes <folder>',
      'keep the vectors of dense first stages here, and go on with those that are there',
    )

/** How many documents a first stage gives at least: as many as the runs of BEIR's baselines have. */
const leastDepth = 100

/**
 * The run of a first stage over the judged queries of a data set, made once for each set.
 *
 * @param runOfFile reads the runs that it names
 */
export function runOfStage(
  text: string,
  options: FirstStageOptions,
  runOfFile: (file: string) => RunSource,
): RunSource {
  const spec = parseStage(text)
  const runs = new Map<string, Promise<Run>>()
  return (set, io) => {
    const made = runs.get(set.path) ?? makeRun(spec, { set, options, runOfFile, io })
    runs.set(set.path, made)
    return made
  }
}

/** What a first stage is made of. */
interface StageInput {
  readonly set: DataSet
  readonly options: FirstStageOptions
  readonly runOfFile: (file: string) => RunSource
  readonly io: Io
}

async function makeRun(spec: StageSpec, input: StageInput): Promise<Run> {
  const { set, options, io } = input
  const judged = await set.data.qrels(io.signal)
  const texts = await set.data.queries(io.signal)
  const queries = [...texts].flatMap(([id, text]) => (judged.has(id) ? [{ id, text }] : []))
  const depth = Math.max(options.top, leastDepth)
  const work = new StageWork(input, queries)
  try {
    const stage = await work.stage(spec, depth + 1)
    work.progress.start(`first stage of ${set.name}`, queries.length)
    const run = await rankAll(stage, queries, depth + 1, io, work.progress.update)
    const counted = ([query, found]: [string, readonly Ranked[]]) =>
      [
        query,
        found.filter(({ id }) => options.keepIdenticalIds || id !== query).slice(0, depth),
      ] as const
    return new Map([...run].map(counted))
  } finally {
    await work.close()
  }
}

/** Queries that are asked for at once. */
const lotSize = 128

/** What a stage finds for each query that it finds anything for. */
async function rankAll(
  stage: FirstStage,
  queries: readonly Query[],
  k: number,
  { signal }: Io,
  onDone: (done: number) => void = () => {},
) {
  const run = new Map<string, readonly Ranked[]>()
  for (let first = 0; first < queries.length; first += lotSize) {
    signal.throwIfAborted()
    const lot = queries.slice(first, first + lotSize)
    const lists = await Promise.all(lot.map((query) => stage(query, k)))
    for (const [i, { id }] of lot.entries()) if (lists[i]!.length > 0) run.set(id, lists[i]!)
    onDone(first + lot.length)
  }
  return run
}

/** Makes first stages over a data set; what they hold open is freed together. */
class StageWork {
  readonly #closing: (() => unknown)[] = []
  readonly #embedders = new Map<string | undefined, Embedder>()

  readonly progress: Progress

  constructor(
    readonly input: StageInput,
    readonly queries: readonly Query[],
  ) {
    this.progress = progressOn(input.io, input.options.progress)
  }

  async close(): Promise<void> {
    this.progress.stop()
    for (const close of this.#closing.reverse()) await close()
  }

  async stage(spec: StageSpec, depth: number): Promise<FirstStage> {
    switch (spec.kind) {
      case 'bm25':
        return this.#bm25()
      case 'dense':
        return this.#dense(spec.model)
      case 'index':
        return this.#index(spec.folder)
      case 'multi':
        return this.#multi(spec, depth)
      case 'run':
        return this.#run(spec.file)
      case 'hybrid': {
        const stages: FirstStage[] = []
        for (const part of spec.parts) stages.push(await this.stage(part, depth))
        return hybridStage(stages, { depth })
      }
    }
  }

  async #bm25(): Promise<FirstStage> {
    const { set, io } = this.input
    this.progress.start(`BM25 index of ${set.name}`, 1)
    return bm25Stage(uniquePassages(() => set.data.passages(io.signal)))
  }

  async #run(file: string): Promise<FirstStage> {
    const { runOfFile, set, io } = this.input
    // The documents with the ids of queries are removed from what the stages give in the end.
    return runStage(
      firstStageOrder({ run: await runOfFile(file)(set, io), keepIdenticalIds: true }),
    )
  }

  async #embedder(model: string | undefined): Promise<Embedder> {
    const known = this.#embedders.get(model)
    if (known) return known
    const embedder = await loadSearchModel({ model }, this.progress, this.input.io)
    this.#closing.push(() => embedder.dispose())
    this.#embedders.set(model, embedder)
    return embedder
  }

  async #dense(model: string | undefined): Promise<FirstStage> {
    const { progress } = this
    const { set, io } = this.input
    const embedder = await this.#embedder(model)
    const path = await this.#indexPath(embedder)
    const corpus = (signal: AbortSignal) => set.data.passages(signal)
    await writeVectors(embedder, corpus, path, undefined, progress, io)
    return this.#search(embedder, await this.#open(path))
  }

  /** An index that is there, with the model that it names. */
  async #index(path: string): Promise<FirstStage> {
    const { set, io } = this.input
    const { signal } = io
    const index = await this.#open(path)
    const { settings } = index
    await checkCorpus(path, settings, { passages: () => set.data.passages(signal), signal })
    const { model, dtype, activations } = settings
    const options = { model, dtype, activations } as SearchModelOptions
    const embedder = await loadSearchModel(options, this.progress, io)
    this.#closing.push(() => embedder.dispose())
    const files = await modelFiles(embedder.info)
    if (files !== settings.modelFiles) {
      throw new CliError(
        'usage',
        `${path}: was made with other files of ${model} (${settings.modelFiles}; now ${files}). Make a new index in another folder`,
      )
    }
    return this.#search(embedder, index)
  }

  async #open(path: string): Promise<VectorIndex> {
    const index = await openIndex(await openFolder(path))
    this.#closing.push(() => index.close())
    return index
  }

  async #search(embedder: Embedder, index: VectorIndex): Promise<FirstStage> {
    const { signal } = this.input.io
    const stage = await denseStage(embedder, index.ids, index.vectors, { signal })
    this.#closing.push(() => stage.dispose())
    return stage.find
  }

  async #indexPath({ info }: Embedder): Promise<string> {
    const { set, options } = this.input
    const { indexes } = options
    const name = (text: string) => text.replaceAll(/[^\p{L}\p{N}._-]+/gu, '_')
    if (indexes !== undefined) {
      const files = await modelFiles(info)
      return join(indexes, name(set.name), `${name(basename(info.model))}-${files.slice(0, 8)}`)
    }
    const path = await mkdtemp(join(tmpdir(), 'dawnrank-index-'))
    this.#closing.push(() => rm(path, { recursive: true }))
    return path
  }

  async #multi(
    { model, weights }: Extract<StageSpec, { kind: 'multi' }>,
    depth: number,
  ): Promise<FirstStage> {
    const { set, io } = this.input
    const embedder = await this.#embedder(model)
    // Of the corpus, only the texts of candidates are kept.
    const found = await rankAll(await this.#dense(model), this.queries, depth, io)
    const wanted = new Set([...found.values()].flatMap((list) => list.map(({ id }) => id)))
    const passages = await collectPassages(set.data.passages(io.signal), wanted)
    const options = { weights, depth, signal: io.signal }
    return multiStage(embedder, runStage(found), textsOf(passages), options)
  }
}
