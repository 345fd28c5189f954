import type { AttentionSpan } from '../tensor/attention.ts'
import { ModelError } from './errors.ts'

/** Tokens of a batch that follow one another in a sequence. */
export interface Run {
  /** Row of the first of them in the batch, and how many there are. */
  readonly start: number
  readonly length: number
  /** Where the first of them stands in its sequence: as many tokens as the prefix has. */
  readonly position: number
  /** The run before it, where sequences share one. */
  readonly prefix?: Run
  /** The passage in it, by positions in the sequence. */
  readonly passage?: Stretch
  /** The texts of its sequence, by positions in the sequence. */
  readonly texts?: PairTexts
}

/** Tokens from one position of a sequence up to another. */
export interface Stretch {
  readonly start: number
  readonly end: number
}

/** Where the texts of a pair stand in its sequence, without special tokens. */
export interface PairTexts {
  readonly query: Stretch
  readonly passage: Stretch
}

/** What a model is fed of one input. */
export interface Sequence {
  readonly ids: Uint32Array
  /** The token type of each id, where the model has several; left out, all are 0. */
  readonly types?: Uint8Array | undefined
  /** The passage, where its tokens are to be merged: it is then in no prefix that sequences share. */
  readonly passage?: Stretch | undefined
  /** Where the texts are, in pairs for encoders. */
  readonly texts?: PairTexts | undefined
}

/** Sequences of tokens, packed without padding. */
export interface Batch {
  readonly ids: Uint32Array<ArrayBuffer>
  /** Token types, 0 where nothing else was said. */
  readonly types: Uint32Array<ArrayBuffer>
  /** All runs, in the order of their rows. */
  readonly runs: readonly Run[]
  /** The last run of each sequence, in the order of the sequences. */
  readonly ends: readonly Run[]
}

/** A pair of so many tokens without meaning, for what depends on lengths alone. */
export const emptyPair = (length: number): Sequence => ({
  ids: new Uint32Array(length),
  texts: { query: { start: 0, end: 0 }, passage: { start: 0, end: length } },
})

/** Shorter common beginnings are not worth a run of their own. */
const leastShared = 8

/**
 * Packs sequences into a batch. With `share`, neighbours that begin alike have these tokens once (prefix caching): in a
 * causal model their states are the same in all of them.
 */
export function packBatch(sequences: readonly Sequence[], share = false): Batch {
  const groups = share
    ? groupsOfLike(sequences)
    : sequences.map((own) => ({ members: [own], common: 0 }))
  const pieces: Sequence[] = []
  const runs: Run[] = []
  const ends: Run[] = []
  let rows = 0
  const add = (sequence: Sequence, from: number, to: number, prefix?: Run): Run => {
    const run: Run = {
      start: rows,
      length: to - from,
      position: from,
      ...(prefix && { prefix }),
      ...(sequence.passage && to > sequence.passage.start && { passage: sequence.passage }),
      ...(sequence.texts && { texts: sequence.texts }),
    }
    pieces.push({ ids: sequence.ids.subarray(from, to), types: sequence.types?.subarray(from, to) })
    runs.push(run)
    rows += run.length
    return run
  }
  for (const { members, common } of groups) {
    const [first] = members as [Sequence]
    const prefix = common > 0 ? add(first, 0, common) : undefined
    for (const sequence of members) ends.push(add(sequence, common, sequence.ids.length, prefix))
  }
  const ids = new Uint32Array(rows)
  const types = new Uint32Array(rows)
  runs.forEach(({ start }, i) => {
    const piece = pieces[i] as Sequence
    ids.set(piece.ids, start)
    if (piece.types) types.set(piece.types, start)
  })
  return { ids, types, runs, ends }
}

/** Neighbours by what they have in common; a group ends where the next would halve that. */
function groupsOfLike(sequences: readonly Sequence[]): { members: Sequence[]; common: number }[] {
  const groups: { members: Sequence[]; common: number }[] = []
  for (const sequence of sequences) {
    const group = groups.at(-1)
    const [first] = group?.members ?? []
    if (group && first) {
      const shared = commonLength(
        first,
        sequence,
        group.members.length > 1 ? group.common : first.ids.length - 1,
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
function commonLength(a: Sequence, b: Sequence, most: number): number {
  const ends = [a, b].map(({ passage }) => passage?.start ?? most)
  const end = Math.min(most, b.ids.length - 1, ...ends)
  const isSame = (at: number) => a.ids[at] === b.ids[at] && a.types?.[at] === b.types?.[at]
  let at = 0
  while (at < end && isSame(at)) at++
  return at
}

/** Throws unless every number is a row of a table: on the device a read outside of it gives a plausible wrong score. */
export function checkIds(what: string, ids: Uint32Array, rows: number): void {
  const wrong = ids.find((id) => id >= rows)
  if (wrong === undefined) return
  throw new ModelError('token-out-of-range', `${what} ${wrong}; the model's table has ${rows} rows`)
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
    moved.set(run, { ...run, start: rows.length, ...(prefix && { prefix }) })
    for (let i = 0; i < run.length; i++) rows.push(run.start + i)
  }
  const of = (numbers: Uint32Array) => Uint32Array.from(rows, (row) => numbers[row] as number)
  return {
    batch: {
      ids: of(batch.ids),
      types: of(batch.types),
      runs: [...moved.values()],
      ends: ends.map((run) => moved.get(run) as Run),
    },
    rows: new Uint32Array(rows),
  }
}
