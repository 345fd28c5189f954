import { describe, expect, it } from 'vitest'
import { runTasks } from '../../src/inference/tasks.ts'

const later = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

/** Begins `count` tasks that take 5 ms each; `fault` says which of them fails. */
function counted(count: number, width: number, signal?: AbortSignal, fault = -1) {
  const seen = { begun: 0, running: 0, most: 0 }
  const result = runTasks<number>(signal, width, async ({ stop, add }) => {
    for (let i = 0; i < count; i++) {
      await add(async () => {
        seen.begun++
        seen.most = Math.max(seen.most, ++seen.running)
        await later(5)
        seen.running--
        if (i === fault) throw new Error(`task ${i}`)
        stop.throwIfAborted()
        return i
      })
    }
  })
  return { result, seen }
}

describe('runTasks', () => {
  it('gives the results in order, with so many side by side', async () => {
    const { result, seen } = counted(7, 3)
    expect(await result).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(seen).toEqual({ begun: 7, running: 0, most: 3 })
  })

  it('stops at the first failure, and settles when nothing runs any more', async () => {
    const { result, seen } = counted(50, 3, undefined, 2)
    await expect(result).rejects.toThrow('task 2')
    expect(seen.running).toBe(0)
    expect(seen.begun).toBeLessThan(8)
  })

  it('stops at an abort, and settles when nothing runs any more', async () => {
    const stop = new AbortController()
    const { result, seen } = counted(50, 3, stop.signal)
    setTimeout(() => stop.abort(new Error('enough')), 12)
    await expect(result).rejects.toThrow('enough')
    expect(seen.running).toBe(0)
    expect(seen.begun).toBeLessThan(50)
  })

  it('begins nothing where it is aborted before', async () => {
    const { result, seen } = counted(5, 3, AbortSignal.abort(new Error('too late')))
    await expect(result).rejects.toThrow('too late')
    expect(seen.begun).toBe(0)
  })

  it('waits for its tasks where the plan itself fails', async () => {
    let running = 0
    const result = runTasks(undefined, 3, async ({ add }) => {
      await add(async () => {
        running++
        await later(5)
        running--
      })
      throw new Error('bad pair')
    })
    await expect(result).rejects.toThrow('bad pair')
    expect(running).toBe(0)
  })
})
