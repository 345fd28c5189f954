import type { DeviceOptions } from '../inference/load-options.ts'
import type { Compression } from '../models/compression.ts'
import type { CascadeStage } from './cascade-stage.ts'
import { RerankerError } from './errors.ts'

/** How inputs are built and scores given; set at load, overridden in each call. */
export interface ScoreSettings {
  /**
   * Most tokens of an input. Encoders count special tokens; the LLM rerankers count bos, query and passage, and what
   * `inputs` says. Default 512, for the plain recipe of the LLM rerankers 1,024.
   */
  readonly maxLength?: number | undefined
  /** Most tokens of the query. Default: three quarters of `maxLength`, rounded down. */
  readonly queryMaxLength?: number | undefined
  /** Most tokens of the passage; it is cut to them before anything else. Default: no limit of its own. */
  readonly passageMaxLength?: number | undefined
  /** The end at which a text that is too long loses tokens. Default: what the tokenizer's files say. */
  readonly truncationSide?: 'left' | 'right' | undefined
  /** Whether texts that are too long are shortened (default), or an error `input-too-long`. */
  readonly truncate?: boolean | undefined
  /** Put before the query by `queryInstructionFormat`. Default: none for encoders, `A: ` for the LLM rerankers. */
  readonly queryInstructionForRerank?: string | undefined
  /** Where instruction and query go, as Python's `str.format` has it. Default `{}{}`. */
  readonly queryInstructionFormat?: string | undefined
  /** Put before the passage by `passageInstructionFormat`. Default: none for encoders, `B: ` for the LLM rerankers. */
  readonly passageInstructionForRerank?: string | undefined
  /** Where instruction and passage go. Default `{}{}`. */
  readonly passageInstructionFormat?: string | undefined
  /** What the LLM rerankers ask after query and passage. Default: the question of FlagEmbedding. */
  readonly prompt?: string | undefined
  /**
   * Gives the sigmoid of each logit, in 0 to 1; with `auto` what the publisher's library gives when asked for nothing (see
   * `info.activation`). Default false: the logit itself.
   */
  readonly normalize?: boolean | 'auto' | undefined
  /** The task, for models whose template has one (Qwen3-Reranker, mxbai-rerank-v2). */
  readonly instruction?: string | undefined
  /**
   * `flag` builds inputs as the FlagEmbedding class does; `plain` as the plain transformers recipe of its README and
   * sentence-transformers do, which shorten the longer text first. Default: what the publisher of the model does.
   */
  readonly inputs?: 'flag' | 'plain' | undefined
  /**
   * Of encoders: a passage that is too long is not cut but scored in windows, and the best of their scores counts. A window
   * has the tokens that the query leaves of `maxLength`; neighbours have `overlap` tokens in common (default 80, at most a
   * quarter of a window). The query is cut only where `queryMaxLength` says so. Default: false, but for bce-reranker true.
   */
  readonly window?: boolean | WindowOptions | undefined
}

/** How the windows of a passage lie. */
export interface WindowOptions {
  /** Tokens that neighbouring windows have in common: fewer than a window has, of which at most a quarter are. */
  readonly overlap?: number | undefined
}

/** Progress of a call: pairs scored, and pairs in all. */
export interface ScoreProgress {
  readonly done: number
  readonly total: number
}

/** What a call took. */
export interface ScoreStats {
  /** Tokens that the model was fed, of all pairs. */
  readonly tokens: number
  /** Milliseconds in which texts became tokens. */
  readonly tokenization: number
  /** Milliseconds until the first batch with pairs of the call was made. */
  readonly queue: number
  /** Milliseconds of the rest: batches on the device, and turns of other calls between them. */
  readonly inference: number
}

/** Options of a call. */
export interface ScoreOptions extends ScoreSettings {
  /** Stops the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Called after each batch. */
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined
  /** Called once, when all pairs have their scores. */
  readonly onStats?: ((stats: ScoreStats) => void) | undefined
}

/** Options of `rank`. */
export interface RankOptions<T> extends ScoreOptions {
  /** How many of the best rows to give. Default: all. */
  readonly topN?: number | undefined
  /** The text of a record. Needed where what is ranked is not text itself. */
  readonly text?: ((passage: T) => string) | undefined
}

/**
 * The recipes: those of FlagEmbedding's classes and of sentence-transformers' `CrossEncoder` by their names, of Qwen3-Reranker's
 * model card, of the classifiers that were converted from it, and of mxbai-rerank-v2's package, and of BCEmbedding's
 * `RerankerModel`.
 */
export const recipeNames = [
  'FlagReranker',
  'FlagLLMReranker',
  'LayerWiseFlagLLMReranker',
  'LightWeightFlagLLMReranker',
  'CrossEncoder',
  'Qwen3Reranker',
  'Qwen3Classifier',
  'MxbaiRerankV2',
  'BCEReranker',
] as const

/** How a reranker builds its inputs, and which logit is the score. */
export type RecipeName = (typeof recipeNames)[number]

/** Options of `load`. */
export interface LoadOptions extends ScoreSettings, DeviceOptions {
  /** The recipe. Default: what the publisher of the model uses. */
  readonly recipe?: RecipeName | undefined
  /**
   * Whether passages of one query have the tokens that they begin with alike once, where the model allows it. Default
   * true; scores are the same to the bit.
   */
  readonly sharePrefixes?: boolean | undefined
  /** Times every operation; `reranker.profile()` gives the table. */
  readonly profile?: boolean | undefined
  /**
   * For research: the head of a model with one is put on every layer ("logit lens"), so that `cutoffLayers` and `cascade` work
   * with it. It was trained on the last layer alone: scores of other layers mean little unless measured. Default false.
   */
  readonly logitLens?: boolean | undefined
  /** Scores the pair of the folder's `self-test.json` once loaded, and throws unless the score is the one stored. */
  readonly selfTest?: boolean | undefined
}

/** Which layers' scores are given: one, several as listed, or every one that has a head. */
export type CutoffLayers = number | readonly number[] | 'all'

/** How a lightweight reranker merges tokens of passages; set at load, overridden in each call. Scores are then others. */
export interface CompressionOptions {
  /** How many neighbouring tokens of the passage become one: 1 (default) for none, 2, 4 or 8. */
  readonly compressRatio?: 1 | 2 | 4 | 8 | undefined
  /**
   * After how many layers tokens are merged, at each of them again. Default: [8]. Those that are not below the last layer asked
   * for have no effect.
   */
  readonly compressLayers?: readonly number[] | undefined
}

/** Options of a layerwise reranker's `load`. */
export interface LayerwiseLoadOptions<Cutoff = CutoffLayers | undefined>
  extends LoadOptions,
    CompressionOptions {
  /** The layers of calls that name none; no layer above the highest of them is read. Default: the last layer. */
  readonly cutoffLayers?: Cutoff | undefined
}

/** Options of a layerwise reranker's `computeScore`. */
export interface LayerwiseScoreOptions<Cutoff = CutoffLayers | undefined>
  extends ScoreOptions,
    CompressionOptions {
  /** The layers whose scores are given. Default: those of the load. */
  readonly cutoffLayers?: Cutoff | undefined
}

/** Options of a layerwise reranker's `rank`. */
export interface LayerwiseRankOptions<T> extends RankOptions<T>, CompressionOptions {
  /**
   * The layer whose score ranks. Default: the highest of the load. With a list, or `all`, the highest of them ranks, and
   * rows have the scores of all as `layerScores`.
   */
  readonly cutoffLayers?: CutoffLayers | undefined
  /** Passages leave after the layers named; the rest go on from the states they have. Instead of `cutoffLayers`. */
  readonly cascade?: readonly CascadeStage[] | undefined
}

/** The score of a pair: a number for one layer, a number for each of a list. */
export type PairScore<Cutoff> = Cutoff extends number ? number : number[]

/** The scores of pairs: a number for each, or such a row for each layer of a list. */
export type PairScores<Cutoff> = Cutoff extends number ? number[] : number[][]

/** The cutoff of a call: its own, or where it has none that of the load. */
export type CutoffOf<Own, Loaded> = Own extends CutoffLayers ? Own : Loaded

/** The forms of inputs: of the FlagEmbedding class, of plain transformers, or the only one of a recipe. */
export type Inputs = 'flag' | 'plain' | 'own'

/** Where the settings of families differ when nothing is said. */
export interface SettingsDefaults {
  /** The recipe, as messages name it. */
  readonly name: string
  /** How inputs are built. */
  readonly inputs: Inputs
  /** Most tokens of each form of inputs; `files`: as the model's files say. */
  readonly maxLength: Readonly<Partial<Record<Inputs, number | 'files'>>>
  /** What the publisher's library applies to the logit; `files`: as the model's files say. */
  readonly activation: 'identity' | 'sigmoid' | 'files' | `unknown: ${string}`
  /** The logit whose normalized score is 0.5. Default 0. */
  readonly center?: number
  /** The default instruction; `null` where there may be one, `undefined` where the template takes none. */
  readonly instruction?: string | null
  readonly queryInstruction?: string
  readonly passageInstruction?: string
  /** Whether long passages are scored in windows; left out where they cannot be. */
  readonly window?: boolean
  /** Set where the family asks a question at all. */
  readonly prompt?: string
}

/** Settings with every default filled in. */
export interface ResolvedSettings {
  readonly inputs: Inputs
  readonly maxLength: number
  readonly queryMaxLength: number
  readonly passageMaxLength: number
  readonly truncationSide: 'left' | 'right' | undefined
  readonly truncate: boolean
  readonly query: Instruction
  readonly passage: Instruction
  readonly instruction: string | undefined
  readonly prompt: string
  /** Whether scores are the sigmoid of the logit less `center`. */
  readonly normalize: boolean
  readonly center: number
  /** How tokens of passages are merged; `undefined` where they are not. */
  readonly compression: Compression | undefined
  /** Where long passages are scored in windows: their overlap, and whether the caller has set it. */
  readonly window: { readonly overlap?: number | undefined; readonly isAsked: boolean } | undefined
}

interface Instruction {
  readonly text: string | undefined
  readonly format: string
}

/** Settings of the load overridden by those of the call; those that exclude each other are refused. */
export function resolveSettings(
  family: SettingsDefaults,
  atLoad: CallSettings,
  inCall: CallSettings,
): ResolvedSettings {
  const given = { ...atLoad, ...withoutUndefined(inCall) }
  const { inputs = family.inputs, prompt = family.prompt } = given
  const { passageMaxLength = Number.POSITIVE_INFINITY, truncationSide, truncate = true } = given
  if (prompt !== undefined && family.prompt === undefined) {
    throw new RerankerError('option-invalid', `prompt: ${family.name} takes none; leave it out`)
  }
  checkInstruction(family, given)
  const standard = family.maxLength[inputs]
  if (standard === undefined) {
    throw new RerankerError(
      'option-invalid',
      `inputs: found ${show(inputs)}; ${family.name} has one form of inputs. Leave it out`,
    )
  }
  const { maxLength = standard === 'files' ? 512 : standard } = given
  const window = windowOf(family, given, maxLength)
  const ofQuery = window ? Number.POSITIVE_INFINITY : Math.floor((maxLength * 3) / 4)
  const { queryMaxLength = ofQuery } = given
  checkPlain(inputs, window ? { ...given, queryMaxLength: undefined } : given)
  const query = instruction('query', given, family.queryInstruction)
  const passage = instruction('passage', given, family.passageInstruction)
  return {
    inputs,
    maxLength,
    queryMaxLength,
    passageMaxLength,
    truncationSide,
    truncate,
    query,
    passage,
    instruction: given.instruction ?? family.instruction ?? undefined,
    prompt: prompt ?? '',
    normalize: isNormalized(family, given),
    center: family.center ?? 0,
    compression: compressionOf(given),
    window,
  }
}

/** What a call of any reranker can be given. */
export type CallSettings = ScoreSettings & CompressionOptions

/** The layers are FlagEmbedding's unless given, also where a model has fewer. */
function compressionOf({
  compressRatio = 1,
  compressLayers = [8],
}: CompressionOptions): Compression | undefined {
  return compressRatio === 1 ? undefined : { ratio: compressRatio, layers: compressLayers }
}

/** The windows of long passages, where there are any. */
function windowOf(
  family: SettingsDefaults,
  { window = family.window ?? false }: ScoreSettings,
  maxLength: number,
): ResolvedSettings['window'] {
  if (window === false) return undefined
  if (family.window === undefined) {
    throw new RerankerError(
      'option-invalid',
      `window: ${family.name} takes none; windows are for encoders with a classifier. Leave it out`,
    )
  }
  const { overlap } = window === true ? {} : window
  if (overlap !== undefined && overlap >= maxLength) {
    throw new RerankerError(
      'option-invalid',
      `window.overlap: found ${overlap}; a window has fewer tokens than maxLength, which is ${maxLength}. Lower it`,
    )
  }
  return { overlap, isAsked: overlap !== undefined }
}

/** Templates have either an instruction of their own, or FlagEmbedding's before query and passage. */
function checkInstruction({ name, instruction }: SettingsDefaults, given: ScoreSettings): void {
  const others = (['query', 'passage'] as const).flatMap((what) => [
    `${what}InstructionForRerank` as const,
    `${what}InstructionFormat` as const,
  ])
  const wrong =
    instruction === undefined
      ? (['instruction'] as const).filter((key) => given[key] !== undefined)
      : others.filter((key) => given[key] !== undefined)
  if (wrong.length === 0) return
  const remedy = instruction === undefined ? 'leave it out' : 'use the option instruction'
  throw new RerankerError('option-invalid', `${wrong[0]}: ${name} takes none; ${remedy}`)
}

/** Whether the sigmoid is applied. */
function isNormalized({ name, activation }: SettingsDefaults, given: ScoreSettings): boolean {
  const { normalize = false } = given
  if (normalize !== 'auto') return normalize
  if (activation === 'identity' || activation === 'sigmoid') return activation === 'sigmoid'
  throw new RerankerError(
    'option-invalid',
    `normalize: found "auto"; for this model of ${name} the activation is ${activation}, which is not computed. Use true or false`,
  )
}

/** A format alone would change nothing. */
function instruction(
  what: 'query' | 'passage',
  given: ScoreSettings,
  ofFamily: string | undefined,
): Instruction {
  const text = given[`${what}InstructionForRerank`] ?? ofFamily
  const format = given[`${what}InstructionFormat`] ?? plainFormat
  if (text !== undefined || format === plainFormat) return { text, format }
  throw new RerankerError(
    'option-invalid',
    `${what}InstructionFormat: found ${show(format)} without ${what}InstructionForRerank, which it is for; give both, or leave both out`,
  )
}

/** The instruction, and the text right after it. */
const plainFormat = '{}{}'

/** The plain recipe has its own instructions, and no length of the query but with windows. */
function checkPlain(inputs: string, given: ScoreSettings): void {
  const { queryMaxLength, queryInstructionForRerank, passageInstructionForRerank } = given
  const ofTheClass = [queryMaxLength, queryInstructionForRerank, passageInstructionForRerank]
  if (inputs !== 'plain' || ofTheClass.every((option) => option === undefined)) return
  throw new RerankerError(
    'option-invalid',
    'inputs: "plain" takes neither queryMaxLength nor instructions, which belong to the FlagEmbedding class; leave them out, or use inputs: "flag"',
  )
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

/** A value as messages show it: short, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (Array.isArray(value))
    return `[${value.slice(0, 4).map(show).join(', ')}${value.length > 4 ? ', …' : ''}]`
  return value === null || typeof value !== 'object' ? String(value) : 'an object'
}

const withoutUndefined = (settings: CallSettings): CallSettings =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
