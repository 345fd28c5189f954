import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { withLock } from '../../src/hub/lock.ts'
import { fetchModel } from '../../src/hub/node.ts'
import { expectFreshBuild, root as repository } from '../portability/cases.ts'
import { faultsOf, folderOf, listBelow, tiny, useHub } from './hub.ts'

const on = useHub()
beforeAll(expectFreshBuild)

/** `dawnrank pull` in a process of its own. */
function pull(name = tiny): {
  child: ChildProcess
  ended: Promise<{ code: unknown; out: string }>
} {
  const child = spawn(process.execPath, ['cli/dist/cli.js', 'pull', name], { cwd: repository })
  let out = ''
  child.stdout.on('data', (text) => (out += text))
  child.stderr.on('data', (text) => (out += text))
  const ended = once(child, 'close').then(([code]) => ({ code, out: out.trim() }))
  return { child, ended }
}

const partialOf = () => {
  const { sha = '' } = on.entry(tiny, 'model.safetensors')
  return join(folderOf(on.root, tiny), 'blobs', `${sha}.dawnrank.incomplete`)
}

/** Waits until a part of the weights is there. */
const begun = (bytes = 30_000) =>
  vi.waitUntil(() => existsSync(partialOf()) && statSync(partialOf()).size >= bytes, {
    timeout: 20_000,
    interval: 10,
  })

const slow = 'slow=100000,match=model.safetensors'

describe('a process that is killed', () => {
  it('leaves a partial file, with which a new process goes on at once', async () => {
    on.hub.set(slow)
    const first = pull()
    await begun()
    first.child.kill('SIGKILL')
    await first.ended
    const left = statSync(partialOf()).size
    expect(listBelow(folderOf(on.root, tiny)).map(({ path }) => path)).not.toContain('refs/main')
    expect(faultsOf(folderOf(on.root, tiny))).toEqual([])

    on.hub.reset()
    const second = await pull().ended
    expect(second).toEqual({
      code: 0,
      out: join(folderOf(on.root, tiny), 'snapshots', on.commit(tiny)),
    })
    expect(on.asked()).toEqual([`model.safetensors bytes=${left}-`])
    expect(faultsOf(on.root)).toEqual([])
    expect(existsSync(partialOf())).toBe(false)
  })
})

describe('two that want the same model', () => {
  const once = ['model.safetensors bytes=0-']

  it('download it once, as processes', async () => {
    on.hub.set(slow)
    const [a, b] = [pull(), pull()]
    const ended = await Promise.all([a.ended, b.ended])
    expect(ended.map(({ code }) => code)).toEqual([0, 0])
    expect(ended[0]?.out).toBe(ended[1]?.out)
    expect(on.asked()).toEqual(once)
    expect(faultsOf(on.root)).toEqual([])
  })

  it('download it once in one process, and see its progress', async () => {
    on.hub.set('slow=300000,match=model.safetensors')
    const seen: number[][] = [[], []]
    const loads = seen.map((all) =>
      fetchModel(tiny, { onProgress: ({ done, total }) => all.push(done / total) }),
    )
    await Promise.all(loads)
    expect(on.asked()).toEqual(once)
    expect(seen.map((all) => all.at(-1))).toEqual([1, 1])
    expect(seen.every((all) => all.some((share) => share > 0.2 && share < 0.9))).toBe(true)
    expect(faultsOf(on.root)).toEqual([])
  })

  it('go on where the other was stopped', async () => {
    on.hub.set(slow)
    const stop = new AbortController()
    const first = fetchModel(tiny, { signal: stop.signal })
    await begun()
    const second = fetchModel(tiny)
    on.hub.set()
    stop.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await second
    const [, again] = on.asked()
    expect(again).toMatch(/^model\.safetensors bytes=[1-9]\d+-$/)
    expect(faultsOf(on.root)).toEqual([])
  })
})

describe('an abort', () => {
  it.each([
    ['of a signal that is aborted already', undefined, 0],
    ['while the hub is silent', 'stall,match=model.safetensors', 1],
    ['while a file arrives', slow, 1],
    ['while it waits to try again', 'status=503', 0],
    ['while it waits as it was asked', 'status=429,retryAfter=200', 0],
  ])('%s rejects with its reason, and leaves what can be resumed', async (name, fault, bytes) => {
    if (fault) on.hub.set(fault)
    const stop = new AbortController()
    const reason = new Error('enough')
    if (name.includes('already')) stop.abort(reason)
    const found = fetchModel(tiny, { signal: stop.signal })
    const rejects = expect(found).rejects.toBe(reason)
    if (bytes) await begun(bytes)
    else await vi.waitUntil(() => on.hub.requests.length > 0 || stop.signal.aborted)
    stop.abort(reason)
    await rejects
    const { requests } = on.hub
    const before = requests.length
    expect(faultsOf(on.root)).toEqual([])
    expect(existsSync(partialOf())).toBe(bytes > 0)

    on.hub.set()
    await fetchModel(tiny)
    expect(requests.length).toBeGreaterThan(before)
    expect(faultsOf(on.root)).toEqual([])
  })

  it('stops the process, which says so', async () => {
    on.hub.set(slow)
    const { child, ended } = pull()
    await begun()
    child.kill('SIGINT')
    expect(await ended).toEqual({ code: 130, out: 'dawnrank: stopped' })
    expect(faultsOf(on.root)).toEqual([])
  })
})

describe('a lock', () => {
  const path = () => join(on.root, '.locks', 'models--acme--tiny-reranker', 'x.dawnrank.lock')
  const hold = (text: string, age = 0) => {
    mkdirSync(dirname(path()), { recursive: true })
    writeFileSync(path(), text)
    const time = new Date(Date.now() - age)
    utimesSync(path(), time, time)
  }
  const other = JSON.stringify({ machine: 'other', pid: 1, token: 'x' })

  it.each([
    ['of another machine that did not touch it for a minute', other, 70_000],
    ['that is empty, and old', '', 70_000],
  ])('%s is taken over', async (_, text, age) => {
    hold(text, age)
    expect(
      await withLock(
        path(),
        undefined,
        async () => {},
        async () => 'done',
      ),
    ).toBe('done')
    expect(listBelow(on.root)).toEqual([])
  })

  it.each([
    ['of another machine', other],
    ['of a machine that has the name of this one', other.replace('other', hostname())],
    ['that is just made', ''],
  ])('%s is waited for', async (_, text) => {
    hold(text)
    const stop = new AbortController()
    let waits = 0
    const wait = async () => {
      if (++waits === 2) stop.abort(new Error('enough'))
    }
    const locked = withLock(path(), stop.signal, wait, async () => 'done')
    await expect(locked).rejects.toThrow('enough')
    expect(listBelow(on.root)).toHaveLength(1)
  })

  it('is held by one of many, and one after the other', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 5))
      inside--
    }
    hold(other, 70_000)
    await Promise.all(
      Array.from({ length: 8 }, () => withLock(path(), undefined, async () => {}, work)),
    )
    expect(most).toBe(1)
    expect(listBelow(on.root)).toEqual([])
  })
})
