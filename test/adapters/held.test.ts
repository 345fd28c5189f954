import { describe, expect, it, vi } from 'vitest'
import { holdGiven, holdLoaded } from '../../src/adapters/held.ts'

// Loads that are ended by hand, so that every order of loads, aborts and disposals can be had.

interface Model {
  readonly lost: Promise<unknown>
  readonly dispose: () => void
  readonly lose: () => void
}

function makeModel(): Model {
  let lose = () => {}
  const lost = new Promise<void>((resolve) => {
    lose = resolve
  })
  return { lost, dispose: vi.fn(), lose }
}

/** A held model, and its loads as they come; each stops with its signal unless it is deaf. */
function setUp({ isDeaf = false } = {}) {
  const loads: {
    signal: AbortSignal
    resolve: (model: Model) => void
    reject: (e: Error) => void
  }[] = []
  const held = holdLoaded<Model>(
    (signal) =>
      new Promise((resolve, reject) => {
        loads.push({ signal, resolve, reject })
        if (!isDeaf) signal.addEventListener('abort', () => reject(signal.reason))
      }),
  )
  return { held, loads }
}

const turn = () => new Promise((resolve) => setTimeout(resolve))

describe('a model that is loaded', () => {
  it('is loaded by the first call, once for concurrent and for later calls', async () => {
    const { held, loads } = setUp()
    expect(loads).toHaveLength(0)
    const calls = [held.get(), held.get(new AbortController().signal), held.get()]
    const model = makeModel()
    loads[0]!.resolve(model)
    expect(await Promise.all(calls)).toEqual([model, model, model])
    expect(await held.get()).toBe(model)
    expect(loads).toHaveLength(1)
  })

  it('is loaded again after a load that failed, which all that waited are told', async () => {
    const { held, loads } = setUp()
    const calls = [held.get(), held.get()]
    const fault = new Error('no such folder')
    loads[0]!.reject(fault)
    for (const call of calls) await expect(call).rejects.toBe(fault)
    const again = held.get()
    const model = makeModel()
    loads[1]!.resolve(model)
    expect(await again).toBe(model)
  })

  it('is loaded again after its device was lost', async () => {
    const { held, loads } = setUp()
    const first = held.get()
    const lost = makeModel()
    loads[0]!.resolve(lost)
    await first
    lost.lose()
    await turn()
    const again = held.get()
    expect(loads).toHaveLength(2)
    const model = makeModel()
    loads[1]!.resolve(model)
    expect(await again).toBe(model)
  })

  it('goes on loading when one of two callers leaves, who has the reason of the signal', async () => {
    const { held, loads } = setUp()
    const leaver = new AbortController()
    const left = held.get(leaver.signal)
    const stays = held.get(new AbortController().signal)
    const reason = new Error('enough')
    leaver.abort(reason)
    await expect(left).rejects.toBe(reason)
    expect(loads[0]!.signal.aborted).toBe(false)
    const model = makeModel()
    loads[0]!.resolve(model)
    expect(await stays).toBe(model)
  })

  it('stops loading when all callers have left; the next call loads again', async () => {
    const { held, loads } = setUp()
    const leavers = [new AbortController(), new AbortController()]
    const calls = leavers.map(({ signal }) => held.get(signal))
    for (const leaver of leavers) leaver.abort(new Error('enough'))
    for (const call of calls) await expect(call).rejects.toThrow('enough')
    expect(loads[0]!.signal.aborted).toBe(true)
    const again = held.get()
    expect(loads).toHaveLength(2)
    const model = makeModel()
    loads[1]!.resolve(model)
    expect(await again).toBe(model)
    expect(model.dispose).not.toHaveBeenCalled()
  })

  it('is freed where it comes after all callers have left', async () => {
    const { held, loads } = setUp({ isDeaf: true })
    const leaver = new AbortController()
    const call = held.get(leaver.signal)
    leaver.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    const late = makeModel()
    loads[0]!.resolve(late)
    await turn()
    expect(late.dispose).toHaveBeenCalledOnce()
  })

  it('is not loaded for a signal that has aborted', async () => {
    const { held, loads } = setUp()
    const aborted = AbortSignal.abort(new Error('before'))
    await expect(held.get(aborted)).rejects.toThrow('before')
    expect(() => held.check(aborted)).toThrow('before')
    held.check(new AbortController().signal)
    expect(loads).toHaveLength(0)
  })

  it('is freed once by dispose; later calls are told', async () => {
    const { held, loads } = setUp()
    const call = held.get()
    const model = makeModel()
    loads[0]!.resolve(model)
    await call
    held.dispose()
    held.dispose()
    expect(model.dispose).toHaveBeenCalledOnce()
    await expect(held.get()).rejects.toMatchObject({ name: 'AdapterError', code: 'disposed' })
    expect(() => held.check()).toThrow(expect.objectContaining({ code: 'disposed' }))
    expect(loads).toHaveLength(1)
  })

  it.each([false, true])('stops with dispose (the load is deaf: %s)', async (isDeaf) => {
    const { held, loads } = setUp({ isDeaf })
    const calls = [held.get(), held.get(new AbortController().signal)]
    held.dispose()
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'disposed' })
    expect(loads[0]!.signal.aborted).toBe(true)
    const late = makeModel()
    loads[0]!.resolve(late)
    await turn()
    expect(late.dispose).toHaveBeenCalledTimes(isDeaf ? 1 : 0)
  })

  it('leaves no unhandled rejection behind', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const { held, loads } = setUp({ isDeaf: true })
    const leaver = new AbortController()
    const call = held.get(leaver.signal)
    leaver.abort(new Error('enough'))
    await expect(call).rejects.toThrow()
    loads[0]!.reject(new Error('late'))
    await turn()
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('a model that is given', () => {
  it('stays when the adapter is disposed of, whose calls then reject', async () => {
    const model = makeModel()
    const held = holdGiven(model)
    expect(await held.get()).toBe(model)
    await expect(held.get(AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
    held.dispose()
    await expect(held.get()).rejects.toMatchObject({ code: 'disposed' })
    expect(model.dispose).not.toHaveBeenCalled()
  })
})
