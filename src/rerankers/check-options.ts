import { deviceOptions } from '../inference/load-options.ts'
import {
  aborter,
  boolean,
  callback,
  count,
  type OptionKind,
  object,
  oneOf,
  text,
} from '../inference/option-kinds.ts'
import { RerankerError } from './errors.ts'
import {
  type CompressionOptions,
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type LoadOptions,
  type RankOptions,
  recipeNames,
  type ScoreOptions,
  type ScoreSettings,
  show,
} from './options.ts'

/** The options that a function takes. */
type Kinds = Readonly<Record<string, OptionKind>>

const anything: OptionKind = ['anything', () => true]

/** Whether windows are on, or how they lie. */
const window: OptionKind = [
  'true or false, or { overlap } with a whole number from 0 up',
  (found) => {
    if (typeof found !== 'object' || found === null) return typeof found === 'boolean'
    const { overlap = 0, ...others } = found as Record<string, unknown>
    const isCount = Number.isSafeInteger(overlap) && (overlap as number) >= 0
    return isCount && Object.keys(others).length === 0
  },
]

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
  normalize: [
    'true or false, or "auto"',
    (found: unknown) => [true, false, 'auto'].includes(found as boolean),
  ],
  instruction: text,
  inputs: oneOf('flag', 'plain'),
  window,
} as const satisfies Record<keyof ScoreSettings, OptionKind>

const scoring = {
  ...settings,
  signal: aborter,
  onProgress: callback,
  onStats: callback,
} as const satisfies Record<keyof ScoreOptions, OptionKind>

const ranking = {
  ...scoring,
  topN: count,
  text: callback,
} as const satisfies Record<keyof RankOptions<unknown>, OptionKind>

const loading = {
  ...settings,
  ...deviceOptions,
  recipe: oneOf(...recipeNames),
  sharePrefixes: boolean,
  profile: boolean,
  selfTest: boolean,
  logitLens: boolean,
} as const satisfies Record<keyof LoadOptions, OptionKind>

/** How tokens are merged; the layers are checked against the model. */
const compression = {
  compressRatio: ['1, 2, 4 or 8', (found: unknown) => [1, 2, 4, 8].includes(found as number)],
  compressLayers: [
    'a list of layers',
    (found: unknown) => Array.isArray(found) && found.every(Number.isSafeInteger),
  ],
} as const satisfies Record<keyof CompressionOptions, OptionKind>

/** What models that merge tokens take besides. */
const merging = {
  load: compression,
  computeScore: compression,
  rank: compression,
  hiddenStates: compression,
  layerFlops: compression,
} as const satisfies Readonly<Record<string, Kinds>>

/** What models with a score at several layers take besides; layers and stages are checked against the model. */
const layerwise = {
  load: { cutoffLayers: anything },
  computeScore: { cutoffLayers: anything },
  rank: { cutoffLayers: anything, cascade: anything },
} as const satisfies {
  readonly load: Record<
    Exclude<keyof LayerwiseLoadOptions, keyof (LoadOptions & CompressionOptions)>,
    OptionKind
  >
  readonly computeScore: object
  readonly rank: Record<
    Exclude<keyof LayerwiseRankOptions<unknown>, keyof (RankOptions<unknown> & CompressionOptions)>,
    OptionKind
  >
}

/** Of some methods the options that they take besides. */
const some = (of: Readonly<Record<string, Kinds>>, method: string): Kinds => of[method] ?? {}

/** The options of each function of a reranker. */
const known = {
  load: loading,
  rank: ranking,
  computeScore: scoring,
  hiddenStates: scoring,
  attentionMaps: scoring,
  layerFlops: scoring,
  tokenizePair: settings,
} as const satisfies Readonly<Record<string, Kinds>>

/** The same with `rankByModels`, which is not of one reranker. */
const checked = { ...known, rankByModels: { topN: count, text: callback, signal: aborter } }

/** A recipe, as far as its options go. */
export interface OptionTaker {
  /** The recipe, as messages name it. */
  readonly name: string
  /** Whether its models have a score at several layers. */
  readonly layerwise?: boolean | undefined
  /** Whether they can merge tokens of passages. */
  readonly merges?: boolean | undefined
}

/**
 * Throws where a function of a reranker is given an option that it does not take, or a value of another kind. An option
 * that nobody reads would change nothing, and the caller would believe that it did. `undefined` counts as left out.
 *
 * @throws RerankerError `option-invalid`
 */
export function checkOptions(
  taker: OptionTaker,
  method: keyof typeof checked,
  options: unknown,
): void {
  const own: Kinds = checked[method]
  const kinds: Kinds = {
    ...own,
    ...(taker.layerwise && some(layerwise, method)),
    ...(taker.merges && some(merging, method)),
  }
  checkValue(`options of ${method}`, options, object)
  for (const [name, value] of Object.entries(options as object)) {
    if (value === undefined) continue
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (kind) checkValue(name, value, kind)
    else throw unknown(name, method, taker, kinds)
  }
}

function unknown(
  name: string,
  method: string,
  { name: taker }: OptionTaker,
  kinds: Kinds,
): RerankerError {
  const others = Object.entries(known).filter(([, own]) => Object.hasOwn(own, name))
  const why = Object.hasOwn(some(layerwise, method), name)
    ? `this is a model for ${taker}, which scores at its last layer alone; leave it out, take a layerwise model, or for research load it with logitLens: true`
    : Object.hasOwn(some(merging, method), name)
      ? `this is a model for ${taker}, which does not merge tokens; leave it out, or take a lightweight model`
      : others.length > 0
        ? `${method} does not take it; it belongs to ${others.map(([other]) => other).join(' and ')}`
        : `there is no such option; ${method} takes ${Object.keys(kinds).sort().join(', ')}`
  return new RerankerError('option-invalid', `${name}: ${why}`)
}

function checkValue(name: string, found: unknown, [expected, fits]: OptionKind): void {
  if (fits(found)) return
  throw new RerankerError('option-invalid', `${name}: found ${show(found)}; expected ${expected}`)
}

/** Throws unless a count is a whole number from 1 up. */
export function checkCount(name: string, found: unknown): asserts found is number {
  checkValue(name, found, count)
}
