import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ScoreQueue, type ScoreRequest } from '../../src/inference/queue.ts'
import type { Sequence } from '../../src/models/batch.ts'
import type { RecordTape } from '../../src/tensor/tape.ts'
import { casesOf, openModel } from '../models/open-model.ts'

const name = 'minicpm-layerwise'

describe('calls that share batches', () => {
  let model: Awaited<ReturnType<typeof openModel>>
  let expected: Float32Array[]
  const sequences = casesOf(name).slice(0, 40)
  beforeAll(async () => {
    model = await openModel(name)
    expected = await model.score(sequences)
  })
  afterAll(() => model.dispose())

  /** A queue, and the passes that it has made. */
  function counted(maxBatchTokens: number) {
    const { engine } = model
    const seen = { passes: 0 }
    const counting = Object.create(engine, {
      turn: { value: engine.turn.bind(engine) },
      pass: {
        value: (record: (tape: RecordTape) => never) => {
          seen.passes++
          return engine.pass(record as never)
        },
      },
    })
    return { queue: new ScoreQueue(counting, maxBatchTokens), seen }
  }

  /** Scores sequences, and gives those of the last layer and the order in which they came. */
  async function scored(
    queue: ScoreQueue,
    own: readonly Sequence[],
    more: Partial<ScoreRequest> = {},
  ) {
    const scores: number[] = []
    await queue.score({
      sequences: own,
      layers: [6],
      take: (first, [layer]) => {
        for (const [i, score] of layer!.entries()) scores[first + i] = score
      },
      ...more,
    })
    return scores
  }
  const last = (from: number, to: number) => Array.from(expected.at(-1)!.subarray(from, to))

  it('are scored in one pass where they fit, with the same bits', async () => {
    const { queue, seen } = counted(4000)
    const found = await Promise.all(
      Array.from({ length: 10 }, (_, i) => scored(queue, sequences.slice(4 * i, 4 * i + 4))),
    )
    for (const [i, scores] of found.entries()) expect(scores).toEqual(last(4 * i, 4 * i + 4))
    const tokens = sequences.reduce((sum, { ids }) => sum + ids.length, 0)
    expect(seen.passes).toBe(Math.ceil(tokens / 4000))
  })

  it('a short one does not wait for the end of a long one', async () => {
    const { queue } = counted(300)
    const order: string[] = []
    const long = Array.from({ length: 10 }, () => sequences.slice(0, 8)).flat()
    await Promise.all([
      scored(queue, long).then(() => order.push('long')),
      scored(queue, sequences.slice(0, 3)).then((found) => {
        order.push('short')
        expect(found).toEqual(last(0, 3))
      }),
    ])
    expect(order).toEqual(['short', 'long'])
  })

  it('many short ones do not wait for a long one that came before them', async () => {
    // A like share of a batch is less than one sequence.
    const { queue } = counted(100)
    const taken = { long: 0 }
    const count = (_: number, [layer]: readonly Float32Array[]) => {
      taken.long += layer!.length
    }
    const long = Array.from({ length: 3 }, () => sequences).flat()
    const waiting = scored(queue, long, { take: count })
    const shorts = Array.from({ length: 10 }, (_, i) => sequences.slice(i, i + 2))
    const found = await Promise.all(shorts.map((own) => scored(queue, own)))
    expect(taken.long).toBeLessThan(long.length / 2)
    for (const [i, scores] of found.entries()) expect(scores).toEqual(last(i, i + 2))
    await waiting
    expect(taken.long).toBe(long.length)
  })

  it('with other layers have batches of their own', async () => {
    const { queue, seen } = counted(4000)
    const [six, two] = await Promise.all([
      scored(queue, sequences.slice(0, 5)),
      scored(queue, sequences.slice(0, 5), { layers: [2] }),
    ])
    expect(seen.passes).toBe(2)
    expect(six).toEqual(last(0, 5))
    expect(two).toEqual(Array.from(expected[0]!.subarray(0, 5)))
  })

  it('a fault or an abort of one leaves the others as they are', async () => {
    const { queue } = counted(300)
    const stop = new AbortController()
    function* faulty() {
      yield* sequences.slice(0, 7)
      throw new Error('bad pair')
    }
    const results = await Promise.allSettled([
      scored(queue, sequences),
      scored(queue, [], { sequences: faulty() }),
      scored(queue, sequences, {
        take: () => {
          throw new Error('not taken')
        },
      }),
      scored(queue, sequences, {
        signal: stop.signal,
        take: () => stop.abort(new Error('enough')),
      }),
      scored(queue, sequences.slice(0, 3), { signal: AbortSignal.abort(new Error('too late')) }),
      scored(queue, []),
    ])
    expect(
      results.map((one) => (one.status === 'fulfilled' ? 'done' : one.reason.message)),
    ).toEqual(['done', 'bad pair', 'not taken', 'enough', 'too late', 'done'])
    expect(results[0]).toMatchObject({ value: last(0, 40) })
    expect(await scored(queue, sequences.slice(0, 3))).toEqual(last(0, 3))
  })
})
