import { checkOptions } from '../rerankers/check-options.ts'
import type {
  LayerwiseLoadOptions,
  LayerwiseRankOptions,
  LayerwiseRow,
  LayerwiseScoreOptions,
  Pair,
  Reranker,
  RerankerInfo,
  ScoreOptions,
  ScoreSettings,
} from '../rerankers/index.ts'
import { type ResolvedSettings, resolveSettings } from '../rerankers/options.ts'
import { checkPairs, pairsOf } from '../rerankers/pairs.ts'
import type { Recipe } from '../rerankers/recipes.ts'
import { scoreOf } from '../rerankers/reranker.ts'
import type { Template } from '../rerankers/templates.ts'
import { checkOnly, inputsBuilder } from '../rerankers/windows.ts'
import type { Tokenizer } from '../tokenizers/index.ts'
import type { Method } from './messages.ts'
import type { Scheduler } from './scheduler.ts'
import { estimateTokens, split } from './split.ts'

/** What the devices run on and with: what one device has, and the memory of all. */
export interface DevicesInfo extends RerankerInfo {
  readonly devices: {
    readonly open: readonly Pick<RerankerInfo, 'adapter' | 'kernels' | 'memory'>[]
    /** Devices that are lost; those that worked before are being opened again. */
    readonly lost: number
  }
}

/** A model on several devices, used like a {@link Reranker}. */
export interface Devices<Cutoff = number>
  extends Pick<
    Reranker<Cutoff>,
    | 'rank'
    | 'computeScore'
    | 'hiddenStates'
    | 'selfTest'
    | 'tokenizePair'
    | 'tokenizeWindows'
    | 'tokenizer'
    | 'layers'
  > {
  readonly info: DevicesInfo
  /** Resolves when no device is left; every call rejects from then on. */
  readonly lost: Promise<Error>
  /** Ends the threads, which frees the devices; calls that are pending reject, and so do later ones. */
  dispose(): Promise<void>
  /** `dispose`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void>
}

/** How a call is cut. */
interface Cut {
  readonly pairs: readonly Pair[]
  readonly maxLength: number
  /** Whether it is not cut at all. */
  readonly whole?: boolean
}

/** The most tokens of a pair: in windows all of it is scored. */
const longestOf = ({ window, maxLength }: ResolvedSettings): number =>
  window ? Number.POSITIVE_INFINITY : maxLength

/**
 * The reranker whose calls a scheduler runs.
 *
 * @param info of one of its devices
 * @param options those that the model was loaded with, and its recipe
 */
export function poolOf<Cutoff>(
  scheduler: Scheduler,
  tokenizer: Tokenizer,
  { info, layers }: Pick<Reranker, 'info' | 'layers'>,
  { options, recipe }: { readonly options: LayerwiseLoadOptions; readonly recipe: Recipe },
): Devices<Cutoff> {
  const resolve = (
    method: Parameters<typeof checkOptions>[1],
    given: ScoreSettings,
  ): ResolvedSettings => {
    checkOptions(recipe, method, given)
    return resolveSettings(recipe, options, given)
  }

  /** Runs a method over pairs piece by piece; each result with the index of its first pair. */
  async function overPieces<R>(
    method: Method,
    { pairs, maxLength, whole = false }: Cut,
    { signal, onProgress, onStats }: ScoreOptions,
    argsOf: (some: readonly Pair[]) => readonly unknown[],
  ): Promise<{ first: number; result: R }[]> {
    const tokens = pairs.map((pair) => estimateTokens(pair, maxLength))
    const devices = whole ? 1 : scheduler.size
    const maxBatchTokens = whole ? Number.POSITIVE_INFINITY : info.limits.maxBatchTokens
    const pieces = split(tokens, { devices, maxBatchTokens }).map(({ first, end, tokens: sum }) => {
      const args = argsOf(pairs.slice(first, end))
      return { method, args, first, count: end - first, tokens: sum }
    })
    const results = await scheduler.run(pieces, { signal, onProgress, onStats })
    return pieces.map(({ first }, i) => ({ first, result: results[i] as R }))
  }

  async function rank<T>(
    query: string,
    passages: readonly T[],
    given: LayerwiseRankOptions<T> = {},
  ): Promise<LayerwiseRow<T>[]> {
    const settings = resolve('rank', given)
    const maxLength = longestOf(settings)
    const pairs = pairsOf(query, passages, given)
    const { topN, text: _, ...rest } = plainOf(given)
    // Which passages leave a cascade depends on all of them.
    const whole = given.cascade !== undefined
    const pieces = await overPieces<Omit<LayerwiseRow<T>, 'passage'>[]>(
      'rank',
      { pairs, maxLength, whole },
      given,
      (some) => [query, some.map(([, passage]) => passage), rest],
    )
    const rows = pieces.flatMap(({ first, result }) =>
      result.map((row) => ({ ...row, index: row.index + first })),
    )
    if (!whole) rows.sort((a, b) => b.score - a.score || a.index - b.index)
    return rows.slice(0, topN).map((row) => ({
      ...row,
      score: scoreOf(row.score, settings),
      ...(row.layerScores && {
        layerScores: Object.fromEntries(
          Object.entries(row.layerScores).map(([layer, logit]) => [
            layer,
            scoreOf(logit, settings),
          ]),
        ),
      }),
      passage: passages[row.index] as T,
    }))
  }

  async function computeScore(
    given: readonly string[] | readonly (readonly string[])[],
    asked: LayerwiseScoreOptions = {},
  ): Promise<unknown> {
    const settings = resolve('computeScore', asked)
    const maxLength = longestOf(settings)
    const { pairs, single } = checkPairs(given)
    const cutoff = asked.cutoffLayers ?? options.cutoffLayers
    const isList = cutoff !== undefined && typeof cutoff !== 'number'
    const pieces = await overPieces<number[] | number[][]>(
      'computeScore',
      { pairs, maxLength },
      asked,
      (some) => [some, plainOf(asked)],
    )
    const byPiece = pieces.map(({ result }) => (isList ? result : [result]) as number[][])
    const rows = byPiece[0]!.map((_, layer) =>
      byPiece.flatMap((piece) => piece[layer]!.map((logit) => scoreOf(logit, settings))),
    )
    const ofPairs = single ? rows.map(([score]) => score) : rows
    return isList ? ofPairs : ofPairs[0]
  }

  function tokenizeWindows(query: string, passage: string, given: ScoreSettings = {}): number[][] {
    const [[first, second]] = checkPairs([[query, passage]]).pairs as [Pair]
    const settings = resolve('tokenizePair', given)
    const build = inputsBuilder(recipe.templates[settings.inputs] as Template, tokenizer, settings)
    return build(first, second).map(({ ids }) => Array.from(ids))
  }

  return {
    tokenizer,
    layers,
    lost: scheduler.lost,
    get info() {
      return infoOf(info, scheduler)
    },
    rank,
    computeScore: computeScore as Devices<Cutoff>['computeScore'],
    async hiddenStates(given, wanted, asked = {}) {
      const { maxLength } = resolve('hiddenStates', asked)
      const { pairs } = checkPairs(given)
      const pieces = await overPieces<Record<number, Float32Array>[]>(
        'hiddenStates',
        { pairs, maxLength },
        asked,
        (some) => [some, wanted, plainOf(asked)],
      )
      return pieces.flatMap(({ result }) => result)
    },
    async selfTest() {
      const piece = { method: 'selfTest', args: [], first: 0, count: 1, tokens: 1 } as const
      const [result] = await scheduler.run([piece], {})
      return result as { score: number; expected: number }
    },
    tokenizePair(query, passage, given = {}) {
      const windows = tokenizeWindows(query, passage, given)
      checkOnly(windows.length, 'tokenizePair')
      return windows.flat()
    },
    tokenizeWindows,
    dispose: () => scheduler.dispose(),
    [Symbol.asyncDispose]: () => scheduler.dispose(),
  }
}

/** The options of a call that go to a device, which gives logits: they rank, and their sigmoid is taken here. */
function plainOf<Options extends ScoreOptions>({ signal, onProgress, onStats, ...rest }: Options) {
  return { ...rest, normalize: false }
}

function infoOf(info: RerankerInfo, { threads, size }: Scheduler): DevicesInfo {
  const infos = threads.map((thread) => thread.info)
  const sum = (key: keyof RerankerInfo['memory']) =>
    infos.reduce((total, { memory }) => total + memory[key], 0)
  const names = new Set(infos.map(({ adapter }) => adapter.description))
  const dtypes = new Set(infos.map(({ activations }) => activations))
  const off =
    dtypes.size > 1
      ? 'their activations are f16 and f32, and scores differ by up to 1e-2: set the option activations'
      : 'so may the last bits of their scores'
  const mixed = `the adapters differ (${[...names].join(', ')}), and ${off}`
  return {
    ...info,
    warnings: names.size > 1 ? [...info.warnings, mixed] : info.warnings,
    memory: {
      weights: sum('weights'),
      hostTables: sum('hostTables'),
      activations: sum('activations'),
      buffers: sum('buffers'),
      bytes: sum('bytes'),
    },
    devices: {
      open: infos.map(({ adapter, kernels, memory }) => ({ adapter, kernels, memory })),
      lost: size - infos.length,
    },
  }
}
