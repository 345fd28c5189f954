import { RerankerError } from './errors.ts'
import {
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type LoadOptions,
  type RankOptions,
  recipeNames,
  type ScoreOptions,
  type ScoreSettings,
  show,
} from './options.ts'

/** Throws unless an option's value is of its kind. */
type Check = (name: string, found: unknown) => void

/** The options that a function takes. */
type Checks = Readonly<Record<string, Check>>

const expectIt =
  (expected: string, fits: (found: unknown) => boolean): Check =>
  (name, found) => {
    if (fits(found)) return
    throw new RerankerError('option-invalid', `${name}: found ${show(found)}; expected ${expected}`)
  }

const ofType = (type: string, expected: string) =>
  expectIt(expected, (found) => typeof found === type)
const isObject = (found: unknown) => typeof found === 'object' && found !== null

const boolean = ofType('boolean', 'true or false')
const text = ofType('string', 'a string')
const callback = ofType('function', 'a function')
const object = expectIt('an object', isObject)
const count = expectIt('a whole number from 1 up', isCount)
const signal = expectIt(
  'an AbortSignal',
  (found) => isObject(found) && 'aborted' in (found as object),
)
const anything: Check = () => {}

const oneOf = (...names: readonly string[]) =>
  expectIt(names.map(show).join(names.length > 2 ? ', ' : ' or '), (found) =>
    names.includes(found as string),
  )

const settings = {
  maxLength: count,
  queryMaxLength: count,
  passageMaxLength: count,
  truncationSide: oneOf('left', 'right'),
  truncate: boolean,
  queryInstructionForRerank: text,
  queryInstructionFormat: text,
  passageInstructionForRerank: text,
  passageInstructionFormat: text,
  prompt: text,
  normalize: expectIt('true or false, or "auto"', (found) =>
    [true, false, 'auto'].includes(found as boolean),
  ),
  instruction: text,
  inputs: oneOf('flag', 'plain'),
} as const satisfies Record<keyof ScoreSettings, Check>

const scoring = {
  ...settings,
  signal,
  onProgress: callback,
  onStats: callback,
} as const satisfies Record<keyof ScoreOptions, Check>

const ranking = {
  ...scoring,
  topN: count,
  text: callback,
} as const satisfies Record<keyof RankOptions<unknown>, Check>

const loading = {
  ...settings,
  signal,
  onProgress: callback,
  revision: text,
  recipe: oneOf(...recipeNames),
  dtype: oneOf('auto', 'f32', 'f16', 'bf16', 'int8', 'int4'),
  activations: oneOf('f32', 'f16'),
  device: object,
  adapter: object,
  maxBatchTokens: count,
  sharePrefixes: boolean,
  kernels: object,
  onBatch: callback,
  profile: boolean,
  selfTest: boolean,
} as const satisfies Record<keyof LoadOptions, Check>

/** What models with a score at several layers take besides; layers and stages are checked against the model. */
const layerwise = {
  load: { cutoffLayers: anything },
  computeScore: { cutoffLayers: anything },
  rank: { cutoffLayers: anything, cascade: anything },
} as const satisfies {
  readonly load: Record<Exclude<keyof LayerwiseLoadOptions, keyof LoadOptions>, Check>
  readonly computeScore: object
  readonly rank: Record<
    Exclude<keyof LayerwiseRankOptions<unknown>, keyof RankOptions<unknown>>,
    Check
  >
}

/** The options of each function of a reranker. */
const known = {
  load: loading,
  rank: ranking,
  computeScore: scoring,
  hiddenStates: scoring,
  tokenizePair: settings,
} as const satisfies Readonly<Record<string, Checks>>

/** A recipe, as far as its options go. */
export interface OptionTaker {
  /** The recipe, as messages name it. */
  readonly name: string
  /** Whether its models have a score at several layers. */
  readonly layerwise?: boolean | undefined
}

/**
 * Throws where a function of a reranker is given an option that it does not take, or a value of another kind. An option
 * that nobody reads would change nothing, and the caller would believe that it did. `undefined` counts as left out.
 *
 * @throws RerankerError `option-invalid`
 */
export function checkOptions(
  taker: OptionTaker,
  method: keyof typeof known,
  options: unknown,
): void {
  const own: Checks = known[method]
  const ofLayers: Readonly<Record<string, Checks>> = layerwise
  const more = ofLayers[method] ?? {}
  const checks: Checks = taker.layerwise ? { ...own, ...more } : own
  object(`options of ${method}`, options)
  for (const [name, value] of Object.entries(options as object)) {
    if (value === undefined) continue
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check) check(name, value)
    else throw unknown(name, method, taker, checks, more)
  }
}

function unknown(
  name: string,
  method: string,
  { name: taker }: OptionTaker,
  checks: Checks,
  ofLayers: Checks,
): RerankerError {
  const others = Object.entries(known).filter(([, own]) => Object.hasOwn(own, name))
  const why = Object.hasOwn(ofLayers, name)
    ? `this is a model for ${taker}, which scores at its last layer alone; leave it out, or take a layerwise model`
    : others.length > 0
      ? `${method} does not take it; it belongs to ${others.map(([other]) => other).join(' and ')}`
      : `there is no such option; ${method} takes ${Object.keys(checks).sort().join(', ')}`
  return new RerankerError('option-invalid', `${name}: ${why}`)
}

function isCount(found: unknown): boolean {
  return Number.isSafeInteger(found) && (found as number) >= 1
}

/** Throws unless a count is a whole number from 1 up. */
export function checkCount(name: string, found: unknown): asserts found is number {
  count(name, found)
}
