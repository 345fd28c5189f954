import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { webgpu } from '../src/platform/server.ts'
import type { ScoreSettings } from '../src/rerankers/index.ts'

interface Answer {
  readonly input_ids: number[]
  /** Where the model takes them. */
  readonly token_type_ids?: number[]
  readonly score: number
  /** By layer, for layerwise models. */
  readonly scores?: Readonly<Record<string, number>>
}

/** How tokens of passages are merged. */
export interface CompressionPlan {
  readonly compress_ratio: 1 | 2 | 4 | 8
  readonly compress_layers: readonly number[]
}

/** One case of a fixtures.json; test/fixtures/README.md says what its fields mean. */
export interface FixtureCase {
  readonly id: string
  readonly query: string
  readonly passage: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly flag: Answer
  readonly plain?: Answer & { readonly max_length: number }
  readonly trace: readonly { readonly name: string; readonly first: number[] }[]
  /** Of models that merge tokens: scores by layer, with the attention that is the default or with `eager`. */
  readonly compressed?: readonly (CompressionPlan & {
    readonly attention: string
    readonly scores: Readonly<Record<string, number>>
  })[]
}

export interface Fixtures {
  readonly cases: readonly FixtureCase[]
  readonly batches: readonly {
    readonly id: string
    readonly settings: Readonly<Record<string, unknown>>
    readonly cases: readonly string[]
    /** By layer, for layerwise models. */
    readonly scores: readonly number[] | Readonly<Record<string, readonly number[]>>
  }[]
  readonly compressed_batches?: readonly (CompressionPlan & {
    readonly cases: readonly string[]
    readonly scores: Readonly<Record<string, readonly number[]>>
  })[]
  readonly tokenizer: { readonly yes_ids?: number[] }
  readonly defaults: { readonly yes_id?: number; readonly no_id?: number }
  readonly tokenization: readonly { readonly text: string; readonly ids: number[] }[]
}

/** The models whose answers are stored. */
export const fixtureNames = ['xlm-roberta-514', 'xlm-roberta-8194'] as const

export const decoderFixtures = [
  'gemma',
  'mistral',
  'minicpm-layerwise',
  'minicpm-layerwise-gqa',
  'gemma2-lightweight',
] as const

export const fixtureFolder = (name: string): string =>
  fileURLToPath(new URL(`./fixtures/${name}/model`, import.meta.url))

export function readFixtures(name: string): Fixtures {
  const path = fileURLToPath(new URL(`./fixtures/${name}/fixtures.json`, import.meta.url))
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** One case of a cross-encoder's fixtures.json. */
export interface CrossCase {
  readonly id: string
  readonly query: string
  readonly passage: string
  readonly settings: { readonly max_length?: number; readonly instruction?: string }
  readonly reference: {
    readonly input_ids: number[]
    readonly token_type_ids?: number[]
    /** Of XLM-R with similarity: tokens of the query, which are not told from the passage's by types. */
    readonly query_tokens?: number
    readonly logit: number
    readonly score: number
    readonly normalized?: number
  }
  /** Of XLM-R with similarity: without prefixes, and with as many layers as the cross-encoder has. */
  readonly plain?: { readonly logit: number }
  readonly trace?: readonly { readonly name: string; readonly first: number[] }[]
}

/** The answers of sentence-transformers' `CrossEncoder`, of a model card, or of a publisher's package. */
export interface CrossFixtures {
  readonly defaults: { readonly yes_id?: number; readonly no_id?: number }
  readonly tokenization: readonly { readonly text: string; readonly ids: number[] }[]
  readonly cases: readonly CrossCase[]
  readonly batches: readonly {
    readonly id: string
    readonly settings: CrossCase['settings']
    readonly cases: readonly string[]
    readonly logits: readonly number[]
  }[]
}

export const readCrossFixtures = (path: string): CrossFixtures =>
  JSON.parse(readFileSync(new URL(`./fixtures/${path}`, import.meta.url), 'utf8'))

/** Settings of a case by the names that ours have. */
export function settingsOf(settings: Readonly<Record<string, unknown>>): ScoreSettings {
  const names: Record<string, keyof ScoreSettings> = {
    max_length: 'maxLength',
    query_max_length: 'queryMaxLength',
    normalize: 'normalize',
    query_instruction: 'queryInstructionForRerank',
    passage_instruction: 'passageInstructionForRerank',
    prompt: 'prompt',
  }
  const known = Object.entries(settings).filter(([name]) => name in names)
  return Object.fromEntries(known.map(([name, value]) => [names[name], value]))
}

/** Numbers in 0..1 that are the same each time. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** A device of the caller, with the features that kernels are chosen by. */
export async function openDevice(): Promise<GPUDevice> {
  const adapter = await (await webgpu()).requestAdapter()
  const requiredFeatures = (['subgroups', 'shader-f16'] as GPUFeatureName[]).filter((feature) =>
    adapter!.features.has(feature),
  )
  return adapter!.requestDevice({ requiredFeatures })
}

/** Counts the buffers of a device that are alive, and their bytes. */
export function countBuffers(device: GPUDevice): { buffers: number; bytes: number } {
  const alive = { buffers: 0, bytes: 0 }
  const create = device.createBuffer.bind(device)
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor)
    alive.buffers++
    alive.bytes += descriptor.size
    const destroy = buffer.destroy.bind(buffer)
    let destroyed = false
    buffer.destroy = () => {
      if (!destroyed) {
        alive.buffers--
        alive.bytes -= descriptor.size
      }
      destroyed = true
      return destroy()
    }
    return buffer
  }
  return alive
}
