import { type Batch, packBatch, selectBatch } from '../models/batch.ts'
import type { MiniCpm } from '../models/minicpm.ts'
import { gatherRows } from '../tensor/gather_rows.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { RerankerError } from './errors.ts'
import { checkCount, type ScoreProgress, show } from './options.ts'
import { abortable, type BatchOptions, checkFinite, mapBatches, type Pair } from './scoring.ts'

/** One step of a cascade: the layer at which passages are scored, and how many of the best go on. */
export interface CascadeStage {
  readonly layer: number
  /** Left out in the last stage: all that came so far have its score. */
  readonly keep?: number | undefined
}

/** A pair's last score, and where it was given. */
export interface CascadeScore {
  readonly index: number
  readonly score: number
  readonly layer: number
  readonly tokens: number
  readonly truncated: boolean
}

/** Sequences of one batch with their states after a layer, which wait on the device for the next stage. */
interface Waiting {
  readonly batch: Batch
  readonly x: Tensor
  /** The pair of each sequence. */
  readonly indices: readonly number[]
}

/** Checks the stages of a cascade against the layers that have a score. */
export function checkCascade(stages: readonly CascadeStage[], layers: readonly number[]): void {
  if (!Array.isArray(stages) || stages.length === 0) {
    throw new RerankerError(
      'option-invalid',
      `cascade: found ${show(stages)}; expected a list of { layer, keep }`,
    )
  }
  stages.forEach(({ layer, keep }, i) => {
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
    if (i + 1 < stages.length || keep !== undefined) checkCount(`cascade[${i}].keep`, keep)
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
  model: MiniCpm,
  pairs: readonly Pair[],
  stages: readonly CascadeStage[],
  options: BatchOptions,
  onProgress: ((progress: ScoreProgress) => void) | undefined,
): Promise<CascadeScore[]> {
  const { engine, signal } = options
  const last = stages.at(-1)?.layer as number
  const counts = stages.map((_, i) => Math.min(pairs.length, stages[i - 1]?.keep ?? pairs.length))
  const total = counts.reduce((sum, count) => sum + count, 0)
  const tokens = new Array<number>(pairs.length)
  const truncated = new Array<boolean>(pairs.length)
  const reached = new Map<number, { score: number; layer: number }>()
  const waiting = new Set<Waiting>()
  let done = 0

  /** Runs sequences up to a layer, notes their scores, and leaves their states on the device unless it is the last. */
  async function advance(
    indices: readonly number[],
    batch: Batch,
    layer: number,
    from: { layer: number; x: Tensor; rows: Uint32Array<ArrayBuffer> } | undefined,
    stop: AbortSignal | undefined,
  ): Promise<void> {
    let kept: Tensor | undefined
    const [scores] = (await engine.run((tape) => {
      let start: { layer: number; x: Tensor } | undefined
      if (from) {
        tape.adopt(from.x)
        const rows = tape.upload(from.rows, [from.rows.length], 'u32')
        start = { layer: from.layer, x: tape.step([from.x], () => gatherRows(tape, from.x, rows)) }
      }
      for (const { layer: at, x } of model.decoder.states(tape, batch, last, start)) {
        if (at !== layer) continue
        const score = model.score(tape, batch, layer, x, layer === last)
        if (layer < last) {
          tape.keep(x)
          kept = x
        }
        return [score]
      }
      return []
    }, stop)) as [Float32Array]
    if (kept) waiting.add({ batch, x: kept, indices })
    indices.forEach((index, i) => {
      const score = scores[i] as number
      checkFinite([score], index, pairs)
      reached.set(index, { score, layer })
    })
    done += indices.length
    onProgress?.({ done, total })
  }

  async function runStages(): Promise<void> {
    const first = stages[0]?.layer as number
    await mapBatches(pairs, options, async ({ first: start, inputs }, stop) => {
      inputs.forEach((input, i) => {
        tokens[start + i] = input.ids.length
        truncated[start + i] = input.truncated
      })
      const batch = packBatch(
        inputs.map(({ ids }) => ids),
        engine.sharePrefixes,
      )
      await advance(
        inputs.map((_, i) => start + i),
        batch,
        first,
        undefined,
        stop,
      )
    })
    for (const [i, { layer }] of stages.entries()) {
      const before = stages[i - 1]
      if (!before) continue
      const staying = new Set(best(reached, before.layer, before.keep as number))
      for (const group of [...waiting]) {
        const { batch, x, indices } = group
        const here = indices.flatMap((index, at) => (staying.has(index) ? [at] : []))
        waiting.delete(group)
        if (here.length === 0) {
          engine.gpu.memory.give(x.block, 'activation')
          continue
        }
        const { batch: rest, rows } = selectBatch(batch, here)
        const going = here.map((at) => indices[at] as number)
        await advance(going, rest, layer, { layer: before.layer, x, rows }, signal)
      }
    }
  }

  try {
    await abortable(runStages, signal)
  } finally {
    for (const { x } of waiting) engine.gpu.memory.give(x.block, 'activation')
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

/** The pairs that go on after a layer: the best so many of those scored there, ties by index. */
function best(
  reached: ReadonlyMap<number, { score: number; layer: number }>,
  layer: number,
  keep: number,
): number[] {
  return [...reached]
    .filter(([, at]) => at.layer === layer)
    .sort(([a, { score: x }], [b, { score: y }]) => y - x || a - b)
    .slice(0, keep)
    .map(([index]) => index)
}
