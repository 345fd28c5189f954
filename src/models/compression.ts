import type { Batch, Run } from './batch.ts'

/** Passages of which neighbouring tokens are merged on the way through the layers, so that later layers have less to do. */
export interface Compression {
  /** How many tokens become one. */
  readonly ratio: number
  /** After how many layers: at each of them what is left is merged again. */
  readonly layers: readonly number[]
}

/** A batch with merged passages, and the rows of the old one that each of its rows is the mean of. */
export interface MergedBatch {
  readonly batch: Batch
  readonly starts: Uint32Array<ArrayBuffer>
  readonly lengths: Uint32Array<ArrayBuffer>
}

/**
 * Makes one row of every `ratio` of a passage, from its first token on, and of those that are left over; what stands before
 * and after a passage stays (`token_compress` of FlagEmbedding). Positions count on without a gap. A merged row has the id
 * of its first token.
 */
export function mergePassages(batch: Batch, ratio: number): MergedBatch {
  const starts: number[] = []
  const lengths: number[] = []
  const moved = new Map<Run, Run>()
  for (const run of batch.runs) {
    const first = starts.length
    const end = run.position + run.length
    const passage = run.passage ?? { start: end, end }
    for (let at = run.position; at < end; ) {
      const isMerged = at >= passage.start && at < passage.end
      const length = isMerged ? Math.min(ratio, passage.end - at) : 1
      starts.push(run.start + at - run.position)
      lengths.push(length)
      at += length
    }
    const merged = Math.ceil((passage.end - passage.start) / ratio)
    moved.set(run, {
      start: first,
      length: starts.length - first,
      position: run.position,
      ...(run.prefix && { prefix: moved.get(run.prefix) as Run }),
      ...(run.passage && { passage: { start: passage.start, end: passage.start + merged } }),
    })
  }
  const of = (numbers: Uint32Array) => Uint32Array.from(starts, (row) => numbers[row] as number)
  return {
    batch: {
      ids: of(batch.ids),
      types: of(batch.types),
      runs: [...moved.values()],
      ends: batch.ends.map((run) => moved.get(run) as Run),
    },
    starts: Uint32Array.from(starts),
    lengths: Uint32Array.from(lengths),
  }
}
