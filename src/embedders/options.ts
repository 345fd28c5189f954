import { show } from '../checkpoint/index.ts'
import type { KernelNames } from '../gpu/choices.ts'
import type { BatchSize } from '../inference/queue.ts'
import type { DtypeOption } from '../models/weights.ts'
import { EmbedderError } from './errors.ts'
import type { Modules } from './modules.ts'

/** What a text is: it decides the prompt that is put before it. */
export type TextKind = 'query' | 'passage'

/** How a text becomes tokens. */
export interface TextSettings {
  /**
   * `query` puts the stored prompt `query` before the text, else `web_search_query`; `passage` puts `passage`, else `document`.
   * Left out, or where there is no such prompt: the default prompt of the model, if it has one.
   */
  readonly kind?: TextKind | undefined
  /** Put before the text as it is, in place of a stored prompt. */
  readonly prompt?: string | undefined
  /** Most tokens of a text, special tokens included. Default: that of the load, else what the model's files say. */
  readonly maxLength?: number | undefined
  /** Whether texts that are too long are shortened (default), or an error `input-too-long`. */
  readonly truncate?: boolean | undefined
}

/** Progress of a call: texts embedded, and texts in all. */
export interface EmbedProgress {
  readonly done: number
  readonly total: number
}

/** Options of `embedMulti`. */
export interface EmbedMultiOptions extends TextSettings {
  /** Stops the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: EmbedProgress) => void) | undefined
  /** Called once, when all texts are embedded, with the tokens that the model was fed. */
  readonly onTokens?: ((tokens: number) => void) | undefined
}

/** Options of `embed`. */
export interface EmbedOptions extends EmbedMultiOptions {
  /**
   * Numbers that are kept of each embedding, from the first (Matryoshka representations); where the model normalizes, what is
   * kept is normalized again. Default: all.
   */
  readonly dimensions?: number | undefined
}

/** Progress of a load, in bytes. */
export interface EmbedderLoadProgress {
  /** `download`: files of a model of the hub that are not in the cache; `load`: weights to the device. */
  readonly phase: 'download' | 'load'
  readonly done: number
  readonly total: number
  readonly bytesPerSecond?: number | undefined
  readonly secondsLeft?: number | undefined
}

/** Options of `Embedder.load`. */
export interface EmbedderLoadOptions {
  /** The branch, tag or commit of a model of the hub. Default: `main`. */
  readonly revision?: string | undefined
  /**
   * Dtype of the weights on the device: `auto` (default) keeps 16-bit and quantized files as they are and makes f16 of f32
   * files. `int8` and `int4` quantize the matrices of the layers as they are loaded.
   */
  readonly dtype?: DtypeOption | undefined
  /** Dtype of the activations on the device: `f32` (default), or `f16` where the adapter has it. */
  readonly activations?: 'f32' | 'f16' | undefined
  /** Most tokens of a text, special tokens included. Default: what the model's files say. */
  readonly maxLength?: number | undefined
  /** A device of yours, used and left open. */
  readonly device?: GPUDevice | undefined
  /** An adapter of yours. */
  readonly adapter?: GPUAdapter | undefined
  /** Most tokens of one batch. Default: 1,024 on an adapter that computes on the processor, else 16,384. */
  readonly maxBatchTokens?: number | undefined
  /** Kernels to use in place of those chosen for the adapter, by operation; `info.kernels` lists those in use. */
  readonly kernels?: KernelNames | undefined
  /** Called with the size of each batch that calls share, before it runs. */
  readonly onBatch?: ((batch: BatchSize) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: EmbedderLoadProgress) => void) | undefined
}

/** What a value must be, and whether it is. */
type Check = readonly [expected: string, fits: (found: unknown) => boolean]

const isObject = (found: unknown): found is object => typeof found === 'object' && found !== null
const isText = (found: unknown) => typeof found === 'string'
const oneOf = (...names: readonly string[]): Check => [
  names.map(show).join(' or '),
  (found) => names.includes(found as string),
]

const text: Check = ['a string', isText]
const boolean: Check = ['true or false', (found) => typeof found === 'boolean']
const callback: Check = ['a function', (found) => typeof found === 'function']
const object: Check = ['an object', isObject]
const count: Check = [
  'a whole number from 1 up',
  (found) => Number.isSafeInteger(found) && (found as number) >= 1,
]
const signal: Check = ['an AbortSignal', (found) => isObject(found) && 'aborted' in found]

const texts = {
  kind: oneOf('query', 'passage'),
  prompt: text,
  maxLength: count,
  truncate: boolean,
} as const satisfies Record<keyof TextSettings, Check>

const multi = {
  ...texts,
  signal,
  onProgress: callback,
  onTokens: callback,
} as const satisfies Record<keyof EmbedMultiOptions, Check>

/** The options of each function. */
const known = {
  load: {
    revision: text,
    dtype: oneOf('auto', 'f32', 'f16', 'bf16', 'int8', 'int4'),
    activations: oneOf('f32', 'f16'),
    maxLength: count,
    device: object,
    adapter: object,
    maxBatchTokens: count,
    kernels: object,
    onBatch: callback,
    signal,
    onProgress: callback,
  } satisfies Record<keyof EmbedderLoadOptions, Check>,
  embed: { ...multi, dimensions: count } satisfies Record<keyof EmbedOptions, Check>,
  embedMulti: multi,
  tokenize: texts,
} as const satisfies Readonly<Record<string, Readonly<Record<string, Check>>>>

/**
 * Throws where a function of an embedder is given an option that it does not take, or a value of another kind: an option
 * that nobody reads would change nothing. `undefined` counts as left out.
 *
 * @throws EmbedderError `option-invalid`
 */
export function checkOptions(method: keyof typeof known, options: unknown): void {
  const checks: Readonly<Record<string, Check>> = known[method]
  const invalid = (message: string) => new EmbedderError('option-invalid', message)
  if (!isObject(options)) {
    throw invalid(`options of ${method}: found ${show(options)}; expected an object`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (!check) {
      throw invalid(
        `${name}: there is no such option; ${method} takes ${Object.keys(checks).sort().join(', ')}`,
      )
    }
    const [expected, fits] = check
    if (!fits(value)) throw invalid(`${name}: found ${show(value)}; expected ${expected}`)
  }
}

/** The stored prompts that a kind of text takes, the first that there is. */
const promptNames: Readonly<Record<TextKind, readonly string[]>> = {
  query: ['query', 'web_search_query'],
  passage: ['passage', 'document'],
}

/** What is put before a text. */
export function promptOf(
  { prompts, defaultPrompt }: Pick<Modules, 'prompts' | 'defaultPrompt'>,
  { kind, prompt }: TextSettings,
): string {
  if (prompt !== undefined) return prompt
  const names = [...(kind ? promptNames[kind] : []), ...(defaultPrompt ? [defaultPrompt] : [])]
  const name = names.find((one) => Object.hasOwn(prompts, one))
  return name === undefined ? '' : (prompts[name] as string)
}
