import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { chooseAdapters, likeGpus } from '../../src/devices/adapters.ts'
import { withEnvironment } from '../../src/devices/environment.ts'
import { DevicesError } from '../../src/devices/errors.ts'
import { receiveError, sendError } from '../../src/devices/messages.ts'
import { type Piece, Scheduler } from '../../src/devices/scheduler.ts'
import { estimateTokens, split } from '../../src/devices/split.ts'
import type { CallReport, DeviceThread } from '../../src/devices/thread.ts'
import { GpuError } from '../../src/gpu/errors.ts'
import { RerankerError } from '../../src/rerankers/index.ts'
import { seeded } from '../fixtures.ts'

describe('adapters', () => {
  const gpus = ['0000:01:00.0', '0000:02:00.0']
  const first = { environment: { DRI_PRIME: 'pci-0000_01_00_0!' } }
  const second = { environment: { DRI_PRIME: 'pci-0000_02_00_0!' } }

  test.each([
    [2, [], [{}, {}]],
    [1, ['0000:01:00.0'], [{}]],
    [3, gpus, [first, second, first]],
    [['L4', 'T4'], gpus, [{ flags: ['adapter=L4'] }, { flags: ['adapter=T4'] }]],
    [[{ environment: { A: 'b' } }], gpus, [{ environment: { A: 'b' } }]],
  ])('%j on GPUs %j', (asked, found, expected) => {
    expect(chooseAdapters(asked, found)).toEqual(expected)
  })

  test.each([
    0,
    -1,
    1.5,
    65,
    Number.NaN,
    [],
    'two',
    undefined,
    [''],
    [{ flag: [] }],
    [{ flags: 'a' }],
    [{ environment: { A: 1 } }],
  ])('%j is refused', (asked) => {
    expect(() => chooseAdapters(asked, [])).toThrowError(DevicesError)
  })

  const sysfs = mkdtempSync(join(tmpdir(), 'dawnrank-sysfs-'))
  afterAll(() => rmSync(sysfs, { recursive: true }))

  test('like GPUs are those of one vendor and device', () => {
    const add = (address: string, ...values: string[]) => {
      mkdirSync(join(sysfs, address))
      for (const [i, name] of ['class', 'vendor', 'device'].entries()) {
        writeFileSync(join(sysfs, address, name), `${values[i]}\n`)
      }
    }
    expect(likeGpus(join(sysfs, 'none'))).toEqual([])
    expect(likeGpus(sysfs)).toEqual([])
    add('0000:00:01.0', '0x030000', '0x1a03', '0x2000')
    add('0000:00:02.0', '0x020000', '0x10de', '0x27b8')
    expect(likeGpus(sysfs)).toEqual(['0000:00:01.0'])
    add('0000:c1:00.0', '0x030200', '0x10de', '0x27b8')
    add('0000:41:00.0', '0x030200', '0x10de', '0x27b8')
    expect(likeGpus(sysfs)).toEqual(['0000:41:00.0', '0000:c1:00.0'])
  })
})

test('environments are set one after the other, and taken back', async () => {
  process.env.DAWNRANK_TEST_B = 'before'
  const see = () => [process.env.DAWNRANK_TEST_A, process.env.DAWNRANK_TEST_B]
  const later = async () => {
    await Promise.resolve()
    return see()
  }
  const failing = withEnvironment({ DAWNRANK_TEST_A: '0' }, () => Promise.reject(new Error('no')))
  const one = withEnvironment({ DAWNRANK_TEST_A: '1', DAWNRANK_TEST_B: '2' }, later)
  const two = withEnvironment({}, later)
  await expect(failing).rejects.toThrow('no')
  expect(await one).toEqual(['1', '2'])
  expect(await two).toEqual([undefined, 'before'])
  delete process.env.DAWNRANK_TEST_B
})

test('errors keep class, code, message and stack on their way', () => {
  for (const error of [
    new RerankerError('input-invalid', 'a'),
    new GpuError('device-lost', 'b'),
    new TypeError('c'),
  ]) {
    const found = receiveError(structuredClone(sendError(error)))
    expect(found).toMatchObject({ name: error.name, message: error.message, stack: error.stack })
    expect((found as GpuError).code).toBe((error as GpuError).code)
    if ('code' in error) expect(found).toBeInstanceOf(error.constructor)
  }
  expect(receiveError(sendError('text')).message).toBe('text')
})

describe('splitting', () => {
  test('by tokens: neighbouring pairs, all of them, none above a batch but a single one', () => {
    const random = seeded(3)
    for (let round = 0; round < 200; round++) {
      const tokens = Array.from({ length: Math.floor(random() * 40) }, () =>
        Math.ceil(random() * 700),
      )
      const devices = 1 + Math.floor(random() * 4)
      const ranges = split(tokens, { devices, maxBatchTokens: 512 })
      let at = 0
      for (const { first, end, tokens: sum } of ranges) {
        expect(first).toBe(at)
        const own = tokens.slice(first, end)
        expect(sum).toBe(own.reduce((a, b) => a + b, 0))
        if (own.length > 1) expect(sum).toBeLessThanOrEqual(512)
        if (tokens.length > 0) expect(end).toBeGreaterThan(first)
        at = end
      }
      expect(at).toBe(tokens.length)
    }
  })

  test.each([
    [[], 2, 1000, [[0, 0]]],
    [[10, 10, 10], 2, 1000, [[0, 3]]],
    [
      [300, 300, 300, 300],
      2,
      1000,
      [
        [0, 2],
        [2, 4],
      ],
    ],
    [
      [300, 300, 300, 300],
      1,
      1000,
      [
        [0, 3],
        [3, 4],
      ],
    ],
    [
      [5000, 1],
      1,
      1000,
      [
        [0, 1],
        [1, 2],
      ],
    ],
  ])('%j over %i devices, batches of %i', (tokens, devices, maxBatchTokens, expected) => {
    const ranges = split(tokens, { devices, maxBatchTokens })
    expect(ranges.map(({ first, end }) => [first, end])).toEqual(expected)
  })

  test('tokens are estimated by length, up to the maximum', () => {
    expect(estimateTokens(['', ''], 512)).toBe(4)
    expect(estimateTokens(['abcd', '熊'], 512)).toBe(6)
    expect(estimateTokens(['a'.repeat(10_000)], 512)).toBe(512)
  })
})

/** A device whose calls are answered by the test. */
function fakeThread(name: string) {
  const calls: {
    args: readonly unknown[]
    report: CallReport
    resolve(result?: unknown): void
    reject(error: unknown): void
  }[] = []
  const thread = {
    name,
    calls,
    ended: 0,
    fault: undefined as Error | undefined,
    info: { limits: { maxBatchTokens: 100 } },
    call: (_method: string, args: readonly unknown[], report: CallReport) =>
      new Promise((resolve, reject) => {
        calls.push({
          args,
          report,
          resolve: (result = `${name}:${args}`) => resolve(result),
          reject,
        })
      }),
    end: async (why: Error) => {
      thread.ended++
      thread.fault ??= why
      for (const { reject } of calls) reject(thread.fault)
    },
  }
  return thread
}

const asThread = (thread: ReturnType<typeof fakeThread>) => thread as unknown as DeviceThread
const turn = () => new Promise((resolve) => setImmediate(resolve))
const pieces = (name: string, count: number, tokens = 60): Piece[] =>
  Array.from({ length: count }, (_, first) => ({
    method: 'rank',
    args: [`${name}${first}`],
    first,
    count: 1,
    tokens,
  }))
const lost = () => new GpuError('device-lost', 'the device was lost')

function scheduler(
  count: number,
  reopen: (i: number) => Promise<DeviceThread> = () => Promise.reject(new Error('not again')),
) {
  const threads = Array.from({ length: count }, (_, i) => fakeThread('ab'[i]!))
  return {
    threads,
    all: new Scheduler(
      threads.map((thread, i) => ({ thread: asThread(thread), open: () => reopen(i) })),
    ),
  }
}

describe('the scheduler', () => {
  test('gives pieces to the least loaded device, and no more than it has room for', async () => {
    const {
      all,
      threads: [a, b],
    } = scheduler(2)
    const call = all.run(pieces('x', 7), {})
    expect([a!.calls.length, b!.calls.length]).toEqual([3, 3])
    a!.calls[0]!.resolve()
    await turn()
    expect(a!.calls.map(({ args }) => args[0])).toEqual(['x0', 'x2', 'x4', 'x6'])
    for (const one of [...a!.calls, ...b!.calls]) one.resolve()
    expect(await call).toEqual(['a:x0', 'b:x1', 'a:x2', 'b:x3', 'a:x4', 'b:x5', 'a:x6'])
  })

  test('calls take turns: a short one does not wait for a long one', async () => {
    const {
      all,
      threads: [a],
    } = scheduler(1)
    all.run(pieces('long', 10), {})
    const short = all.run(pieces('short', 1), {})
    a!.calls[0]!.resolve()
    a!.calls[1]!.resolve()
    await turn()
    const given = a!.calls.map(({ args }) => args[0])
    expect(given).toEqual(['long0', 'long1', 'long2', 'long3', 'short0'])
    a!.calls[4]!.resolve()
    expect(await short).toEqual(['a:short0'])
  })

  test('a piece above the room of a device goes to an idle one', async () => {
    const {
      all,
      threads: [a],
    } = scheduler(1)
    const call = all.run(pieces('x', 2, 5000), {})
    expect(a!.calls).toHaveLength(1)
    a!.calls[0]!.resolve()
    await turn()
    a!.calls[1]!.resolve()
    expect(await call).toHaveLength(2)
  })

  test('the pieces of a lost device are done by another one, once', async () => {
    const {
      all,
      threads: [a, b],
    } = scheduler(2)
    const call = all.run(pieces('x', 2), {})
    a!.calls[0]!.reject(lost())
    await turn()
    expect(a!.ended).toBe(1)
    for (const one of b!.calls) one.resolve()
    expect(await call).toEqual(['b:x0', 'b:x1'])
    const second = all.run(pieces('y', 1), {})
    b!.calls.at(-1)!.reject(lost())
    await expect(second).rejects.toMatchObject({ name: 'DevicesError', code: 'device-lost' })
    await expect(all.run(pieces('z', 1), {})).rejects.toThrow(/all 2 devices are lost/)
    expect(await all.lost).toMatchObject({ code: 'device-lost' })
  })

  test('a device that has answered is opened again, and what waits goes there', async () => {
    const again = fakeThread('again')
    const {
      all,
      threads: [a],
    } = scheduler(1, async () => asThread(again))
    const first = all.run(pieces('x', 1), {})
    a!.calls[0]!.resolve()
    await first
    const call = all.run(pieces('y', 2), {})
    a!.calls.at(-1)!.reject(lost())
    await turn()
    for (const one of again.calls) one.resolve()
    expect(await call).toEqual(['again:y0', 'again:y1'])
    expect(all.threads).toEqual([again])
  })

  test('a device that is not opened again is lost, with the reason', async () => {
    const {
      all,
      threads: [a],
    } = scheduler(1)
    const first = all.run(pieces('x', 1), {})
    a!.calls[0]!.resolve()
    await first
    const call = all.run(pieces('y', 1), {})
    a!.calls.at(-1)!.reject(lost())
    await expect(call).rejects.toThrow('the only device is lost (not again)')
  })

  test('a piece that fails on a second device rejects the call', async () => {
    const {
      all,
      threads: [a, b],
    } = scheduler(2)
    const call = all.run(pieces('x', 1), {})
    a!.calls[0]!.reject(lost())
    await turn()
    const error = lost()
    b!.calls[0]!.reject(error)
    await expect(call).rejects.toBe(error)
  })

  test.each([
    ['behind others', 4, () => lost()],
    ['in vain, for it was lost before', 1, () => new DevicesError('device-lost', 'lost before')],
  ])('a piece that a second lost device had %s is done by a third', async (_, count, why) => {
    const again = fakeThread('again')
    let open = (_: DeviceThread) => {}
    const opening = new Promise<DeviceThread>((resolve) => {
      open = resolve
    })
    const {
      all,
      threads: [a, b],
    } = scheduler(2, () => opening)
    const first = all.run(pieces('x', 2), {})
    for (const thread of [a, b]) thread!.calls.shift()!.resolve()
    await first
    const call = all.run(pieces('y', count), {})
    a!.calls[0]!.reject(lost())
    await turn()
    expect(b!.calls).toHaveLength(count === 1 ? 1 : 3)
    b!.calls[0]!.reject(why())
    await turn()
    open(asThread(again))
    await turn()
    for (let i = 0; i < count; i++) {
      again.calls[i]!.resolve()
      await turn()
    }
    expect(await call).toEqual(pieces('y', count).map(({ args }) => `again:${args[0]}`))
  })

  test('another fault rejects the call; a device with two of the GPU in a row is lost', async () => {
    const {
      all,
      threads: [a, b],
    } = scheduler(2)
    const fault = new GpuError('out-of-memory', 'too much')
    const one = all.run(pieces('x', 1), {})
    a!.calls[0]!.reject(fault)
    await expect(one).rejects.toBe(fault)
    const two = all.run(pieces('y', 1), {})
    a!.calls[1]!.reject(fault)
    await turn()
    b!.calls[0]!.resolve()
    expect(await two).toEqual(['b:y0'])
  })

  test('a device whose fault was found while idle takes nothing', async () => {
    const {
      all,
      threads: [a, b],
    } = scheduler(2)
    a!.fault = new DevicesError('thread-failed', 'gone')
    const call = all.run(pieces('x', 1), {})
    b!.calls[0]!.resolve()
    expect(await call).toEqual(['b:x0'])
  })

  test('an abort stops what runs, drops what waits, and settles when nothing runs', async () => {
    const {
      all,
      threads: [a],
    } = scheduler(1)
    const abort = new AbortController()
    const reason = new Error('enough')
    let settled = false
    const call = all.run(pieces('x', 9), { signal: abort.signal })
    call.catch(() => {
      settled = true
    })
    abort.abort(reason)
    await turn()
    expect(settled).toBe(false)
    expect(a!.calls.every(({ report }) => report.signal?.aborted)).toBe(true)
    for (const { reject } of a!.calls) reject(reason)
    await expect(call).rejects.toBe(reason)
    expect(a!.calls).toHaveLength(3)
  })

  test('the index of a pair in an error is that of the call', async () => {
    const {
      all,
      threads: [a, b],
    } = scheduler(2)
    const call = all.run(pieces('x', 2), {})
    b!.calls[0]!.reject(new RerankerError('input-invalid', 'passage 0: too long'))
    await turn()
    a!.calls[0]!.reject(new RerankerError('input-invalid', 'passage 0: another'))
    await expect(call).rejects.toThrow('passage 1: too long')
  })

  test('after it is disposed of all is refused, and what is opening ends', async () => {
    const {
      all,
      threads: [a],
    } = scheduler(1)
    const call = all.run(pieces('x', 3), {})
    const refused = expect(call).rejects.toMatchObject({ code: 'disposed' })
    await all.dispose()
    await refused
    expect(a!.ended).toBe(1)
    await expect(all.run(pieces('y', 1), {})).rejects.toMatchObject({ code: 'disposed' })
  })
})
