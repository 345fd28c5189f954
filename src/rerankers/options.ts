import type { DtypeOption } from '../models/loader.ts'
import { RerankerError } from './errors.ts'

/** How inputs are built and scores given; set at load, overridden in each call. */
export interface ScoreSettings {
  /** Most tokens of an input, special tokens counted. Default 512. */
  readonly maxLength?: number | undefined
  /** Most tokens of the query. Default: three quarters of `maxLength`, rounded down. */
  readonly queryMaxLength?: number | undefined
  /** Put before the query by `queryInstructionFormat`. */
  readonly queryInstructionForRerank?: string | undefined
  /** Where instruction and query go, as Python's `str.format` has it. Default `{}{}`. */
  readonly queryInstructionFormat?: string | undefined
  /** Put before the passage by `passageInstructionFormat`. */
  readonly passageInstructionForRerank?: string | undefined
  /** Where instruction and passage go. Default `{}{}`. */
  readonly passageInstructionFormat?: string | undefined
  /** Gives the sigmoid of each logit, in 0 to 1. Default false: the logit itself. */
  readonly normalize?: boolean | undefined
  /**
   * `flag` (default) builds inputs as the FlagEmbedding class does; `plain` as the plain transformers recipe
   * of its README does, which shortens the longer text first.
   */
  readonly inputs?: 'flag' | 'plain' | undefined
}

/** Progress of a call: pairs scored, and pairs in all. */
export interface ScoreProgress {
  readonly done: number
  readonly total: number
}

/** Options of a call. */
export interface ScoreOptions extends ScoreSettings {
  /** Stops the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined
}

/** Options of `rank`. */
export interface RankOptions<T> extends ScoreOptions {
  /** How many of the best rows to give. Default: all. */
  readonly topN?: number | undefined
  /** The text of a record. Needed where what is ranked is not text itself. */
  readonly text?: ((passage: T) => string) | undefined
}

/** Options of `load`. */
export interface LoadOptions extends ScoreSettings {
  /** How weights lie on the device: `auto` (default) keeps 16-bit files as they are and makes f16 of f32 files. */
  readonly dtype?: DtypeOption | undefined
  /** How activations lie on the device: `f32` (default), or `f16` where the adapter has it. */
  readonly activations?: 'f32' | 'f16' | undefined
  /** A device of yours, used and left open. */
  readonly device?: GPUDevice | undefined
  /** An adapter of yours. */
  readonly adapter?: GPUAdapter | undefined
  /** Most tokens of one batch. Default: 1,024 on an adapter that computes on the processor, else 16,384. */
  readonly maxBatchTokens?: number | undefined
  /** Times every operation; `reranker.profile()` gives the table. */
  readonly profile?: boolean | undefined
  /** Scores the pair of the folder's `self-test.json` once loaded, and throws unless the score is the one stored. */
  readonly selfTest?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes of weights read so far, and in all. */
  readonly onProgress?: ((progress: { done: number; total: number }) => void) | undefined
}

/** Settings with every default filled in. */
export interface ResolvedSettings {
  readonly inputs: 'flag' | 'plain'
  readonly maxLength: number
  readonly queryMaxLength: number
  readonly query: Instruction
  readonly passage: Instruction
  readonly normalize: boolean
}

interface Instruction {
  readonly text: string | undefined
  readonly format: string
}

/** Settings of the load overridden by those of the call, checked. */
export function resolveSettings(atLoad: ScoreSettings, inCall: ScoreSettings): ResolvedSettings {
  const given = { ...atLoad, ...withoutUndefined(inCall) }
  const { inputs = 'flag', maxLength = 512, normalize = false } = given
  if (inputs !== 'flag' && inputs !== 'plain') {
    throw new RerankerError(
      'option-invalid',
      `inputs: found ${show(inputs)}; expected "flag" or "plain"`,
    )
  }
  if (typeof normalize !== 'boolean') {
    throw new RerankerError(
      'option-invalid',
      `normalize: found ${show(normalize)}; expected true or false`,
    )
  }
  checkCount('maxLength', maxLength)
  const { queryMaxLength = Math.floor((maxLength * 3) / 4) } = given
  checkCount('queryMaxLength', queryMaxLength)
  const settings = {
    inputs,
    maxLength,
    queryMaxLength,
    normalize,
    query: instruction('query', given.queryInstructionForRerank, given.queryInstructionFormat),
    passage: instruction(
      'passage',
      given.passageInstructionForRerank,
      given.passageInstructionFormat,
    ),
  }
  const limited = given.queryMaxLength !== undefined
  if (
    inputs === 'plain' &&
    (limited || settings.query.text !== undefined || settings.passage.text !== undefined)
  ) {
    throw new RerankerError(
      'option-invalid',
      'inputs: "plain" takes neither queryMaxLength nor instructions, which belong to the FlagEmbedding class; leave them out, or use inputs: "flag"',
    )
  }
  return settings
}

function instruction(name: string, text: unknown, format: unknown = '{}{}'): Instruction {
  if (text !== undefined && typeof text !== 'string') {
    throw new RerankerError(
      'option-invalid',
      `${name}InstructionForRerank: found ${show(text)}; expected a string`,
    )
  }
  if (typeof format !== 'string') {
    throw new RerankerError(
      'option-invalid',
      `${name}InstructionFormat: found ${show(format)}; expected a string`,
    )
  }
  return { text, format }
}

/** The text with its instruction (`AbsReranker.get_detailed_instruct`): a written-out `\n` in the format is a newline. */
export function instructed({ text, format }: Instruction, content: string): string {
  if (text === undefined) return content
  const values = [text, content]
  let next = 0
  return format
    .replaceAll('\\n', '\n')
    .replace(/\{\{|\}\}|\{(\d*)\}|[{}]/g, (found, index?: string) => {
      if (found === '{{' || found === '}}') return found.slice(1)
      const value = index === undefined ? undefined : values[index === '' ? next++ : Number(index)]
      if (value === undefined) {
        throw new RerankerError(
          'option-invalid',
          `instruction format ${show(format)}: ${show(found)} stands for neither the instruction nor the text; expected a form such as "{}{}"`,
        )
      }
      return value
    })
}

/** Throws unless a count is a whole number from 1 up. */
export function checkCount(name: string, found: unknown): asserts found is number {
  if (!Number.isSafeInteger(found) || (found as number) < 1) {
    throw new RerankerError(
      'option-invalid',
      `${name}: found ${show(found)}; expected a whole number from 1 up`,
    )
  }
}

/** A value as messages show it: short, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (Array.isArray(value))
    return `[${value.slice(0, 4).map(show).join(', ')}${value.length > 4 ? ', …' : ''}]`
  return value === null || typeof value !== 'object' ? String(value) : 'an object'
}

const withoutUndefined = (settings: ScoreSettings): ScoreSettings =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
