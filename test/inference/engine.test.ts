import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/device.ts'
import { Engine } from '../../src/inference/engine.ts'
import type { Model } from '../../src/models/model.ts'

/** A device whose work never ends by itself. */
const gpu = { whileOpen: (work: Promise<unknown>) => work } as Gpu

it('a turn is not lost with a call that leaves the line as it comes', async () => {
  const engine = new Engine(gpu, {} as Model, 'f32', false)
  const ends = [await engine.turn(), await engine.turn()]
  const stop = new AbortController()
  const leaving = engine.turn(stop.signal)
  const staying = engine.turn()
  stop.abort(new Error('enough'))
  ends[0]!()
  await expect(leaving).rejects.toThrow('enough')
  ends.push(await staying)
  for (const end of ends.slice(1)) end()
  // Both turns are free again.
  await Promise.all([engine.turn(), engine.turn()])
})

it('a turn that was given is kept, though the signal is aborted right after', async () => {
  const engine = new Engine(gpu, {} as Model, 'f32', false)
  const end = await engine.turn()
  await engine.turn()
  const stop = new AbortController()
  const next = engine.turn(stop.signal)
  end()
  stop.abort()
  ;(await next)()
  await engine.turn()
})

it('calls take turns in the order in which they came', async () => {
  const engine = new Engine(gpu, {} as Model, 'f32', false)
  const ends = [await engine.turn(), await engine.turn()]
  const order: number[] = []
  const waiting = [0, 1, 2].map(async (i) => {
    const end = await engine.turn()
    order.push(i)
    end()
  })
  for (const end of ends) end()
  await Promise.all(waiting)
  expect(order).toEqual([0, 1, 2])
})

it('a call leaves no listener on its signal, whether it waited or left', async () => {
  const engine = new Engine(gpu, {} as Model, 'f32', false)
  const [one, other] = [new AbortController(), new AbortController()]
  const end = await engine.turn(one.signal)
  await engine.turn()
  const waiting = [engine.turn(one.signal), engine.turn(other.signal)]
  other.abort(new Error('enough'))
  end()
  await expect(Promise.all(waiting)).rejects.toThrow('enough')
  await waiting[0]
  for (const { signal } of [one, other]) expect(getEventListeners(signal, 'abort')).toEqual([])
})

it('a call that the end of the device rejects takes no turn later', async () => {
  let lose = (_: Error) => {}
  const lost = new Promise<never>((_, reject) => {
    lose = reject
  })
  const engine = new Engine(
    { whileOpen: (work: Promise<unknown>) => Promise.race([work, lost]) } as Gpu,
    {} as Model,
    'f32',
    false,
  )
  const ends = [await engine.turn(), await engine.turn()]
  const waiting = engine.turn()
  lose(new Error('device lost'))
  await expect(waiting).rejects.toThrow('device lost')
  for (const end of ends) end()
  await Promise.all([engine.turn(), engine.turn()])
})
