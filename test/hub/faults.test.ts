import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fetchModel } from '../../src/hub/node.ts'
import { faultsOf, folderOf, leavePartial, listBelow, tiny, useHub } from './hub.ts'

const on = useHub()

// Pauses are ten times shorter here; those that were asked for are kept.
const pauses: number[] = []
const wait = globalThis.setTimeout
beforeEach(() => {
  pauses.length = 0
  const quick = (work: () => void, ms = 0, ...rest: []) => {
    pauses.push(ms)
    return wait(work, ms >= 100 && ms < 5000 ? ms / 10 : ms, ...rest)
  }
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(quick as typeof setTimeout)
})
afterEach(() => vi.restoreAllMocks())

const model = 'match=model.safetensors'

// what the hub does; the code of the error, or undefined where the download succeeds all the same
const faults: [fault: string, code?: string][] = [
  [`cut=50000,${model},times=2,on=cdn`],
  [`cut,${model},times=3,on=cdn`],
  [`cut=0,${model},times=2,on=cdn`],
  [`cut=40000,${model},on=cdn`],
  [`cut=10,${model},on=cdn`, 'unreachable'],
  ['cut=0,match=config.json', 'unreachable'],
  [`cut=1000,noLength,${model},times=1`],
  ['cut=5,match=config.json,times=2'],
  [`short=1,${model},times=1`],
  [`short=1,noLength,${model},times=1`],
  [`short=100,${model}`, 'file-corrupt'],
  ['short=1,match=tokenizer.json', 'file-corrupt'],
  [`long=50,${model},times=1`],
  [`long=50,noLength,${model},times=1`],
  [`long=50,${model}`, 'file-corrupt'],
  [`corrupt,${model},times=1`],
  [`corrupt=299999,${model},times=1`],
  [`corrupt,${model}`, 'file-corrupt'],
  ['corrupt,match=config.json', 'file-corrupt'],
  [`html,${model},times=1`],
  [`html,noLength,${model},times=1`],
  [`html,${model}`, 'file-corrupt'],
  ['html,match=tokenizer.json', 'file-corrupt'],
  ['html,on=api,times=1'],
  ['html,on=api', 'hub-failed'],
  [`pointer,${model},times=1`],
  [`pointer,${model}`, 'file-corrupt'],
  [`pointer,noLength,${model},times=1`],
  [`noRange,${model}`],
  [`noLength,${model}`],
  ['gzip'],
  ['noRange,noLength'],
  [`slow=2000000,${model}`],
  [`stall,${model},times=1`],
  ['status=500,times=2'],
  ['status=503,on=cdn,times=2'],
  ['status=502,on=api', 'hub-failed'],
  ['status=429,retryAfter=2,times=1'],
  ['status=429,retryAfter=2,date,times=1,on=cdn'],
  ['status=429,retryAfter=2,ratelimit,times=1,on=hub'],
  ['status=429,retryAfter=3600', 'rate-limited'],
  ['status=403,on=cdn,times=1'],
  ['status=401,on=hub', 'repo-missing'],
  ['status=403,on=hub', 'gated'],
  ['status=404,on=hub', 'hub-failed'],
  ['status=404,code=RevisionNotFound,on=api', 'revision-missing'],
  ['noEtag'],
  ['noCommit'],
  ['noEtag,noCommit'],
  [`redirectLoop,${model},times=1`],
  ['moveBranch,times=1'],
  ['evilPath', 'path-invalid'],
]

/** What an earlier download left of the weights. */
const starts = {
  'a first download': undefined,
  'a download that is resumed': (bytes: Buffer) => bytes.subarray(0, 100_000),
  'a poisoned start': (bytes: Buffer) => Buffer.alloc(100_000, bytes.subarray(1, 100)),
  'a start that is too long': (bytes: Buffer) => Buffer.concat([bytes, bytes]),
} as const

describe.each(Object.entries(starts))('%s', (name, left) => {
  // A start that is wrong matters to faults of the same file alone.
  const some = name.includes('start') ? faults.filter(([fault]) => fault.includes(model)) : faults
  it.each(some)('with %s', async (fault, code) => {
    if (fault.includes('stall')) process.env.HF_HUB_DOWNLOAD_TIMEOUT = '1'
    const { sha = '', bytes } = on.entry(tiny, 'model.safetensors')
    const commit = on.commit(tiny)
    if (left) leavePartial(on.root, tiny, sha, left(bytes))
    on.hub.set(fault)
    const start = performance.now()
    const found = fetchModel(tiny)
    if (code) await expect(found).rejects.toMatchObject({ name: 'HubError', code })
    else expect((await found).commit).toBe(commit)
    if (/retryAfter=2,/.test(fault))
      expect(pauses.some((ms) => ms === 2000 || (fault.includes('date') && ms === 3000))).toBe(true)
    expect(performance.now() - start).toBeLessThan(10_000)
    expect(faultsOf(on.root)).toEqual([])
    expect(on.hub.leaks).toBe(0)
    expect(existsSync(join(on.home, 'escaped.txt'))).toBe(false)
    // A branch is known once its snapshot is whole.
    expect(existsSync(join(folderOf(on.root, tiny), 'refs/main'))).toBe(!code)
    if (!code) return
    // What is left can be resumed.
    const partials = listBelow(on.root).filter(({ path }) => path.endsWith('.incomplete'))
    expect(partials.filter(({ size }) => !size)).toEqual([])

    // What a failed download leaves is no obstacle.
    on.hub.set()
    await fetchModel(tiny)
    expect(faultsOf(on.root)).toEqual([])
  })
})

it('names what came in place of a file', async () => {
  const messages: [string, RegExp][] = [
    [
      'html',
      /a web page came, perhaps the sign-in page of a network, from byte 0; expected one of 300080 bytes/,
    ],
    ['pointer', /the Git LFS pointer of the file came, .*; expected one of 300080 bytes/],
    ['short=80', /a file of 300000 bytes came, .*; expected one of 300080 bytes/],
    ['corrupt', /the SHA-256 of what came is \w{64}; expected \w{64}/],
  ]
  for (const [fault, message] of messages) {
    on.hub.set(`${fault},${model}`)
    await expect(fetchModel(tiny)).rejects.toThrow(message)
  }
})

it('resumes where an earlier download ended, and takes what that left for bytes that are there', async () => {
  const { sha = '', bytes } = on.entry(tiny, 'model.safetensors')
  leavePartial(on.root, tiny, sha, bytes.subarray(0, 123_456))
  const seen: number[] = []
  await fetchModel(tiny, { onProgress: ({ done, total }) => seen.push(done / total) })
  expect(on.asked()).toEqual(['model.safetensors bytes=123456-'])
  expect(seen[0]).toBeGreaterThan(0.3)
  expect(seen.at(-1)).toBe(1)
  expect(seen).toEqual([...seen].sort((a, b) => a - b))
})
