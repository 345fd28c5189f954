import { describe, expect, it } from 'vitest'
import { type Batch, packBatch, type Sequence, selectBatch } from '../../src/models/batch.ts'
import { mergePassages } from '../../src/models/compression.ts'
import { positionsOf } from '../../src/models/rope.ts'

/** A sequence of `before`, passage and `after` tokens, numbered from `first`. */
function sequenceOf(before: number, passage: number, after: number, first = 100): Sequence {
  const ids = Uint32Array.from({ length: before + passage + after }, (_, i) => first + i)
  return { ids, passage: { start: before, end: before + passage } }
}

/** The rows of the old batch that each row of the merged one is the mean of, by sequence or shared prefix. */
function rowsOf(batch: Batch, ratio: number): number[][][] {
  const { batch: merged, starts, lengths } = mergePassages(batch, ratio)
  expect(merged.ids.length).toBe(starts.length)
  return merged.runs.map(({ start, length }) =>
    Array.from({ length }, (_, i) =>
      Array.from({ length: lengths[start + i]! }, (_, k) => starts[start + i]! + k),
    ),
  )
}

describe('mergePassages', () => {
  it.each([
    [2, 5, [[2, 3], [4, 5], [6]]],
    [4, 5, [[2, 3, 4, 5], [6]]],
    [8, 5, [[2, 3, 4, 5, 6]]],
    [8, 8, [[2, 3, 4, 5, 6, 7, 8, 9]]],
    [2, 1, [[2]]],
    [4, 0, []],
  ])('by %d makes of a passage of %d tokens these rows', (ratio, passage, expected) => {
    const end = 2 + passage
    expect(rowsOf(packBatch([sequenceOf(2, passage, 3)]), ratio)).toEqual([
      [[0], [1], ...expected, [end], [end + 1], [end + 2]],
    ])
  })

  it('keeps sequences apart, and those without a passage whole', () => {
    const batch = packBatch([
      sequenceOf(1, 3, 1),
      { ids: Uint32Array.of(7, 8) },
      sequenceOf(0, 3, 0),
    ])
    expect(rowsOf(batch, 2)).toEqual([
      [[0], [1, 2], [3], [4]],
      [[5], [6]],
      [[7, 8], [9]],
    ])
  })

  it('gives positions without a gap, and passages that can be merged again', () => {
    const once = mergePassages(packBatch([sequenceOf(2, 7, 2)]), 2)
    expect([...positionsOf(once.batch)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(once.batch.runs[0]!.passage).toEqual({ start: 2, end: 6 })
    expect([...once.batch.ids]).toEqual([100, 101, 102, 104, 106, 108, 109, 110])
    expect(rowsOf(once.batch, 4)).toEqual([[[0], [1], [2, 3, 4, 5], [6], [7]]])
  })

  it('leaves a shared prefix, which ends where passages begin', () => {
    const sequences = [10, 3, 9].map((passage) => sequenceOf(9, passage, 2))
    const batch = packBatch(sequences, true)
    expect(batch.runs.map(({ length }) => length)).toEqual([9, 12, 5, 11])
    const merged = mergePassages(batch, 4).batch
    expect(merged.runs.map(({ length }) => length)).toEqual([9, 5, 3, 5])
    expect(merged.ends.map(({ prefix }) => prefix)).toEqual(Array(3).fill(merged.runs[0]))
    expect([...positionsOf(merged)].slice(9)).toEqual([
      ...[9, 10, 11, 12, 13],
      ...[9, 10, 11],
      ...[9, 10, 11, 12, 13],
    ])
  })

  it('without a passage sequences share as much as is alike', () => {
    const sequences = [10, 3, 9].map((passage) => ({ ids: sequenceOf(9, passage, 2).ids }))
    expect(packBatch(sequences, true).runs[0]!.length).toBeGreaterThan(9)
  })

  it('goes on with some of the sequences as with these alone', () => {
    const sequences = [10, 3, 9, 6].map((passage) => sequenceOf(9, passage, 2))
    const all = mergePassages(packBatch(sequences, true), 2).batch
    const some = [sequences[1]!, sequences[3]!]
    const { batch } = selectBatch(all, [1, 3])
    expect(batch).toEqual(mergePassages(packBatch(some, true), 2).batch)
    expect(rowsOf(batch, 2)).toEqual(rowsOf(mergePassages(packBatch(some, true), 2).batch, 2))
  })
})
