import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import type { Gpu } from '../../src/gpu/device.ts'
import { Engine } from '../../src/inference/engine.ts'
import { ScoreQueue, type ScoreRequest } from '../../src/inference/queue.ts'
import type { Batch } from '../../src/models/batch.ts'
import type { Model } from '../../src/models/model.ts'

// The queue over an engine without a device. test/inference/queue.test.ts has the scores of a model.

/** A model whose score of a sequence is its first id plus a tenth of the layer. */
const score = (_: unknown, { layer }: { layer: number }, { ids, ends }: Batch) =>
  ends.map(({ start }) => ids[start]! + layer / 10)
const model = {
  backbone: {
    layers: 6,
    *states() {
      for (let layer = 1; layer <= 6; layer++) yield { layer }
    },
  },
  heads: new Map([2, 4, 6].map((layer) => [layer, score])),
} as unknown as Model

/** A queue, what its batches began with, and a function that lets the pass that runs longest end, or fail. */
function opened(maxBatchTokens = 12) {
  const gpu = { whileOpen: (work: Promise<unknown>) => work } as Gpu
  const engine = new Engine(gpu, model, 'f32', false)
  const batches: number[][] = []
  const running: ((fault?: Error) => void)[] = []
  engine.pass = (record) => {
    const layers = record({ scope: (_: unknown, run: () => unknown) => run() } as never)
    const scores = layers.map((layer) => Float32Array.from(layer as never as number[]))
    batches.push([...scores[0]!].map(Math.floor))
    return new Promise((resolve, reject) => {
      running.push((fault) => (fault ? reject(fault) : resolve(scores)))
    })
  }
  const pass = async (fault?: Error) => {
    running.shift()?.(fault)
    await new Promise(setImmediate)
  }
  const queue = new ScoreQueue(engine, maxBatchTokens)
  return { queue, engine, batches, pass }
}

/** Sequences that begin with `first`, `first + 1` and so on. */
const some = (first: number, count: number, tokens = 2) =>
  Array.from({ length: count }, (_, i) => ({ ids: new Uint32Array(tokens).fill(first + i) }))

/** Scores of a call as they come, and how it ends: undefined while it has not. */
function call(queue: ScoreQueue, request: Omit<ScoreRequest, 'take'> & Partial<ScoreRequest>) {
  const seen: { scores: number[][]; end?: string } = { scores: [] }
  const take: ScoreRequest['take'] = (first, layers) => {
    for (const [i, layer] of layers.entries()) {
      if (layer.length === 0) throw new Error('nothing to take')
      for (const [j, score] of layer.entries()) {
        seen.scores[i] ??= []
        seen.scores[i][first + j] = Math.round(10 * score) / 10
      }
    }
  }
  queue.score({ take, ...request }).then(
    () => {
      seen.end = 'done'
    },
    ({ message }) => {
      seen.end = message
    },
  )
  return seen
}

describe('a batch', () => {
  it('has a like share of each call, then what still fits; a call has its own scores', async () => {
    const { queue, batches, pass } = opened()
    const calls = [some(100, 11), some(200, 2), some(300, 1)].map((sequences) =>
      call(queue, { sequences, layers: [6, 2] }),
    )
    for (let i = 0; i < 4; i++) await pass()
    expect(batches).toEqual([
      [100, 101, 102, 200, 201, 300],
      [103, 104, 105, 106, 107, 108],
      [109, 110],
    ])
    expect(calls.map(({ end }) => end)).toEqual(['done', 'done', 'done'])
    expect(calls[1]!.scores).toEqual([
      [200.6, 201.6],
      [200.2, 201.2],
    ])
    expect(calls[0]!.scores[1]).toEqual(Array.from({ length: 11 }, (_, i) => 100.2 + i))
  })

  it('has one sequence where that is longer than a batch', async () => {
    const { queue, batches, pass } = opened()
    call(queue, { sequences: [...some(1, 2, 50), ...some(3, 3, 6), ...some(6, 1, 5)] })
    for (let i = 0; i < 5; i++) await pass()
    expect(batches).toEqual([[1], [2], [3, 4], [5, 6]])
    batches.length = 0
    const calls = [some(7, 1, 50), some(8, 1)].map((sequences) => call(queue, { sequences }))
    for (let i = 0; i < 3; i++) await pass()
    expect(batches).toEqual([[7], [8]])
    expect(calls.map(({ end }) => end)).toEqual(['done', 'done'])
  })

  it('has no sequence that is longer than what is left of it', async () => {
    const { queue, batches, pass } = opened()
    call(queue, { sequences: some(1, 3, 5) })
    call(queue, { sequences: some(9, 1, 6) })
    for (let i = 0; i < 4; i++) await pass()
    expect(batches).toEqual([
      [1, 9],
      [2, 3],
    ])
  })

  it('has calls of the same layers alone; the others come next', async () => {
    const { queue, batches, pass } = opened()
    call(queue, { sequences: some(10, 12), layers: [6] })
    call(queue, { sequences: some(30, 12), layers: [4] })
    call(queue, { sequences: some(50, 3) })
    for (let i = 0; i < 6; i++) await pass()
    expect(batches.map(([first]) => first)).toEqual([10, 30, 50, 16, 36])
  })

  it('waits for its turn, and passes it on', async () => {
    const { queue, engine, batches, pass } = opened()
    const turn = vi.spyOn(engine, 'turn')
    call(queue, { sequences: some(0, 60) })
    await new Promise(setImmediate)
    expect(batches).toHaveLength(2)
    for (let i = 3; i <= 10; i++) {
      await pass()
      expect(batches).toHaveLength(i)
    }
    // One at a time.
    for (let i = 0; i < 3; i++) call(queue, { sequences: some(i, 1) })
    for (let i = 0; i < 3; i++) await pass()
    expect(batches).toHaveLength(11)
    expect(turn).toHaveBeenCalledTimes(11)
  })
})

describe('a call', () => {
  it('without sequences is done, and one that is aborted before draws none', async () => {
    const { queue, batches } = opened()
    const empty = call(queue, { sequences: [] })
    const late = call(queue, {
      sequences: {
        [Symbol.iterator]: () => {
          throw new Error('drawn')
        },
      },
      signal: AbortSignal.abort(new Error('too late')),
    })
    await new Promise(setImmediate)
    expect([empty.end, late.end, batches]).toEqual(['done', 'too late', []])
  })

  it('settles when none of its sequences is on the device, with its first fault', async () => {
    const { queue, pass } = opened()
    const stop = new AbortController()
    const own = call(queue, { sequences: some(0, 60), signal: stop.signal })
    await new Promise(setImmediate)
    stop.abort(new Error('enough'))
    await pass(new Error('lost'))
    expect(own.end).toBeUndefined()
    await pass()
    expect(own).toEqual({ scores: [], end: 'enough' })
    const next = call(queue, { sequences: some(0, 1) })
    await new Promise(setImmediate)
    await pass()
    expect(next.end).toBe('done')
  })

  it('that is aborted in the line, again and again, takes no turn along', async () => {
    const { queue, batches, pass } = opened()
    for (let i = 0; i < 5; i++) {
      const stop = new AbortController()
      const own = call(queue, { sequences: some(i, 1), signal: stop.signal })
      stop.abort(new Error('enough'))
      await new Promise(setImmediate)
      expect(own.end).toBe('enough')
    }
    const last = call(queue, { sequences: some(7, 1) })
    await new Promise(setImmediate)
    await pass()
    expect(batches).toEqual([[7]])
    expect(last.end).toBe('done')
  })

  it('leaves no listener on its signal, however it ends', async () => {
    const { queue, pass } = opened()
    const signals = Array.from({ length: 3 }, () => new AbortController().signal)
    const calls = signals.map((signal, i) =>
      call(queue, {
        sequences: some(i, i),
        signal,
        ...(i === 2 && {
          take: () => {
            throw new Error('not taken')
          },
        }),
      }),
    )
    await new Promise(setImmediate)
    await pass()
    expect(calls.map(({ end }) => end)).toEqual(['done', 'done', 'not taken'])
    for (const signal of signals) expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('whose drawing throws ends with that; of the batch that was being made it has nothing', async () => {
    const { queue, batches, pass } = opened()
    const faulty = (count: number) =>
      (function* () {
        yield* some(50, count)
        throw new Error('bad pair')
      })()
    const soon = call(queue, { sequences: faulty(0) })
    const first = call(queue, { sequences: faulty(2) })
    const other = call(queue, { sequences: some(0, 1) })
    await new Promise(setImmediate)
    expect([soon.end, first.end, batches]).toEqual(['bad pair', 'bad pair', [[0]]])
    await pass()
    expect(other.end).toBe('done')
    const later = call(queue, { sequences: faulty(7) })
    await new Promise(setImmediate)
    expect([batches.at(-1)!.length, later.end]).toEqual([6, undefined])
    await pass()
    expect(later.end).toBe('bad pair')
  })

  it('ends with the fault of its pass, and leaves the others as they are', async () => {
    const { queue, pass } = opened()
    const calls = [some(0, 3), some(10, 3), some(20, 20)].map((sequences) =>
      call(queue, { sequences }),
    )
    await new Promise(setImmediate)
    const later = call(queue, { sequences: some(40, 1), layers: [4] })
    await pass(new Error('lost'))
    for (let i = 0; i < 6; i++) await pass()
    expect(calls.map(({ end }) => end)).toEqual(['lost', 'lost', 'lost'])
    expect(later).toEqual({ scores: [[40.4]], end: 'done' })
  })

  it('ends with the fault of the wait for a turn; the next is served', async () => {
    const { queue, engine, pass } = opened()
    const { turn } = engine
    engine.turn = async () => {
      throw new Error('device lost')
    }
    const calls = [0, 1].map((i) => call(queue, { sequences: some(i, 2) }))
    await new Promise(setImmediate)
    expect(calls.map(({ end }) => end)).toEqual(['device lost', 'device lost'])
    engine.turn = turn
    const next = call(queue, { sequences: some(5, 1) })
    await new Promise(setImmediate)
    await pass()
    expect(next).toEqual({ scores: [[5.6]], end: 'done' })
  })
})
