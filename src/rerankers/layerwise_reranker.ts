import { packBatch } from '../models/batch.ts'
import { MiniCpm, minicpmArchitecture, minicpmConfig } from '../models/minicpm.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkCascade, runCascade } from './cascade.ts'
import { RerankerError } from './errors.ts'
import { decoderInputs, type PairInput } from './inputs.ts'
import { bosOf, llmDefaults } from './llm.ts'
import { embeddedModels, loadModel, type ModelPlace, type RerankerFamily } from './load.ts'
import {
  type CutoffLayers,
  type CutoffOf,
  type LayerwiseLoadOptions,
  type LayerwiseRankOptions,
  type LayerwiseScoreOptions,
  type PairScore,
  type PairScores,
  type ResolvedSettings,
  type ScoreOptions,
  show,
} from './options.ts'
import {
  byScore,
  checkPairs,
  finish,
  type Loaded,
  pairsOf,
  type RankedRow,
  Reranker,
  rankedRow,
  shown,
  tested,
} from './reranker.ts'
import { mapBatches, type Pair } from './scoring.ts'

/** One passage ranked by a layer's score. */
export interface LayerwiseRow<T> extends RankedRow<T> {
  /** The layer that the score is of. */
  readonly layer: number
}

const familyFor = (cutoff: CutoffLayers | undefined): RerankerFamily<MiniCpm> => ({
  name: 'LayerWiseFlagLLMReranker',
  layerwise: true,
  architectures: [minicpmArchitecture],
  ...llmDefaults,
  model: ({ config, loader }) => {
    const read = minicpmConfig(config)
    const { startLayer, layers } = read
    const all = Array.from({ length: layers - startLayer + 1 }, (_, i) => startLayer + i)
    return new MiniCpm(read, loader, Math.max(...layersOf(cutoff ?? layers, all)))
  },
  layers: (model) => model.scoredLayers,
})

/**
 * A decoder with a head on each layer: bge-reranker-v2-minicpm-layerwise. Inputs and scores are those of
 * FlagEmbedding's `LayerWiseFlagLLMReranker`, but that each layer has its own head's score in whatever order layers
 * are asked for, and as often as they are. `Cutoff` is the cutoff of the load, which calls that name none have.
 */
export class LayerWiseFlagLLMReranker<
  Cutoff extends CutoffLayers = number,
> extends Reranker<Cutoff> {
  readonly #model: MiniCpm
  readonly #cutoff: CutoffLayers

  private constructor(
    loaded: Loaded & { readonly model: MiniCpm },
    cutoff: CutoffLayers | undefined,
  ) {
    super(loaded, familyFor(cutoff))
    this.#model = loaded.model
    this.#cutoff = cutoff ?? loaded.model.decoder.layers
  }

  /**
   * Loads a model as `FlagReranker.load` does, with the same faults; the embedded one of this kind if no folder is given.
   * Of its layers only those are read that `cutoffLayers` needs.
   */
  static async load<const Own extends CutoffLayers | undefined = undefined>(
    place?: ModelPlace,
    options: LayerwiseLoadOptions<Own> = {},
  ): Promise<LayerWiseFlagLLMReranker<CutoffOf<Own, number>>> {
    // Options that are no object are told by the check of all.
    const cutoff = options?.cutoffLayers
    const folder = place === undefined ? embeddedModels.LayerWiseFlagLLMReranker : place
    const loaded = await loadModel(familyFor(cutoff), folder, options)
    return tested(new LayerWiseFlagLLMReranker<CutoffOf<Own, number>>(loaded, cutoff), options)
  }

  protected override inputs(
    settings: ResolvedSettings,
  ): (query: string, passage: string) => PairInput {
    return decoderInputs(this.tokenizer, settings, bosOf(this.tokenizer, true))
  }

  /** The layers that have a score, of those loaded. */
  get layers(): readonly number[] {
    return this.#model.scoredLayers
  }

  /**
   * The scores of a pair or of pairs, as FlagEmbedding's `compute_score`. With one layer: a number a pair. With a list
   * of layers, or `all`: a row of scores for each entry of the list, as asked; for a single pair a number for each.
   * All layers come from one pass.
   */
  override computeScore(
    pair: Pair,
    options?: LayerwiseScoreOptions<undefined>,
  ): Promise<PairScore<Cutoff>>
  override computeScore(
    pairs: readonly (readonly string[])[],
    options?: LayerwiseScoreOptions<undefined>,
  ): Promise<PairScores<Cutoff>>
  override computeScore(
    pairs: readonly (readonly string[])[],
    options: ScoreOptions & { readonly cutoffLayers: readonly number[] | 'all' },
  ): Promise<number[][]>
  override computeScore<const Own extends CutoffLayers | undefined = undefined>(
    pair: Pair,
    options?: LayerwiseScoreOptions<Own>,
  ): Promise<PairScore<CutoffOf<Own, Cutoff>>>
  override computeScore<const Own extends CutoffLayers | undefined = undefined>(
    pairs: readonly (readonly string[])[],
    options?: LayerwiseScoreOptions<Own>,
  ): Promise<PairScores<CutoffOf<Own, Cutoff>>>
  override async computeScore(
    given: readonly string[] | readonly (readonly string[])[],
    options: LayerwiseScoreOptions = {},
  ): Promise<never> {
    const { normalize } = this.resolve('computeScore', options)
    const { pairs, single } = checkPairs(given)
    const cutoff = options.cutoffLayers ?? this.#cutoff
    const layers = layersOf(cutoff, this.layers)
    const asked = [...new Set(layers)]
    const scored = await this.score(pairs, 'pair', options, asked)
    const rows = layers.map((layer) =>
      scored.map(({ scores }) => shown(scores[asked.indexOf(layer)] as number, normalize)),
    )
    const found = typeof cutoff === 'number' ? rows[0] : rows
    if (!single) return found as never
    return (typeof cutoff === 'number' ? rows[0]?.[0] : rows.map(([score]) => score)) as never
  }

  /**
   * Ranks passages for a query by one layer's score, best first, ties by index; or by a cascade of layers, where those
   * that left follow the others, later leavers first.
   */
  override async rank<T>(
    query: string,
    passages: readonly T[],
    options: LayerwiseRankOptions<T> = {},
  ): Promise<LayerwiseRow<T>[]> {
    const { normalize } = this.resolve('rank', options)
    const pairs = pairsOf(query, passages, options)
    const { cascade, cutoffLayers, onProgress } = options
    if (cascade) {
      if (cutoffLayers !== undefined) {
        throw new RerankerError(
          'option-invalid',
          'cascade and cutoffLayers: expected one of the two',
        )
      }
      checkCascade(cascade, this.layers)
      const scored = await runCascade(
        this.#model,
        pairs,
        cascade,
        this.batches('passage', options),
        onProgress,
      )
      const rows = scored.map((row) => ({ ...row, passage: passages[row.index] as T }))
      return finish(rows, options, normalize)
    }
    const layer = Math.max(...layersOf(cutoffLayers ?? this.#cutoff, this.layers))
    const scored = await this.score(pairs, 'passage', options, [layer])
    const rows = scored.map((found, index) => ({ ...rankedRow(passages, found, index), layer }))
    return finish(rows.sort(byScore), options, normalize)
  }

  /**
   * The hidden states of the scored token of each pair after the layers named (0: the embeddings), before the final
   * norm: for each pair the states by layer, [hidden] each.
   */
  async hiddenStates(
    given: readonly (readonly string[])[],
    layers: readonly number[],
    options: ScoreOptions = {},
  ): Promise<Record<number, Float32Array>[]> {
    this.resolve('hiddenStates', options)
    const { pairs } = checkPairs(given)
    const { decoder } = this.#model
    if (!Array.isArray(layers)) {
      throw new RerankerError(
        'option-invalid',
        `layers: found ${show(layers)}; expected a list of layers`,
      )
    }
    layers.forEach((layer) => {
      if (Number.isInteger(layer) && layer >= 0 && layer <= decoder.layers) return
      throw new RerankerError(
        'option-invalid',
        `layers: found ${show(layer)}; expected layers from 0 to ${decoder.layers}`,
      )
    })
    if (layers.length === 0) return pairs.map(() => ({}))
    const { hidden } = decoder.config
    const last = Math.max(...layers)
    const asked = [...new Set(layers)]
    const batches = this.batches('pair', options)
    let done = 0
    const rows = await mapBatches(pairs, batches, async ({ inputs }, signal) => {
      const batch = packBatch(
        inputs.map(({ ids }) => ids),
        batches.engine.sharePrefixes,
      )
      const states = await batches.engine.run((tape) => {
        const found = new Map<number, Tensor>()
        for (const { layer, x } of decoder.states(tape, batch, last)) {
          if (!asked.includes(layer)) continue
          found.set(
            layer,
            tape.step([], () => decoder.scoredStates(tape, x, batch, layer === last && layer > 0)),
          )
        }
        return asked.map((layer) => found.get(layer) as Tensor)
      }, signal)
      done += inputs.length
      options.onProgress?.({ done, total: pairs.length })
      return inputs.map((_, i) =>
        Object.fromEntries(
          asked.map((layer, at) => [
            layer,
            (states[at] as Float32Array).slice(i * hidden, (i + 1) * hidden),
          ]),
        ),
      )
    })
    return rows.flat()
  }
}

/** The layers of a cutoff, each checked to be one that has a score. */
function layersOf(cutoff: CutoffLayers, known: readonly number[]): readonly number[] {
  if (cutoff === 'all') return known
  const layers = typeof cutoff === 'number' ? [cutoff] : cutoff
  const range = `${known[0]} to ${known.at(-1)}`
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new RerankerError(
      'option-invalid',
      `cutoffLayers: found ${show(cutoff)}; expected a layer from ${range}, a list of them, or "all"`,
    )
  }
  for (const layer of layers) {
    if (known.includes(layer)) continue
    throw new RerankerError(
      'option-invalid',
      `cutoffLayers: found ${show(layer)}; expected layers from ${range}, those that have a head and are loaded`,
    )
  }
  return layers
}
