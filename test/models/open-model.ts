import { Checkpoint } from '../../src/checkpoint/index.ts'
import type { KernelNames } from '../../src/gpu/choices.ts'
import { Gpu } from '../../src/gpu/device.ts'
import { Engine } from '../../src/inference/engine.ts'
import { type PairTexts, packBatch, type Sequence } from '../../src/models/batch.ts'
import { declareModel, scoreBatch, scoredLayers } from '../../src/models/model.ts'
import { families } from '../../src/models/registry.ts'
import { type DtypeOption, Weights } from '../../src/models/weights.ts'
import { openFolder } from '../../src/platform/server.ts'
import { type CrossCase, fixtureFolder, readCrossFixtures, readFixtures } from '../fixtures.ts'
import { withoutSubgroups } from '../tensor/harness.ts'

interface OpenOptions {
  readonly dtype?: DtypeOption
  readonly activations?: 'f32' | 'f16'
  /** With the kernels of adapters without subgroups. */
  readonly plain?: boolean
  readonly share?: boolean
  readonly kernels?: KernelNames
  readonly logitLens?: boolean
}

/** Opens a fixture's model without a tokenizer, to be fed ids. */
export async function openModel(
  name: string,
  {
    dtype = 'f32',
    activations = 'f32',
    plain = false,
    share,
    kernels,
    logitLens,
  }: OpenOptions = {},
) {
  const checkpoint = await Checkpoint.open(await openFolder(fixtureFolder(name)))
  const own = await Gpu.open({ kernels })
  const gpu = plain ? withoutSubgroups(own) : own
  const { config } = checkpoint
  const weights = new Weights(gpu, checkpoint, dtype, activations)
  const [architecture] = config.strings('architectures') as [string]
  const words = wordsOf(name)
  const family = await families[architecture]!.load()
  const model = declareModel(family, { config, weights, words, logitLens })
  const engine = new Engine(gpu, model, activations, share ?? model.backbone.causal)
  const layers = scoredLayers(model)
  await Promise.all([gpu.compile(engine.plan(64, layers).kernels), weights.load()])
  await checkpoint.close()
  return {
    gpu,
    model,
    engine,
    layers,
    /** The scores of one batch at each layer. */
    score: (sequences: readonly Sequence[], at: readonly number[] = layers) => {
      const batch = packBatch(sequences, engine.sharePrefixes)
      return engine.run((tape) => scoreBatch(model, tape, batch, at))
    },
    dispose: () => own.dispose(),
  }
}

/** The ids of the words whose logits are the score, where a model has such a score. */
function wordsOf(name: string) {
  const { tokenizer, defaults } = readFixtures(name)
  const [word] = tokenizer.yes_ids ?? []
  const { yes_id = word, no_id } = defaults
  return yes_id === undefined ? undefined : { word: yes_id, minus: no_id }
}

/** The inputs and logits of every case of a cross-encoder's fixture. */
export const crossCasesOf = (name: string) =>
  readCrossFixtures(`${name}/fixtures.json`).cases.map(({ id, reference }) => ({
    id,
    ids: Uint32Array.from(reference.input_ids),
    types: reference.token_type_ids && Uint8Array.from(reference.token_type_ids),
    texts: textsOf(reference),
    logit: reference.logit,
  }))

/** Where the texts of a recorded input stand, where it shows: `[CLS] query [SEP] passage [SEP]`, `<s> query </s></s> passage </s>`. */
export function textsOf(reference: CrossCase['reference']): PairTexts | undefined {
  const { input_ids, token_type_ids, query_tokens } = reference
  const middle = query_tokens === undefined ? token_type_ids?.indexOf(1) : query_tokens + 3
  if (middle === undefined || middle < 0) return undefined
  const queryEnd = query_tokens === undefined ? middle - 1 : query_tokens + 1
  return {
    query: { start: 1, end: queryEnd },
    passage: { start: middle, end: input_ids.length - 1 },
  }
}

/**
 * The inputs and scores, by layer, of every case of a fixture, in both of the reference's forms, each input once; of a model
 * with token types, which the plain form was recorded without, in the one form.
 */
export function casesOf(name: string) {
  const answers = readFixtures(name).cases.flatMap(({ flag, plain, settings }) => [
    ...(settings.normalize ? [] : [flag]),
    ...(plain && !flag.token_type_ids ? [plain] : []),
  ])
  const inputs = new Map(answers.map((answer) => [String(answer.input_ids), answer]))
  return [...inputs.values()].map(({ input_ids, token_type_ids, score, scores }) => ({
    ids: Uint32Array.from(input_ids),
    types: token_type_ids && Uint8Array.from(token_type_ids),
    scores: scores ? Object.values(scores) : [score],
  }))
}

/** Some of the cases, from the shortest to the longest: what only a kernel or a dtype can break, each length shows. */
export function spread<C extends { readonly ids: Uint32Array }>(
  cases: readonly C[],
  count: number,
): C[] {
  const byLength = cases.toSorted((a, b) => a.ids.length - b.ids.length)
  return Array.from({ length: count }, (_, i) => {
    return byLength[Math.round((i * (byLength.length - 1)) / (count - 1))]!
  })
}
