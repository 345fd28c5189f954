import { describe, expect, it } from 'vitest'
import { type ModelSpec, Models } from '../../src/server/models.ts'
import { specsOf } from '../../src/server/specs.ts'
import { gate, StubModel } from './helpers.ts'

// The models of a server: loaded once, evicted by memory, never taken from those who use them, loaded again when lost.

/** A stub of so many bytes. */
function stubOf(bytes: number): StubModel {
  const stub = new StubModel()
  stub.info = {
    ...stub.info,
    memory: { weights: bytes, hostTables: 0, activations: 0, buffers: 0, bytes: 0 },
  }
  return stub
}

/** Models by name, of the bytes given, and what happens to them in its order. */
function counted(sizes: Readonly<Record<string, number>>, maxBytes?: number) {
  const seen: string[] = []
  const loaded: StubModel[] = []
  const specs = Object.entries(sizes).map(
    ([name, bytes]): ModelSpec => ({
      name,
      load: async () => {
        seen.push(`load ${name}`)
        await new Promise((resolve) => setImmediate(resolve))
        const stub = stubOf(bytes)
        stub.dispose = () => {
          stub.disposed++
          seen.push(`dispose ${name}`)
        }
        loaded.push(stub)
        return stub
      },
    }),
  )
  return { models: new Models(specs, maxBytes), seen, loaded }
}

const use = async (models: Models, name: string) => (await models.acquire(name)).release()

describe('loading', () => {
  it('happens at the first use, once for all who wait', async () => {
    const { models, seen } = counted({ a: 1, b: 1 })
    expect(models.all.map(({ loaded }) => loaded)).toEqual([false, false])
    const leases = await Promise.all([
      models.acquire('a'),
      models.acquire('a'),
      models.acquire('b'),
    ])
    expect(seen).toEqual(['load a', 'load b'])
    expect(leases[0]?.model).toBe(leases[1]?.model)
    for (const lease of leases) lease.release()
    await models.dispose()
    expect(seen.slice(2)).toEqual(['dispose a', 'dispose b'])
  })

  it('goes on for the others where one who waits leaves', async () => {
    const { models, seen } = counted({ a: 1 })
    const stop = new AbortController()
    const [left, stayed] = [models.acquire('a', stop.signal), models.acquire('a')]
    stop.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    ;(await stayed).release()
    await models.dispose()
    expect(seen).toEqual(['load a', 'dispose a'])
  })

  it('is tried again after a fault', async () => {
    let tries = 0
    const load = async () => {
      if (++tries === 1) throw new Error('no')
      return new StubModel()
    }
    const models = new Models([{ name: 'a', load }])
    const both = await Promise.allSettled([models.acquire('a'), models.acquire('a')])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await use(models, 'a')
    expect(tries).toBe(2)
  })
})

describe('memory', () => {
  it('is freed of what was not used for longest, before more is loaded', async () => {
    const { models, seen } = counted({ a: 4, b: 4, c: 4 }, 8)
    for (const name of ['a', 'b', 'a', 'c', 'b']) await use(models, name)
    expect(seen).toEqual([
      'load a',
      'load b',
      'load c',
      // Its size is known only now.
      'dispose b',
      'dispose a',
      'load b',
    ])
  })

  it('is expected to be that of the files', async () => {
    const seen: string[] = []
    const spec = (name: string): ModelSpec => ({
      name,
      bytes: 4,
      load: async () => {
        seen.push(`load ${name}`)
        const stub = stubOf(4)
        stub.dispose = () => seen.push(`dispose ${name}`)
        return stub
      },
    })
    const models = new Models([spec('a'), spec('b')], 7)
    for (const name of ['a', 'b']) await use(models, name)
    expect(seen).toEqual(['load a', 'dispose a', 'load b'])
  })

  it('keeps a model that is too large alone', async () => {
    const { models, seen } = counted({ a: 9 }, 8)
    await use(models, 'a')
    await use(models, 'a')
    expect(seen).toEqual(['load a'])
  })

  it('is not taken from those who use it, and goes to those who wait in their order', async () => {
    const { models, seen } = counted({ a: 5, b: 5 }, 8)
    for (const name of ['b', 'a']) await use(models, name)
    seen.length = 0
    const lease = await models.acquire('a')
    const waiting = models.acquire('b')
    await new Promise((resolve) => setTimeout(resolve, 5))
    const later = models.acquire('a')
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(seen).toEqual([])
    lease.release()
    lease.release()
    const own = await waiting
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(seen).toEqual(['dispose a', 'load b'])
    own.release()
    ;(await later).release()
    expect(seen).toEqual(['dispose a', 'load b', 'dispose b', 'load a'])
  })
})

describe('a lost device', () => {
  it('is opened again, once', async () => {
    const { models, seen, loaded } = counted({ a: 1 })
    const leases = await Promise.all([models.acquire('a'), models.acquire('a')])
    for (const lease of leases) lease.fail(new Error('lost'))
    expect(models.lost).toEqual(['a'])
    const next = models.acquire('a')
    for (const lease of leases) lease.release()
    const lease = await next
    expect(lease.model).toBe(loaded[1])
    expect(seen).toEqual(['load a', 'dispose a', 'load a'])
    expect(models.lost).toEqual([])
    lease.release()
  })

  it('is noticed while nobody uses it, and opened until that succeeds', async () => {
    const lost = gate()
    let tries = 0
    const load = async () => {
      tries++
      if (tries === 2) throw new Error('no adapter')
      const stub = new StubModel()
      return tries === 1
        ? Object.assign(stub, { lost: lost.opened.then(() => new Error('gone')) })
        : stub
    }
    const models = new Models([{ name: 'a', load }])
    await use(models, 'a')
    lost.open()
    await expect.poll(() => models.lost).toEqual(['a'])
    await expect.poll(() => models.lost, { timeout: 5000 }).toEqual([])
    expect(tries).toBe(3)
  })
})

describe('names', () => {
  const load = async () => new StubModel()

  it.each([
    [[], undefined, 'xlm-roberta-6x384'],
    [['a', 'b'], undefined, 'a'],
    [['a', 'b'], null, 'a'],
    [['a', 'b'], 'b', 'b'],
    [['models/bge/', 'x=models/y'], 'models/bge/', 'models/bge/'],
    [['models/bge/', 'x=models/y'], 'bge', 'models/bge/'],
    [['models/bge/', 'x=models/y'], 'x', 'x'],
    [['BAAI/m3=/data/m3'], 'BAAI/m3', 'BAAI/m3'],
    [['http://a.b/c?d=e'], 'http://a.b/c?d=e', 'http://a.b/c?d=e'],
  ])('of %j, %j is %s', (given, asked, found) => {
    expect(new Models(specsOf(given, load)).find(asked)).toBe(found)
  })

  it('that nobody gave are refused', () => {
    const models = new Models(specsOf(['a', 'x=models/y'], load))
    for (const name of ['', 'b', 'y', 'models/y', 'A']) {
      expect(() => models.find(name)).toThrow(`found ${JSON.stringify(name)}`)
    }
    expect(() => new Models(specsOf(['a', 'a=b'], load))).toThrow('a is named twice')
  })

  it('give places to load', async () => {
    const places: (string | undefined)[] = []
    const note = async (place: string | undefined) => {
      places.push(place)
      return new StubModel()
    }
    for (const spec of [...specsOf(['a', 'x=models/y'], note), ...specsOf([], note)])
      await spec.load()
    expect(places).toEqual(['a', 'models/y', undefined])
  })
})
