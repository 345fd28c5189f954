import { runTasks } from '../inference/tasks.ts'
import { type Batch, packBatch, selectBatch } from '../models/batch.ts'
import type { Head } from '../models/heads.ts'
import { gatherRows } from '../tensor/gather-rows.ts'
import type { KeptTensor, Tape } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { CascadeStage } from './cascade-stage.ts'
import { RerankerError } from './errors.ts'
import { show } from './options.ts'
import { type CallOptions, checkFinite, mapBatches, type Pair, passesAhead } from './scoring.ts'
import { checkStage, checkSurvival, type Survival, survivors } from './survivors.ts'

/** A pair's last score, and where it was given. */
export interface CascadeScore {
  readonly index: number
  readonly score: number
  readonly layer: number
  readonly tokens: number
  readonly truncated: boolean
}

/** Sequences of one batch whose states after a layer wait on the device for the next stage. */
interface Waiting {
  readonly batch: Batch
  readonly states: KeptTensor
  /** The pair of each sequence. */
  readonly indices: readonly number[]
}

/** Checks the stages of a cascade against the layers that have a score. */
export function checkCascade(stages: readonly CascadeStage[], layers: readonly number[]): void {
  if (!Array.isArray(stages) || stages.length === 0) {
    throw new RerankerError(
      'option-invalid',
      `cascade: found ${show(stages)}; expected a list of { layer, keep, margin }`,
    )
  }
  for (const [i, stage] of stages.entries()) {
    checkStage(`cascade[${i}]`, stage, ['layer', 'keep', 'margin'])
  }
  stages.forEach(({ layer, keep, margin }, i) => {
    const before = stages[i - 1]
    if (!layers.includes(layer)) {
      throw new RerankerError(
        'option-invalid',
        `cascade[${i}].layer: found ${show(layer)}; expected one from ${layers[0]} to ${layers.at(-1)}`,
      )
    }
    if (before && layer <= before.layer) {
      throw new RerankerError(
        'option-invalid',
        `cascade[${i}].layer: ${layer} does not come after ${before.layer}`,
      )
    }
    checkSurvival(`cascade[${i}]`, { keep, margin }, i + 1 === stages.length)
    if (before?.keep !== undefined && keep !== undefined && keep > before.keep) {
      throw new RerankerError(
        'option-invalid',
        `cascade[${i}].keep: ${keep} is more than the ${before.keep} that are left`,
      )
    }
  })
}

/**
 * Scores pairs at the first stage's layer, goes on with the best of them from the states they have, and so to the last
 * stage. The scores of those that stay are the bits of a run without the cascade. Until a stage is decided, the states
 * of all its tokens wait on the device: hidden * 4 bytes for each token of every pair.
 *
 * @returns one row a pair: those scored last come first, best first, ties by index
 */
export async function runCascade(
  pairs: readonly Pair[],
  stages: readonly CascadeStage[],
  call: CallOptions,
): Promise<CascadeScore[]> {
  const { queue, signal, given, onProgress, compression } = call
  const { engine } = queue
  const { backbone, heads } = engine.model
  const last = stages.at(-1)?.layer as number
  let total = mostScored(stages, pairs.length)
  const tokens = new Array<number>(pairs.length)
  const truncated = new Array<boolean>(pairs.length)
  const reached = new Map<number, { score: number; layer: number }>()
  const kept = new Set<KeptTensor>()
  let waiting: Waiting[] = []
  let done = 0

  /** Runs sequences up to a layer, notes their scores, and leaves their states on the device unless it is the last. */
  async function advance(
    indices: readonly number[],
    batch: Batch,
    layer: number,
    stop: AbortSignal,
    startOf: (tape: Tape) => { layer: number; x: Tensor } | undefined = () => undefined,
  ): Promise<void> {
    const [scores] = (await engine.run((tape) => {
      const from = startOf(tape)
      for (const state of backbone.states(tape, batch, { from, to: last, compression })) {
        if (state.layer !== layer) continue
        const head = heads.get(layer) as Head
        const score = tape.scope([], () => head(tape, state, batch))
        if (layer < last) {
          const states = tape.keep(state.x)
          kept.add(states)
          waiting.push({ batch: state.batch, states, indices })
        }
        return [score]
      }
      return []
    }, stop)) as [Float32Array]
    indices.forEach((index, i) => {
      const score = scores[i] as number
      checkFinite([score], index, pairs, given)
      reached.set(index, { score, layer })
    })
    done += indices.length
    onProgress?.({ done, total })
  }

  /** Goes on with those of a batch that stay, from the states that they have after `from`. */
  async function goOn(
    { batch, states, indices }: Waiting,
    staying: ReadonlySet<number>,
    from: number,
    layer: number,
    stop: AbortSignal,
  ): Promise<void> {
    const here = indices.flatMap((index, at) => (staying.has(index) ? [at] : []))
    if (here.length > 0) {
      const { batch: rest, rows } = selectBatch(batch, here)
      const going = here.map((at) => indices[at] as number)
      await advance(going, rest, layer, stop, (tape) => {
        const selected = tape.upload(rows, [rows.length], 'u32')
        return { layer: from, x: gatherRows(tape, states.tensor, selected) }
      })
    }
    states.release()
    kept.delete(states)
  }

  try {
    await mapBatches(pairs, call, ({ first, inputs }, stop) => {
      inputs.forEach((input, i) => {
        tokens[first + i] = input.ids.length
        truncated[first + i] = input.truncated
      })
      const batch = packBatch(inputs, engine.sharePrefixes)
      const indices = inputs.map((_, i) => first + i)
      return advance(indices, batch, stages[0]?.layer as number, stop)
    })
    for (const [i, { layer }] of stages.entries()) {
      const before = stages[i - 1]
      if (!before) continue
      const staying = new Set(survivors(scoredAt(reached, before.layer), before as Survival))
      total = done + mostScored(stages.slice(i), staying.size)
      const groups = waiting
      waiting = []
      await runTasks(signal, passesAhead, async ({ stop, add }) => {
        for (const group of groups) {
          await add(() => goOn(group, staying, before.layer, layer, stop))
        }
      })
    }
  } finally {
    for (const states of kept) states.release()
  }
  return pairs
    .map((_, index) => ({
      index,
      ...(reached.get(index) as { score: number; layer: number }),
      tokens: tokens[index] as number,
      truncated: truncated[index] as boolean,
    }))
    .sort((a, b) => b.layer - a.layer || b.score - a.score || a.index - b.index)
}

/** How many scores stages give to so many pairs at most: a margin may let all of them go on. */
function mostScored(stages: readonly CascadeStage[], pairs: number): number {
  let left = pairs
  return stages.reduce((sum, { keep = left, margin }) => {
    const now = left
    if (margin === undefined) left = Math.min(left, keep)
    return sum + now
  }, 0)
}

/** The scores of the pairs that have come to a layer and no further. */
const scoredAt = (
  reached: ReadonlyMap<number, { score: number; layer: number }>,
  layer: number,
): { index: number; score: number }[] =>
  [...reached].flatMap(([index, at]) => (at.layer === layer ? { index, score: at.score } : []))
