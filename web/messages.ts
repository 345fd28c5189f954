/** What the page and the worker that runs the engine say to each other. */
import type { Languages, Measured, Texts } from '../src/languages/models.ts'
import type { CascadeStage, LoadProgress, RerankerInfo } from '../src/rerankers/index.ts'

/** A model that is served beside the page: its folder, and its files with their sizes in bytes. */
export interface EmbeddedModel {
  readonly name: string
  /** What the list of models says of it. */
  readonly label: string
  /** Changes when a file does. */
  readonly version: string
  readonly files: Readonly<Record<string, number>>
}

/** Where a model comes from. Files of a picked folder are by their path: a message does not keep `webkitRelativePath`. */
export type Source =
  | { readonly kind: 'embedded'; readonly model: EmbeddedModel }
  | { readonly kind: 'hub'; readonly name: string }
  | { readonly kind: 'files'; readonly files: Readonly<Record<string, File>> }

export const dtypes = ['auto', 'f32', 'f16', 'int8', 'int4'] as const

export interface LoadRequest {
  readonly source: Source
  readonly dtype: (typeof dtypes)[number]
}

export interface LoadAnswer {
  readonly info: RerankerInfo
  /** The layers that have a score. */
  readonly layers: readonly number[]
  /** What was measured by language, of a model that is served beside the page. */
  readonly measured?: Measured | undefined
  /** Milliseconds: files to this browser, files to the device. */
  readonly ms: { readonly files: number; readonly load: number }
}

/** Which layers score: one (the last, if none is named), every one, or one after another on ever fewer passages. */
export type Plan =
  | { readonly kind: 'layer'; readonly layer?: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'cascade'; readonly stages: readonly CascadeStage[] }

export interface RankRequest {
  readonly query: string
  readonly passages: readonly string[]
  readonly plan: Plan
  /** Scores between 0 and 1 in place of logits. */
  readonly normalize: boolean
  /** Most tokens of a pair; the model's own number if it is left out. */
  readonly maxLength?: number | undefined
}

/** The score of a passage, by its place in what was asked. */
export interface ScoredPassage {
  readonly index: number
  readonly score: number
  /** Tokens that the model was fed, with those of the query. */
  readonly tokens: number
  readonly truncated: boolean
  /** Tokens of the whole passage, where it was shortened. */
  readonly passageTokens?: number
  readonly layer?: number
  readonly layerScores?: Readonly<Record<number, number>>
}

export interface RankAnswer {
  readonly tokens: number
  /** Milliseconds from the request to the last score. */
  readonly ms: number
}

/** Rows that are new, or how far a cascade is. */
export type RankUpdate =
  | { readonly rows: readonly ScoredPassage[] }
  | { readonly done: number; readonly total: number }

export interface SelfTestAnswer {
  /** The stored pair's score and what PyTorch gave, where the model's folder has one. */
  readonly stored?: { readonly score: number; readonly expected: number }
  /** The score of a pair alone and beside others, which must be the same to the bit. */
  readonly alone: number
  readonly together: number
}

/** The worker's methods: what each is asked, tells on the way and answers. */
export interface Methods {
  languages: { request: Texts; update: never; answer: Languages }
  load: { request: LoadRequest; update: LoadProgress; answer: LoadAnswer }
  rank: { request: RankRequest; update: RankUpdate; answer: RankAnswer }
  selfTest: { request: undefined; update: never; answer: SelfTestAnswer }
}

export type Method = keyof Methods

export type ToWorker =
  | { readonly id: number; readonly method: Method; readonly request: unknown }
  | { readonly id: number; readonly method: 'abort' }

export interface Fault {
  readonly name: string
  readonly code?: string | undefined
  readonly message: string
}

export type FromWorker =
  | { readonly id: number; readonly kind: 'update'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'answer'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'fault'; readonly value: Fault }
  | { readonly kind: 'lost'; readonly value: Fault }
