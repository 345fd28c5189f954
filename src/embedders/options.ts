import { show } from '../checkpoint/index.ts'
import { type DeviceOptions, deviceOptions } from '../inference/load-options.ts'
import {
  aborter,
  boolean,
  callback,
  count,
  type OptionKind,
  oneOf,
  text,
} from '../inference/option-kinds.ts'
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
  /** Called after each batch. */
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

/** Options of `Embedder.load`. */
export interface EmbedderLoadOptions extends DeviceOptions {
  /** Most tokens of a text, special tokens included. Default: what the model's files say. */
  readonly maxLength?: number | undefined
}

const texts = {
  kind: oneOf('query', 'passage'),
  prompt: text,
  maxLength: count,
  truncate: boolean,
} as const satisfies Record<keyof TextSettings, OptionKind>

const multi = {
  ...texts,
  signal: aborter,
  onProgress: callback,
  onTokens: callback,
} as const satisfies Record<keyof EmbedMultiOptions, OptionKind>

/** The options of each function. */
const known = {
  load: { ...deviceOptions, maxLength: count } satisfies Record<
    keyof EmbedderLoadOptions,
    OptionKind
  >,
  embed: { ...multi, dimensions: count } satisfies Record<keyof EmbedOptions, OptionKind>,
  embedMulti: multi,
  tokenize: texts,
} as const satisfies Readonly<Record<string, Readonly<Record<string, OptionKind>>>>

/**
 * Throws where a function of an embedder is given an option that it does not take, or a value of another kind: an option
 * that nobody reads would change nothing. `undefined` counts as left out.
 *
 * @throws EmbedderError `option-invalid`
 */
export function checkOptions(method: keyof typeof known, options: unknown): void {
  const kinds: Readonly<Record<string, OptionKind>> = known[method]
  const invalid = (message: string) => new EmbedderError('option-invalid', message)
  if (typeof options !== 'object' || options === null) {
    throw invalid(`options of ${method}: found ${show(options)}; expected an object`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (!kind) {
      throw invalid(
        `${name}: there is no such option; ${method} takes ${Object.keys(kinds).sort().join(', ')}`,
      )
    }
    const [expected, fits] = kind
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
