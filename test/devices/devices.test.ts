import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Devices, DevicesError, openDevices } from '../../src/devices/index.ts'
import { LayerWiseFlagLLMReranker, Reranker, type ScoreStats } from '../../src/rerankers/index.ts'
import { fixtureFolder, seeded } from '../fixtures.ts'

// Two software devices. The worker threads run dist/device-worker.js.

const encoder = fixtureFolder('xlm-roberta-514')
const layerwise = fixtureFolder('minicpm-layerwise')

/** Texts of 1 to 60 words. */
function makePassages(count: number): string[] {
  const random = seeded(7)
  const words = ['panda', 'bear', 'the', 'giant', 'is', 'a', 'China', 'hi', 'black', 'white']
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(random() * 60) }, () => {
      return words[Math.floor(random() * words.length)]
    }).join(' '),
  )
}

const query = 'what is panda?'
const passages = makePassages(60)
const pairs = passages.map((passage) => [query, passage])
const options = { maxBatchTokens: 512 }

const threads: Worker[] = []
const note = (worker: Worker) => threads.push(worker)
beforeAll(() => void process.on('worker', note))
afterAll(() => void process.off('worker', note))

describe('two devices give the bits of one', () => {
  let one: Reranker
  let two: Devices
  const batches: { tokens: number }[] = []
  beforeAll(async () => {
    ;[one, two] = await Promise.all([
      Reranker.load(encoder, options),
      openDevices(encoder, { ...options, devices: 2, onBatch: (size) => batches.push(size) }),
    ])
  })
  afterAll(async () => {
    one.dispose()
    await two.dispose()
  })

  const window = { overlap: 2 }
  test.each([{}, { topN: 7 }, { normalize: true }, { maxLength: 16 }, { maxLength: 24, window }])(
    'rank %o',
    async (given) => {
      expect(await two.rank(query, passages, given)).toEqual(await one.rank(query, passages, given))
    },
  )

  test('computeScore of pairs, of a single pair, of none', async () => {
    expect(await two.computeScore(pairs)).toEqual(await one.computeScore(pairs))
    expect(await two.computeScore([query, 'hi'])).toBe(await one.computeScore([query, 'hi']))
    expect(await two.computeScore([])).toEqual([])
    expect(await two.rank(query, [])).toEqual([])
  })

  test('records, token ids, hidden states, layers', async () => {
    const records = passages.slice(0, 9).map((body, id) => ({ id, body }))
    const given = { text: ({ body }: { body: string }) => body, topN: 3 }
    expect(await two.rank(query, records, given)).toEqual(await one.rank(query, records, given))
    expect(two.tokenizePair(query, 'a bear')).toEqual(one.tokenizePair(query, 'a bear'))
    const long = [query, 'a bear '.repeat(40), { maxLength: 24, window }] as const
    expect(two.tokenizeWindows(...long)).toEqual(one.tokenizeWindows(...long))
    expect(() => two.tokenizePair(...long)).toThrow('windows, each with ids')
    const states = await one.hiddenStates(pairs.slice(0, 30), [0, 1])
    expect(await two.hiddenStates(pairs.slice(0, 30), [0, 1])).toEqual(states)
    expect(two.layers).toEqual(one.layers)
  })

  test('many calls at once each have their own scores', async () => {
    const calls = Array.from({ length: 20 }, (_, i) => pairs.slice(i, i + 5))
    const found = await Promise.all(calls.map((some) => two.computeScore(some)))
    expect(found).toEqual(await Promise.all(calls.map((some) => one.computeScore(some))))
  })

  test('both devices work, and info says what they are', async () => {
    const { info } = two
    expect(info.devices.open).toHaveLength(2)
    expect(info.devices.lost).toBe(0)
    expect(info.adapter).toEqual(one.info.adapter)
    expect(info.memory.weights).toBe(2 * one.info.memory.weights)
    expect(info.warnings).toEqual(one.info.warnings)
  })

  test('progress goes up to the number of pairs', async () => {
    const seen: number[] = []
    await two.computeScore(pairs, {
      onProgress: ({ done, total }) => {
        expect(total).toBe(pairs.length)
        seen.push(done)
      },
    })
    expect(seen.at(-1)).toBe(pairs.length)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    const fault = new Error('of the caller')
    const failing = two.computeScore(pairs, {
      onProgress: () => {
        throw fault
      },
    })
    await expect(failing).rejects.toBe(fault)
  })

  test('statistics: tokens as of one device, times in milliseconds', async () => {
    const stats: ScoreStats[] = []
    const onStats = (found: ScoreStats) => stats.push(found)
    await one.rank(query, passages, { onStats })
    await two.rank(query, passages, { onStats })
    const [expected, found] = stats as [ScoreStats, ScoreStats]
    expect(found.tokens).toBe(expected.tokens)
    for (const time of [found.tokenization, found.queue, found.inference]) {
      expect(time).toBeGreaterThanOrEqual(0)
      expect(time).toBeLessThan(60_000)
    }
    expect(batches.reduce((sum, { tokens }) => sum + tokens, 0)).toBeGreaterThanOrEqual(
      found.tokens,
    )
  })

  test('an abort rejects with its reason, before and during the call', async () => {
    const reason = new Error('enough')
    await expect(two.rank(query, passages, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
    const abort = new AbortController()
    const call = two.rank(query, passages, {
      signal: abort.signal,
      onProgress: () => abort.abort(reason),
    })
    await expect(call).rejects.toBe(reason)
    expect(await two.computeScore(pairs)).toEqual(await one.computeScore(pairs))
  })

  test.each([
    ['a passage that is no text', (r: Reranker) => r.rank(query, [...passages, 3 as never])],
    ['an option of no function', (r: Reranker) => r.rank(query, [], { top: 3 } as never)],
    ['a wrong value', (r: Reranker) => r.computeScore(pairs, { maxLength: 0 })],
    [
      'more tokens than the model takes',
      (r: Reranker) => r.rank(query, [...passages, 'a '.repeat(3000)], { maxLength: 4000 }),
    ],
  ])('%s is refused as by one device', async (_, call) => {
    const error = await call(one).catch((fault) => fault)
    const found = await call(two as never).catch((fault) => fault)
    expect(found).toBeInstanceOf(error.constructor)
    expect(found.code).toBe(error.code)
    expect(found.message).toBe(error.message)
  })
})

test('layerwise models: lists of layers, a layer of the call, a cascade', async () => {
  const given = { cutoffLayers: 'all', ...options } as const
  const one = await LayerWiseFlagLLMReranker.load(layerwise, given)
  await using two = await openDevices(layerwise, { ...given, devices: 2 })
  const [first, second] = one.layers as [number, number]
  const passages = makePassages(24)
  const pairs = passages.map((passage) => [query, passage])
  expect(await two.computeScore(pairs)).toEqual(await one.computeScore(pairs))
  expect(await two.computeScore([query, 'hi'])).toEqual(await one.computeScore([query, 'hi']))
  const single = { cutoffLayers: first }
  expect(await two.computeScore(pairs, single)).toEqual(await one.computeScore(pairs, single))
  expect(await two.rank(query, passages, single)).toEqual(await one.rank(query, passages, single))
  const several = { cutoffLayers: [second, first], normalize: true }
  expect(await two.rank(query, passages, several)).toEqual(await one.rank(query, passages, several))
  const cascade = { cascade: [{ layer: first, keep: 9 }, { layer: second }] }
  expect(await two.rank(query, passages, cascade)).toEqual(await one.rank(query, passages, cascade))
  one.dispose()
})

test('a thread that died takes no calls, and is started again', async () => {
  threads.length = 0
  await using two = await openDevices(encoder, { ...options, devices: 2 })
  const expected = await two.computeScore(pairs)
  // While it is idle: Dawn aborts the process where a thread ends amid its work.
  await threads[0]!.terminate()
  expect(two.info.devices.open).toHaveLength(2)
  const calls = Array.from({ length: 4 }, () => two.computeScore(pairs))
  for (const scores of await Promise.all(calls)) expect(scores).toEqual(expected)
  await expect.poll(() => two.info.devices).toMatchObject({ open: [{}, {}], lost: 0 })
  expect(threads).toHaveLength(3)
  await Promise.all(threads.map((thread) => thread.terminate()))
  expect(await two.computeScore(pairs)).toEqual(expected)
})

test('calls that are pending when the devices are disposed of reject, and so do later ones', async () => {
  const two = await openDevices(encoder, { ...options, devices: 2 })
  let isLost = false
  two.lost.then(() => {
    isLost = true
  })
  const call = two.computeScore(pairs)
  const refusal = { name: 'DevicesError', code: 'disposed' }
  const rejected = expect(call).rejects.toMatchObject(refusal)
  await two.dispose()
  await rejected
  await expect(two.computeScore(pairs)).rejects.toMatchObject(refusal)
  expect(isLost).toBe(false)
})

describe('a load that fails leaves no thread', () => {
  const left = () => threads.filter(({ threadId }) => threadId >= 0)
  beforeAll(() => {
    threads.length = 0
  })

  test.each([
    ['no such folder', '/no/such/folder', {}, { name: 'PlatformError', code: 'folder-missing' }],
    [
      'no such adapter',
      encoder,
      { devices: ['no such adapter', 'llvmpipe'] },
      { name: 'DevicesError', code: 'adapter-missing' },
    ],
    [
      'a wrong option',
      encoder,
      { maxLength: -1 },
      { name: 'RerankerError', code: 'option-invalid' },
    ],
    [
      'an option of one device',
      encoder,
      { profile: true },
      { name: 'DevicesError', code: 'option-invalid' },
    ],
    ['no devices', encoder, { devices: 0 }, { name: 'DevicesError', code: 'option-invalid' }],
  ])('%s', async (_, model, given, expected) => {
    const opening = openDevices(model, { devices: 2, ...given } as never)
    await expect(opening).rejects.toMatchObject(expected)
    expect(left()).toEqual([])
  })

  test.each<[what: string, args: readonly unknown[], message: RegExp]>([
    ['no options', [encoder], /^devices: found undefined; expected a number from 1 to 64/],
    ['options that are null', [encoder, null], /^devices: found undefined; expected a number/],
    [
      'a signal that is none',
      [encoder, { devices: 1, signal: 'x' }],
      /^signal: found "x"; expected an AbortSignal$/,
    ],
    [
      'a folder that other threads cannot read',
      [{ open: async () => undefined }, { devices: 1 }],
      /^model: found an object; expected a path, a URL or a name/,
    ],
  ])('%s', async (_, args, message) => {
    const opening = openDevices(...(args as Parameters<typeof openDevices>))
    await expect(opening).rejects.toMatchObject({ code: 'option-invalid' })
    await expect(opening).rejects.toThrow(message)
    expect(left()).toEqual([])
  })

  test('an abort', async () => {
    const reason = new Error('enough')
    const abort = new AbortController()
    const opening = openDevices(encoder, {
      devices: 2,
      signal: abort.signal,
      onProgress: () => abort.abort(reason),
    })
    await expect(opening).rejects.toBe(reason)
    expect(left()).toEqual([])
    const aborted = openDevices(encoder, { devices: 2, signal: AbortSignal.abort(reason) })
    await expect(aborted).rejects.toBe(reason)
  })
})

describe('a process with devices ends', () => {
  const dist = fileURLToPath(new URL('../../dist/devices.js', import.meta.url))
  test.each([
    ['by itself, with idle devices', '', 0],
    ['after they are disposed of', 'await two.dispose()', 0],
    [
      'by process.exit amid a call',
      'two.computeScore(pairs); setTimeout(() => process.exit(3), 5)',
      3,
    ],
    ['by an error', 'throw new Error("stop")', 1],
  ])('%s', (_, end, status) => {
    const code = `
      import { openDevices } from ${JSON.stringify(dist)}
      const pairs = Array.from({ length: 200 }, () => ['a', 'the giant panda is a bear '.repeat(9)])
      const two = await openDevices(${JSON.stringify(encoder)}, { devices: 2 })
      console.log((await two.computeScore(pairs)).length)
      ${end}`
    const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(ended).toMatchObject({ stdout: '200\n', signal: null, status })
  })
})

test('DevicesError is told by its class', () => {
  expect(new DevicesError('disposed', '')).toMatchObject({ name: 'DevicesError' })
})
