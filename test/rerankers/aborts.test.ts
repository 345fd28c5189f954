import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Memory } from '../../src/gpu/memory.ts'
import { blobFolder, type Folder } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { LayerWiseFlagLLMReranker } from '../../src/rerankers/index.ts'
import { watched } from '../checkpoint/folders.ts'
import { countBuffers, fixtureFolder, openDevice, readFixtures, seeded } from '../fixtures.ts'

const name = 'minicpm-layerwise'
const query = 'what is panda?'
// Short texts, a short prompt and small batches: as many batches for less arithmetic. Some passages occur twice: their scores tie.
const passages = readFixtures(name)
  .cases.filter(({ passage }) => passage.length < 60)
  .slice(0, 13)
  .flatMap(({ passage }, i) => (i % 4 === 0 ? [passage, passage] : [passage]))
const pairs = passages.map((passage): [string, string] => [query, passage])
const cascade = [{ layer: 2, keep: 8 }, { layer: 4, keep: 4 }, { layer: 6 }]
const loadOptions = { maxBatchTokens: 100, prompt: '?' } as const

type Options = { signal?: AbortSignal; onProgress?: () => void }
type Call = (reranker: LayerWiseFlagLLMReranker, options?: Options) => Promise<unknown>

/** What is called, over some of the pairs: slices of three lengths, so that batches differ. */
const calls: readonly Call[] = [16, 9, 3].flatMap((count): Call[] => [
  (reranker, options) => reranker.computeScore(pairs.slice(0, count), options),
  (reranker, options) => reranker.rank(query, passages.slice(0, count), options),
  (reranker, options) => reranker.rank(query, passages.slice(0, count), { ...options, cascade }),
  (reranker, options) =>
    reranker.computeScore(pairs.slice(0, count), { ...options, cutoffLayers: 'all' }),
  (reranker, options) => reranker.hiddenStates(pairs.slice(0, count), [0, 3, 6], options),
])

/** Aborts at a point that `random` chooses: before the call, after some turns of the event loop, or at some progress. */
function aborted(call: Call, reranker: LayerWiseFlagLLMReranker, random: () => number) {
  const stop = new AbortController()
  const abort = () => stop.abort(new Error('enough'))
  const { signal } = stop
  const way = random()
  if (way < 0.1) abort()
  else if (way < 0.5) setTimeout(abort, 20 * random() ** 2)
  let left = way < 0.5 ? Number.POSITIVE_INFINITY : Math.floor(4 * random())
  const onProgress = () => {
    if (left-- === 0) abort()
  }
  return call(reranker, { signal, onProgress })
}

describe('calls that are aborted', () => {
  let device: GPUDevice
  let alive: { buffers: number; bytes: number }
  beforeAll(async () => {
    device = await openDevice()
    alive = countBuffers(device)
  })
  afterAll(() => device.destroy())

  const load = () => LayerWiseFlagLLMReranker.load(fixtureFolder(name), { ...loadOptions, device })

  async function answers(reranker: LayerWiseFlagLLMReranker): Promise<unknown[]> {
    const found: unknown[] = []
    for (const call of calls) found.push(await call(reranker))
    return found
  }

  it('leave no trace: 300 random calls, half of them aborted', async () => {
    const random = seeded(12)
    const fresh = await load()
    const expected = await answers(fresh)
    fresh.dispose()
    expect(alive).toEqual({ buffers: 0, bytes: 0 })
    const reranker = await load()
    await answers(reranker)
    const acquire = vi.spyOn(Memory.prototype, 'acquire')
    // More at a time than there will be: concurrent calls share batches, and the arena grows with the largest.
    for (let i = 0; i < 2; i++) await Promise.all(calls.map((call) => call(reranker)))
    const before = { ...alive }
    const counts = { completed: 0, aborted: 0 }
    const running = new Set<Promise<void>>()
    for (let i = 0; i < 300; i++) {
      const which = Math.floor(calls.length * random())
      const call = calls[which] as Call
      const promise = random() < 0.5 ? aborted(call, reranker, random) : call(reranker)
      const done = promise.then(
        (answer) => {
          counts.completed++
          expect(answer, `call ${i} of kind ${which}`).toEqual(expected[which])
        },
        (error) => {
          counts.aborted++
          expect(error).toMatchObject({ message: 'enough' })
        },
      )
      running.add(done)
      done.finally(() => running.delete(done)).catch(() => {})
      // One to four calls at a time.
      if (running.size > 3 * random()) await Promise.race(running)
    }
    await Promise.all(running)
    expect(counts.aborted).toBeGreaterThan(50)
    expect(counts.completed).toBeGreaterThan(100)
    expect(await answers(reranker)).toEqual(expected)
    const [memory] = acquire.mock.contexts as Memory[]
    expect(memory?.acquired).toBe(0)
    // Passes may overlap as none did before, and need a few more blocks; a leak would cost one for each of many aborts.
    expect(alive.buffers).toBeLessThan(before.buffers + 10)
    expect(reranker.info.memory).toMatchObject(alive)
    reranker.dispose()
    acquire.mockRestore()
    expect(alive).toEqual({ buffers: 0, bytes: 0 })
  })

  it('leave nothing behind where the reranker is disposed of meanwhile', async () => {
    const random = seeded(7)
    const uncaptured: string[] = []
    device.addEventListener('uncapturederror', ({ error }) => uncaptured.push(error.message))
    const fresh = await load()
    const expected = await answers(fresh)
    fresh.dispose()
    for (let i = 0; i < 30; i++) {
      const reranker = await load()
      const some = calls.toSorted(() => random() - 0.5).slice(0, 4)
      const running = some.map((call) =>
        random() < 0.5 ? aborted(call, reranker, random) : call(reranker),
      )
      const settled = Promise.allSettled(running)
      if (random() < 0.8) await new Promise((done) => setTimeout(done, 20 * random()))
      reranker.dispose()
      for (const [at, result] of (await settled).entries()) {
        if (result.status === 'fulfilled') {
          expect(result.value).toEqual(expected[calls.indexOf(some[at] as Call)])
        } else {
          expect(['disposed', undefined]).toContain(result.reason.code)
          if (result.reason.code === undefined) expect(result.reason.message).toBe('enough')
        }
      }
      expect(alive).toEqual({ buffers: 0, bytes: 0 })
    }
    expect(uncaptured).toEqual([])
  })

  it('leave the next call as it was: a cascade between its stages', async () => {
    const reranker = await load()
    const expected = await reranker.computeScore(pairs)
    await reranker.rank(query, passages, { cascade })
    const stops = [1, 2, 3, 4, 5, 6, 7]
    const abortAt = async (at: number) => {
      const stop = new AbortController()
      let seen = 0
      const call = reranker.rank(query, passages, {
        cascade,
        signal: stop.signal,
        onProgress: () => {
          if (++seen === at) stop.abort(new Error('enough'))
        },
      })
      await expect(call).rejects.toThrow('enough')
    }
    // Passes may overlap as none did before, and need another block of the arena, once.
    for (const at of stops) await abortAt(at)
    const before = { ...alive }
    for (const at of stops) {
      await abortAt(at)
      expect(alive, `aborted at progress ${at}`).toEqual(before)
    }
    expect(await reranker.computeScore(pairs)).toEqual(expected)
    reranker.dispose()
  })

  it('settle only when their work has stopped, and leave the line of those that wait', async () => {
    const reranker = await load()
    const expected = await reranker.computeScore(pairs)
    const first = Promise.all(Array.from({ length: 6 }, () => reranker.computeScore(pairs)))
    const stop = new AbortController()
    const waiting = reranker.rank(query, passages, { cascade, signal: stop.signal })
    let settled = false
    first.then(() => {
      settled = true
    })
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(settled, 'it does not wait for the calls before it').toBe(false)
    expect((await first).at(-1)).toEqual(expected)
    reranker.dispose()
  })
})

describe('loads that are aborted', () => {
  it('close every file and free every buffer before they reject', async () => {
    const random = seeded(3)
    const device = await openDevice()
    const alive = countBuffers(device)
    const whole = await openFolder(fixtureFolder(name))
    for (let i = 0; i < 24; i++) {
      const folder = watched(whole, 1)
      const stop = new AbortController()
      const abort = () => stop.abort(new Error('enough'))
      const at = random()
      if (i % 2 === 0) setTimeout(abort, 60 * random())
      const load = LayerWiseFlagLLMReranker.load(folder, {
        device,
        signal: stop.signal,
        onProgress: ({ done, total }) => {
          if (i % 2 === 1 && done >= at * total) abort()
        },
      })
      const reranker = await load.catch((error) => {
        expect(error).toMatchObject({ message: 'enough' })
      })
      reranker?.dispose()
      expect(folder, `load ${i}`).toMatchObject({ nowOpen: 0, nowRead: 0 })
      expect(alive, `load ${i}`).toEqual({ buffers: 0, bytes: 0 })
    }
    device.destroy()
  })

  it('do the same where a file fails in the middle', async () => {
    const device = await openDevice()
    const alive = countBuffers(device)
    const whole = await openFolder(fixtureFolder(name))
    const folder = watched(whole, 1)
    let left = 40
    const failing: Folder = {
      name: folder.name,
      open: async (file) => {
        const source = await folder.open(file)
        if (!source || file !== 'model.safetensors') return source
        const read: typeof source.read = async (start, end) => {
          if (left-- === 0) throw new Error('the disk is gone')
          return source.read(start, end)
        }
        return { ...source, read }
      },
    }
    await expect(LayerWiseFlagLLMReranker.load(failing, { device })).rejects.toMatchObject({
      code: 'file-unreadable',
    })
    expect(folder).toMatchObject({ nowOpen: 0, nowRead: 0 })
    expect(alive).toEqual({ buffers: 0, bytes: 0 })
    await expect(LayerWiseFlagLLMReranker.load(blobFolder({}), { device })).rejects.toThrow(
      'no config.json',
    )
    expect(alive.buffers).toBe(0)
    device.destroy()
  })
})
