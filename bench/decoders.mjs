// @ts-check
// Decoders of the shapes of Gemma, MiniCPM and Qwen3 with random weights: ranking passages for a query, with what shared
// prefixes, a cascade and loading to a cutoff layer gain. All ratios are of runs taken in turns.
import { join } from 'node:path'
import { Tokenizer } from '../dist/index.js'
import { barShape } from './bars.mjs'
import { decoderFlops, decoderMatmulShapes, distinctShapes } from './flops.mjs'
import { makeRanking } from './peers/workload.mjs'
import { makeRandomDecoder } from './random-model.mjs'
import { digest, modelName } from './record.mjs'
import { bestMs, grid, matmulShares, medianMs, otherCores, seconds, showCores } from './report.mjs'
import { bundle, enter, out, root, runInTurns } from './turns.mjs'

/** Passages that are ranked, and the most tokens of each; prompt and query come on top. */
const rankingShape = { count: 20, limit: 48 }

/**
 * @typedef {import('./report.mjs').Entry} Entry
 * @typedef {{
 *   tokenizer: string, options?: Record<string, unknown>, published: Record<string, any>, reduced: Record<string, any>,
 *   cascade?: { layer: number, keep?: number }[], cutoff?: number,
 * }} Shape options of the load; config.json as published, and what is smaller unless asked for; layers count from 1 in the reduced depth
 */

/** @type {Record<string, Shape>} */
export const decoders = {
  gemma: {
    tokenizer: 'gemma',
    published: {
      architectures: ['GemmaForCausalLM'],
      model_type: 'gemma',
      head_dim: 256,
      hidden_act: 'gelu',
      hidden_size: 2048,
      intermediate_size: 16384,
      num_attention_heads: 8,
      num_hidden_layers: 18,
      num_key_value_heads: 1,
      rms_norm_eps: 1e-6,
    },
    reduced: {
      hidden_size: 512,
      intermediate_size: 4096,
      num_attention_heads: 2,
      num_hidden_layers: 2,
    },
  },
  minicpm: {
    tokenizer: 'minicpm-layerwise',
    published: {
      architectures: ['LayerWiseMiniCPMForCausalLM'],
      model_type: 'minicpm',
      dim_model_base: 256,
      hidden_act: 'silu',
      hidden_size: 2304,
      intermediate_size: 5760,
      num_attention_heads: 36,
      num_hidden_layers: 40,
      num_key_value_heads: 36,
      rms_norm_eps: 1e-5,
      scale_depth: 1.4,
      scale_emb: 12,
      start_layer: 8,
    },
    reduced: {
      hidden_size: 576,
      intermediate_size: 1440,
      num_attention_heads: 9,
      num_hidden_layers: 6,
      num_key_value_heads: 9,
      start_layer: 1,
    },
    cascade: [{ layer: 2, keep: 10 }, { layer: 4, keep: 5 }, { layer: 6 }],
    cutoff: 2,
  },
  qwen3: {
    tokenizer: 'qwen3',
    options: { recipe: 'Qwen3Reranker' },
    published: {
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      attention_bias: false,
      head_dim: 128,
      hidden_act: 'silu',
      hidden_size: 1024,
      intermediate_size: 3072,
      max_position_embeddings: 40960,
      num_attention_heads: 16,
      num_hidden_layers: 28,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_theta: 1000000,
      tie_word_embeddings: true,
    },
    reduced: { num_hidden_layers: 3 },
  },
}

/**
 * A layer of the reduced depth at the same share of the depth at hand.
 * @param {Shape} shape
 * @param {Record<string, any>} config
 * @param {number} layer
 */
const atDepth = ({ reduced }, config, layer) =>
  Math.round((layer / reduced.num_hidden_layers) * config.num_hidden_layers)

/**
 * The contestants of one shape: with shared prefixes as by default, without, by a cascade; loads of all layers and to
 * the cutoff.
 * @param {Shape} shape
 * @param {Record<string, any>} config
 * @param {string} model
 * @param {{ query: string, passages: string[] }} ranking
 */
async function enterAll(shape, config, model, ranking) {
  const ours = join(root, 'bench', 'ours.mjs')
  const loading = join(root, 'bench', 'loading.mjs')
  const { cascade, cutoff, options = {} } = shape
  const stages = cascade?.map((stage) => ({ ...stage, layer: atDepth(shape, config, stage.layer) }))
  const own = decoderMatmulShapes(config, config === shape.published ? 2048 : 512)
  const matmul = { shapes: distinctShapes([barShape, ...own]), dtypes: ['bf16', 'f16'] }
  const short = cutoff && { cutoffLayers: atDepth(shape, config, cutoff) }
  return {
    matmul: await enter('matmul', await bundle('matmul.ts'), matmul),
    shared: await enter('rank', ours, { model, options, ranking }),
    apart: await enter('rank, prefixes not shared', ours, {
      model,
      options: { ...options, sharePrefixes: false },
      ranking,
    }),
    cascade:
      stages &&
      (await enter('rank by a cascade', ours, {
        model,
        options: {},
        ranking: { ...ranking, options: { cascade: stages } },
      })),
    whole: short && (await enter('load', loading, { model, options: {} })),
    short: short && (await enter('load to the cutoff', loading, { model, options: short })),
  }
}

/**
 * Throws unless two contestants gave the same scores, to the bit.
 * @param {Entry} one
 * @param {Entry} other where it has none (NaN, which comes from its process as null) there is nothing to compare
 */
function checkSame(one, other) {
  const wrong = other.cold.values.findIndex(
    (score, i) => Number.isFinite(score) && score !== one.cold.values[i],
  )
  if (wrong < 0) return
  throw new Error(`${one.name} and ${other.name} differ in the score of passage ${wrong}`)
}

/**
 * @param {Entry[]} entries
 * @param {number} tokens
 */
function table(entries, tokens) {
  return grid(
    ['', 'tokens/s', 'median', 'first', 'load', 'peak RSS', 'other cores'],
    entries.map((entry) => {
      const { name, cold, loadMs, runs } = entry
      return [
        name,
        Math.round((tokens / medianMs(entry)) * 1000),
        seconds(medianMs(entry)),
        seconds(cold.timing.ms),
        seconds(loadMs),
        `${Math.round(Math.max(...runs.map(({ peakMiB }) => peakMiB)))} MiB`,
        showCores(otherCores(runs)),
      ]
    }),
  )
}

/**
 * The folder of a decoder with random weights, which is made where it is missing, and its configuration.
 * @param {string} name of {@link decoders}
 * @param {boolean} published in its published width and depth
 */
export function decoderFolder(name, published) {
  const shape = decoders[name]
  if (!shape)
    throw new Error(`decoder: found ${name}; expected ${Object.keys(decoders).join(', ')}`)
  const config = published ? shape.published : { ...shape.published, ...shape.reduced }
  const model = join(out, 'models', `bench-${name}${published ? '-published' : ''}`)
  makeRandomDecoder(model, config, join(root, 'test', 'fixtures', shape.tokenizer, 'model'))
  return { model, config }
}

/**
 * Measures one shape and prints what came out.
 * @param {import('./record.mjs').Recorder} recorder
 * @param {string} name
 * @param {Shape} shape
 * @param {{ rounds: number, published?: boolean }} options
 */
export async function benchDecoder(recorder, name, shape, { rounds, published = false }) {
  const { model, config } = decoderFolder(name, published)
  const tokenizer = await Tokenizer.load(model)
  const ranking = makeRanking(tokenizer, rankingShape)
  const workload = {
    model: modelName(model),
    passages: ranking.passages.length,
    texts: digest(JSON.stringify(ranking)),
  }
  recorder.begin(name, workload)
  const sizes = ['hidden_size', 'intermediate_size', 'num_hidden_layers']
    .map((key) => `${key} ${config[key]} of ${shape.published[key]}`)
    .join(', ')
  console.log(`\nbench: ${name}: ${sizes}; random weights in bf16`)

  const entered = await enterAll(shape, config, model, ranking)
  const { matmul, shared, apart, cascade, whole, short } = entered
  if (!shared || !apart) throw new Error('dawnrank itself could not be measured')
  const all = Object.values(entered).filter((entry) => entry !== undefined && entry !== 0)
  await runInTurns(all, rounds)
  for (const { contestant } of all) contestant.end()
  checkSame(shared, apart)
  if (cascade) checkSame(shared, cascade)

  const lengths = /** @type {number[]} */ (shared.facts.lengths)
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  console.log(
    `\nadapter: ${shared.facts.adapter}; one query, ${lengths.length} passages, ${tokens} tokens in all`,
  )
  console.log(table(cascade ? [shared, apart, cascade] : [shared, apart], tokens))
  const gflops = decoderFlops(config, lengths) / 1e6 / bestMs(apart)
  const compared = matmul && matmulShares(gflops, matmul)
  const best = compared?.best
  console.log(
    `quickest forward pass, nothing shared: ${gflops.toFixed(1)} GFLOP/s: ${compared?.text ?? 'no matmul to compare with'}`,
  )
  /** @type {Record<string, number>} */
  const gains = { 'shared prefixes': medianMs(apart) / medianMs(shared) }
  if (cascade) gains['the cascade'] = medianMs(shared) / medianMs(cascade)
  if (whole && short) {
    gains['loading to the cutoff'] = medianMs(whole) / medianMs(short)
    gains['loading to the cutoff, in bytes'] =
      (whole.cold.values[0] ?? 0) / (short.cold.values[0] ?? 1)
  }
  for (const [what, gain] of Object.entries(gains))
    console.log(`gain by ${what}: ${gain.toFixed(2)}`)
  const ranked = [shared, apart, cascade].filter((entry) => entry !== undefined)
  const loads = [whole, short].filter((entry) => entry !== undefined && entry !== 0)
  recorder.keep(name, name, {
    workload,
    figures: Object.fromEntries([
      ...ranked.map((entry) => [
        entry.name,
        { value: (tokens / medianMs(entry)) * 1000, unit: 'tokens/s' },
      ]),
      ...loads.map((entry) => [entry.name, { value: medianMs(entry), unit: 'ms' }]),
      ...(best ? [['best matmul', { value: best.gflops, unit: 'GFLOP/s' }]] : []),
    ]),
    otherCores: otherCores(shared.runs),
    details: {
      config,
      tokens,
      rounds,
      gflops,
      bestMatmul: best,
      matmulAtBar: compared?.atBar,
      gains,
      runsMs: Object.fromEntries(
        all.map((entry) => [entry.name, entry.runs.map(({ timing }) => timing.ms)]),
      ),
    },
  })
}
