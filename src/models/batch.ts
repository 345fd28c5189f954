import type { AttentionSpan } from '../tensor/attention.ts'

/** Tokens of a batch that follow one another in a sequence. */
export interface Run {
  /** Row of the first of them in the batch, and how many there are. */
  readonly start: number
  readonly length: number
  /** Where the first of them stands in its sequence: as many tokens as the prefix has. */
  readonly position: number
  /** The run before it, where sequences share one. */
  readonly prefix?: Run
}

/** Sequences of token ids, packed without padding. */
export interface Batch {
  readonly ids: Uint32Array<ArrayBuffer>
  /** All runs, in the order of their rows. */
  readonly runs: readonly Run[]
  /** The last run of each sequence, in the order of the sequences. */
  readonly ends: readonly Run[]
}

/** Shorter common beginnings are not worth a run of their own. */
const leastShared = 8

/**
 * Packs sequences into a batch. With `share`, neighbours that begin alike have these tokens once: for models in which
 * a token sees nothing after it, its states are the same in all of them.
 */
export function packBatch(sequences: readonly Uint32Array[], share = false): Batch {
  const groups = share
    ? groupsOfLike(sequences)
    : sequences.map((own) => ({ members: [own], common: 0 }))
  const pieces: Uint32Array[] = []
  const runs: Run[] = []
  const ends: Run[] = []
  let rows = 0
  const add = (tokens: Uint32Array, prefix?: Run): Run => {
    const place = { start: rows, length: tokens.length, position: prefix?.length ?? 0 }
    const run = prefix ? { ...place, prefix } : place
    pieces.push(tokens)
    runs.push(run)
    rows += tokens.length
    return run
  }
  for (const { members, common } of groups) {
    const [first] = members as [Uint32Array]
    const prefix = common > 0 ? add(first.subarray(0, common)) : undefined
    for (const sequence of members) ends.push(add(sequence.subarray(common), prefix))
  }
  const ids = new Uint32Array(rows)
  runs.forEach(({ start }, i) => {
    ids.set(pieces[i] as Uint32Array, start)
  })
  return { ids, runs, ends }
}

/** Neighbours by what they have in common; a group ends where the next would halve that. */
function groupsOfLike(
  sequences: readonly Uint32Array[],
): { members: Uint32Array[]; common: number }[] {
  const groups: { members: Uint32Array[]; common: number }[] = []
  for (const sequence of sequences) {
    const group = groups.at(-1)
    const [first] = group?.members ?? []
    if (group && first) {
      const shared = commonLength(
        first,
        sequence,
        group.members.length > 1 ? group.common : first.length - 1,
      )
      if (shared >= leastShared && (group.members.length === 1 || 2 * shared >= group.common)) {
        group.members.push(sequence)
        group.common = shared
        continue
      }
    }
    groups.push({ members: [sequence], common: 0 })
  }
  return groups
}

/** How many tokens two sequences have in common from the start; at least one of each is its own. */
function commonLength(a: Uint32Array, b: Uint32Array, most: number): number {
  const end = Math.min(most, b.length - 1)
  let at = 0
  while (at < end && a[at] === b[at]) at++
  return at
}

/** The attention of every token of a batch. */
export const allSpans = (batch: Batch): AttentionSpan[] =>
  batch.runs.map((run) => ({
    row: run.start,
    rows: run.length,
    ...keysOf(run),
    position: run.position,
  }))

/** The attention of one token of each sequence, in rows of their own: the first or the last of its run. */
export const scoredSpans = (batch: Batch, which: 'first' | 'last'): AttentionSpan[] =>
  batch.ends.map((run, row) => ({
    row,
    rows: 1,
    ...keysOf(run),
    position: run.position + (which === 'first' ? 0 : run.length - 1),
  }))

/** The rows of these tokens in the batch. */
export const scoredRows = (batch: Batch, which: 'first' | 'last'): Uint32Array<ArrayBuffer> =>
  Uint32Array.from(batch.ends, ({ start, length }) =>
    which === 'first' ? start : start + length - 1,
  )

function keysOf({ start, length, prefix }: Run): Pick<AttentionSpan, 'key' | 'keys' | 'prefix'> {
  const own = { key: start, keys: length }
  return prefix ? { ...own, prefix: { key: prefix.start, keys: prefix.length } } : own
}

/**
 * A batch of some of a batch's sequences, with the rows of the old one that its rows are: for states that go on
 * without the sequences that left.
 */
export function selectBatch(
  batch: Batch,
  sequences: readonly number[],
): { batch: Batch; rows: Uint32Array<ArrayBuffer> } {
  const ends = sequences.map((index) => batch.ends[index] as Run)
  const kept = new Set<Run>(ends.flatMap((run) => (run.prefix ? [run.prefix, run] : [run])))
  const moved = new Map<Run, Run>()
  const rows: number[] = []
  for (const run of batch.runs) {
    if (!kept.has(run)) continue
    const prefix = run.prefix && moved.get(run.prefix)
    const place = { start: rows.length, length: run.length, position: run.position }
    moved.set(run, prefix ? { ...place, prefix } : place)
    for (let i = 0; i < run.length; i++) rows.push(run.start + i)
  }
  const ids = Uint32Array.from(rows, (row) => batch.ids[row] as number)
  return {
    batch: { ids, runs: [...moved.values()], ends: ends.map((run) => moved.get(run) as Run) },
    rows: new Uint32Array(rows),
  }
}
