/** What research reads of a model's inside: hidden states, attention, and operations by layer. */
import type { Engine } from '../inference/engine.ts'
import { joinAttentionMap, type KeptMap, recordAttentionMaps } from '../models/attention-maps.ts'
import { type Batch, packBatch, type Sequence } from '../models/batch.ts'
import { scoreBatch, scoredLayers } from '../models/model.ts'
import { PlanTape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CallOptions, inputsOf, mapBatches, type Pair } from './scoring.ts'

/** The attention of a pair. */
export interface AttentionMaps {
  /** The ids that the model was fed. */
  readonly ids: Uint32Array
  readonly heads: number
  /** Of each layer the softmax probabilities, [heads, tokens, tokens], rows for queries. */
  readonly layers: Readonly<Record<number, Float32Array<ArrayBuffer>>>
}

/** Floating-point operations of some pairs up to a layer, its score included; a product that is added counts as two. */
export interface LayerFlops {
  readonly layer: number
  /** Where it is the last layer that runs: of that layer only the scored tokens are computed. */
  readonly cutoff: number
  /** Where pairs may go on from its states, as in a cascade: it is computed for every token. Of the last layer as `cutoff`. */
  readonly passed: number
}

/** The hidden states of the scored token of each pair after the layers named, [hidden] each. */
export async function hiddenStatesOf(
  pairs: readonly Pair[],
  layers: readonly number[],
  call: CallOptions,
): Promise<Record<number, Float32Array>[]> {
  const { engine } = call.queue
  const { backbone } = engine.model
  const { hidden } = backbone.config
  const to = Math.max(...layers)
  const asked = [...new Set(layers)]
  let done = 0
  const rows = await mapBatches(pairs, call, async ({ inputs }, signal) => {
    const batch = packBatch(inputs, engine.sharePrefixes)
    const states = await engine.run((tape) => {
      const found = new Map<number, Tensor>()
      for (const state of backbone.states(tape, batch, { to, compression: call.compression })) {
        if (asked.includes(state.layer)) found.set(state.layer, state.scored())
      }
      return asked.map((layer) => found.get(layer) as Tensor)
    }, signal)
    done += inputs.length
    call.onProgress?.({ done, total: pairs.length })
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

/** The attention maps of each pair in the layers named; a pass for each pair. */
export async function attentionMapsOf(
  pairs: readonly Pair[],
  layers: readonly number[],
  call: CallOptions,
): Promise<AttentionMaps[]> {
  let done = 0
  const maps = await mapBatches(pairs, call, async ({ inputs }, signal) => {
    const found: AttentionMaps[] = []
    for (const input of inputs) {
      signal.throwIfAborted()
      found.push(await attentionOf(input, layers, call.queue.engine, signal))
      done++
      call.onProgress?.({ done, total: pairs.length })
    }
    return found
  })
  return maps.flat()
}

/** The attention maps of one sequence. */
export async function attentionOf(
  input: Sequence,
  layers: readonly number[],
  engine: Engine,
  signal?: AbortSignal,
): Promise<AttentionMaps> {
  const tokens = input.ids.length
  const kept: KeptMap[] = []
  try {
    const numbers = await engine.run((tape) => {
      recordAttentionMaps(tape, engine.model.backbone, packBatch([input]), layers, kept)
      return kept.flatMap(({ parts }) => parts.map(({ tensor }) => tensor))
    }, signal)
    let next = 0
    const maps = kept.map(({ layer, headDim, parts }) => {
      const own = numbers.slice(next, next + parts.length)
      next += parts.length
      return [layer, joinAttentionMap(own, headDim, tokens)] as const
    })
    const heads = (maps[0]?.[1].length ?? 0) / tokens ** 2
    return { ids: input.ids, heads, layers: Object.fromEntries(maps) }
  } finally {
    for (const { parts } of kept) for (const { release } of parts) release()
  }
}

/** The operations of pairs up to each layer that has a score: counted of a plan, nothing is computed. */
export function layerFlopsOf(pairs: readonly Pair[], call: CallOptions): LayerFlops[] {
  const { engine } = call.queue
  const sums = scoredLayers(engine.model).map((layer) => ({ layer, cutoff: 0, passed: 0 }))
  for (const inputs of batchesOf(pairs, call)) {
    call.signal?.throwIfAborted()
    const batch = packBatch(inputs, engine.sharePrefixes)
    const passed = passedFlops(call, batch)
    for (const sum of sums) {
      const tape = new PlanTape(engine.gpu, engine.activations)
      scoreBatch(engine.model, tape, batch, [sum.layer], call.compression)
      sum.cutoff += tape.flops
      sum.passed += passed.get(sum.layer) ?? tape.flops
    }
  }
  return sums
}

/** The inputs of pairs, all windows, in batches of up to `maxBatchTokens`. */
function* batchesOf(pairs: readonly Pair[], call: CallOptions): Generator<Sequence[]> {
  const { maxBatchTokens } = call.queue
  let inputs: Sequence[] = []
  let tokens = 0
  for (const input of inputsOf(pairs, call)) {
    if (inputs.length > 0 && tokens + input.ids.length > maxBatchTokens) {
      yield inputs
      inputs = []
      tokens = 0
    }
    inputs.push(input)
    tokens += input.ids.length
  }
  if (inputs.length > 0) yield inputs
}

/** The operations up to each layer but the last, computed for every token, and of its head. */
function passedFlops(
  { queue: { engine }, compression }: CallOptions,
  batch: Batch,
): Map<number, number> {
  const { backbone, heads } = engine.model
  const tape = new PlanTape(engine.gpu, engine.activations)
  const found = new Map<number, number>()
  let ofHeads = 0
  const to = Math.max(...heads.keys())
  for (const state of backbone.states(tape, batch, { to, compression })) {
    const head = heads.get(state.layer)
    if (!head || state.layer === to) continue
    const before = tape.flops
    tape.scope([], () => head(tape, state, state.batch))
    const ofHead = tape.flops - before
    found.set(state.layer, before - ofHeads + ofHead)
    ofHeads += ofHead
  }
  return found
}
