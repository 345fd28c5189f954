import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { fetchModel } from '../../src/hub/node.ts'
import { openModel, Reranker } from '../../src/rerankers/index.ts'
import { fixtureFolder } from '../fixtures.ts'
import { faultsOf, folderOf, listBelow, seed, tiny, useHub } from './hub.ts'

const on = useHub()

/** The cache that Python leaves. */
interface Recorded {
  readonly path: string
  readonly kind: 'file' | 'link'
  readonly to?: string
  readonly size?: number
  readonly text?: string
  readonly json?: unknown
}

const layout: { entries: Recorded[] } = JSON.parse(
  readFileSync(
    fileURLToPath(new URL('../fixtures/hub/cache-layout.json', import.meta.url)),
    'utf8',
  ),
)

/** Makes Python's cache, with the bytes of the hub. */
function makePythonCache(): void {
  const blobs = new Map<string, Buffer>()
  for (const ref of ['main', 'v1']) {
    for (const path of [
      'config.json',
      'tokenizer.json',
      'model.safetensors',
      'assets/deep/note.txt',
    ]) {
      const { sha, oid, bytes } = on.entry(tiny, path, ref)
      blobs.set(sha ?? oid, bytes)
    }
  }
  for (const { path, kind, to, text, json } of layout.entries) {
    const file = join(on.root, path)
    mkdirSync(dirname(file), { recursive: true })
    if (kind === 'link') symlinkSync(to as string, file)
    else {
      const content = json ? JSON.stringify(json) : text
      writeFileSync(file, content ?? blobs.get(path.split('/').at(-1) as string) ?? '')
    }
  }
}

const requests = () => on.hub.requests.map(({ path }) => String(path).replace(/\?.*/, ''))

describe('the cache', () => {
  it('is what Python leaves, for the files that are fetched', async () => {
    await fetchModel(tiny)
    await fetchModel(tiny, { revision: 'v1' })
    const own = listBelow(on.root)
    // What we fetch of each revision, and what Python was asked for.
    const isOurs = (path: string) =>
      /\/(refs|snapshots|blobs)\//.test(path) && !/note\.txt$/.test(path)
    const note = '79c53955ef856f16f2107446bc721c8879a1bd2e'
    const expected = layout.entries.filter(({ path }) => isOurs(path) && !path.endsWith(note))
    for (const { path, kind, to, size, text } of expected) {
      expect(own).toContainEqual({ path, kind, ...(to && { to }), ...(size && { size }) })
      if (text) expect(readFileSync(join(on.root, path), 'utf8')).toBe(text)
    }
    // Python left the weights of v1 out.
    const more = own.filter(
      ({ path }) => isOurs(path) && !expected.some((one) => one.path === path),
    )
    const { sha } = on.entry(tiny, 'model.safetensors', 'v1')
    expect(more.map(({ path }) => path.replace(/^[^/]+\//, ''))).toEqual([
      `blobs/${sha}`,
      `snapshots/${on.commit(tiny, 'v1')}/model.safetensors`,
    ])
    const others = own.filter(({ path }) => !isOurs(path)).map(({ path }) => path.split('/')[1])
    expect([...new Set(others)]).toEqual(['.no_exist'])
  })

  it('of Python is read: no file is fetched again, and by its commit nothing is asked', async () => {
    makePythonCache()
    const before = listBelow(on.root).filter(({ path }) => /\/(blobs|snapshots|refs)\//.test(path))
    const commit = on.commit(tiny)
    expect(await fetchModel(tiny, { revision: commit })).toMatchObject({ commit, warnings: [] })
    expect(requests()).toEqual([])
    await fetchModel(tiny)
    expect(requests()).toEqual([`/api/models/${tiny}/revision/main`])
    const after = listBelow(on.root).filter(({ path }) => /\/(blobs|snapshots|refs)\//.test(path))
    expect(after).toEqual(before)
  })

  it('of Python is completed where it has a part of a snapshot', async () => {
    makePythonCache()
    await fetchModel(tiny, { revision: 'v1' })
    expect(on.asked()).toEqual(['model.safetensors bytes=0-'])
    expect(faultsOf(on.root)).toEqual([])
  })

  it('keeps out of files that Python is still downloading', async () => {
    const { sha = '' } = on.entry(tiny, 'model.safetensors')
    const blobs = join(folderOf(on.root, tiny), 'blobs')
    mkdirSync(blobs, { recursive: true })
    const theirs = [`${sha}.incomplete`, `${sha}.0a1b2c3d.incomplete`]
    for (const name of theirs) writeFileSync(join(blobs, name), 'python')
    await fetchModel(tiny)
    for (const name of theirs) expect(readFileSync(join(blobs, name), 'utf8')).toBe('python')
    expect(faultsOf(on.root)).toEqual([])
  })

  it('reads through links to the store of all models, and never writes through one', async () => {
    const { sha = '', bytes } = on.entry(tiny, 'model.safetensors')
    const shared = join(on.root, 'blobs', 'ab', 'ab'.repeat(32))
    const blob = join(folderOf(on.root, tiny), 'blobs', sha)
    for (const path of [shared, blob]) mkdirSync(dirname(path), { recursive: true })
    writeFileSync(shared, bytes)
    symlinkSync(`../../blobs/ab/${'ab'.repeat(32)}`, blob)
    const { path } = await fetchModel(tiny)
    expect(on.asked()).toEqual([])
    expect(lstatSync(blob).isSymbolicLink()).toBe(true)
    expect(readFileSync(join(path, 'model.safetensors')).equals(bytes)).toBe(true)

    // A shared file that is damaged is left as it is; the model gets its own.
    writeFileSync(shared, 'short')
    await fetchModel(tiny)
    expect(on.hub.requests.length).toBeLessThan(20)
    rmSync(join(path, 'config.json'))
    await fetchModel(tiny)
    expect(lstatSync(blob).isSymbolicLink()).toBe(false)
    expect(readFileSync(shared, 'utf8')).toBe('short')
    expect(readFileSync(join(path, 'model.safetensors')).equals(bytes)).toBe(true)
  })

  it('has the files themselves where there are no links, as Python does', async () => {
    process.env.HF_HUB_DISABLE_SYMLINKS = '1'
    const { path } = await fetchModel(tiny)
    expect(readdirSync(path).every((file) => lstatSync(join(path, file)).isFile())).toBe(true)
    expect(readdirSync(join(folderOf(on.root, tiny), 'blobs'))).toEqual([])
    on.hub.reset()
    await fetchModel(tiny)
    expect(requests()).toEqual([`/api/models/${tiny}/revision/main`])
  })

  it('copies blobs of other snapshots where links are switched off later', async () => {
    const first = await fetchModel(tiny, { revision: 'v1' })
    process.env.HF_HUB_DISABLE_SYMLINKS = '1'
    await fetchModel(tiny)
    expect(existsSync(join(first.path, 'tokenizer.json'))).toBe(true)
    expect(faultsOf(on.root)).toEqual([])
  })

  it('is made whole again where a file was damaged or lost', async () => {
    const { path } = await fetchModel(tiny)
    const blob = join(path, readlinkSync(join(path, 'config.json')))
    rmSync(blob)
    await fetchModel(tiny)
    expect(faultsOf(on.root)).toEqual([])
    // A blob of another size, which a full disk may leave.
    rmSync(join(path, 'config.json'))
    writeFileSync(blob, '{')
    await fetchModel(tiny)
    expect(faultsOf(on.root)).toEqual([])
  })

  it.each([
    ['HF_HUB_CACHE', 'a', 'a'],
    ['HUGGINGFACE_HUB_CACHE', 'b', 'b'],
    ['HF_HOME', 'c', 'c/hub'],
    ['XDG_CACHE_HOME', 'd', 'd/huggingface/hub'],
  ])('is where %s says', async (variable, value, root) => {
    if (variable === 'XDG_CACHE_HOME') delete process.env.HF_HOME
    process.env[variable] = join(on.home, value)
    const { path } = await fetchModel(tiny)
    expect(path).toBe(join(folderOf(join(on.home, root), tiny), 'snapshots', on.commit(tiny)))
  })

  it('that cannot be written is read all the same, where it has the model', async () => {
    const { path, commit } = await fetchModel(tiny)
    const folder = folderOf(on.root, tiny)
    for (const part of ['.no_exist', 'refs']) {
      rmSync(join(folder, part), { recursive: true })
      writeFileSync(join(folder, part), 'a file in place of a folder')
    }
    expect(await fetchModel(tiny)).toMatchObject({
      path,
      commit,
      warnings: [expect.stringContaining('the cache cannot be written (')],
    })
  })

  it('that cannot be written is an error that says so', async () => {
    writeFileSync(join(on.home, 'file'), '')
    process.env.HF_HUB_CACHE = join(on.home, 'file')
    await expect(fetchModel(tiny)).rejects.toMatchObject({
      code: 'cache-unwritable',
      message: expect.stringMatching(
        /file: the cache cannot be written \(ENOTDIR\); set HF_HUB_CACHE/,
      ),
    })
  })
})

describe('a branch', () => {
  it('that moved brings the new commit; the old one stays', async () => {
    const { refs, commits } = on.hub.repo(tiny)
    const [old = '', next = ''] = commits.keys()
    refs.set('main', old)
    await fetchModel(tiny)
    refs.set('main', next)
    expect((await fetchModel(tiny)).commit).toBe(next)
    expect(readFileSync(join(folderOf(on.root, tiny), 'refs/main'), 'utf8')).toBe(next)
    on.hub.reset()
    expect((await fetchModel(tiny, { revision: old })).commit).toBe(old)
    expect(requests()).toEqual([])
  })

  it('is what it was, with a warning, where the hub cannot be reached or fails', async () => {
    const { commit } = await fetchModel(tiny)
    const warnings = [expect.stringContaining(`The cached commit ${commit} of main is used`)]
    on.hub.set('status=503')
    expect(await fetchModel(tiny)).toMatchObject({ commit, warnings })
    process.env.HF_ENDPOINT = 'http://127.0.0.1:9'
    expect(await fetchModel(tiny)).toMatchObject({ commit, warnings })
    await expect(fetchModel(tiny, { revision: 'v1' })).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  it('offline is what it was, without a request', async () => {
    const { commit } = await fetchModel(tiny)
    on.hub.reset()
    process.env.HF_HUB_OFFLINE = '1'
    expect(await fetchModel(tiny)).toMatchObject({ commit, warnings: [] })
    await expect(fetchModel(tiny, { revision: 'v1' })).rejects.toMatchObject({
      code: 'offline',
      message: expect.stringContaining(`it has files of ${commit}`),
    })
    await expect(fetchModel('acme/other')).rejects.toMatchObject({ code: 'offline' })
    expect(requests()).toEqual([])
  })

  it('offline is an error where a part of its snapshot is missing', async () => {
    makePythonCache()
    process.env.HF_HUB_OFFLINE = '1'
    await expect(fetchModel(tiny, { revision: 'v1' })).rejects.toMatchObject({ code: 'offline' })
    expect(await fetchModel(tiny)).toMatchObject({ commit: on.commit(tiny) })
  })
})

describe('files', () => {
  it('are those that a model needs, and no others', async () => {
    const { path } = await fetchModel(tiny)
    expect(readdirSync(path)).toEqual(['config.json', 'model.safetensors', 'tokenizer.json'])
    await fetchModel(tiny, { card: true })
    expect(readdirSync(path)).toContain('README.md')
  })

  it('of sharded weights are the index and the shards that it names', async () => {
    const { path } = await fetchModel('seed/shards')
    const weights = readdirSync(fixtureFolder('gemma')).filter((file) => /safetensors/.test(file))
    expect(readdirSync(path).filter((file) => /safetensors/.test(file))).toEqual(weights)
    expect(weights.length).toBeGreaterThan(2)
    on.hub.reset()
    await fetchModel('seed/shards', { revision: on.commit('seed/shards') })
    expect(requests()).toEqual([])
    // Without one shard the snapshot is not whole.
    rmSync(join(path, weights.at(-1) as string))
    await fetchModel('seed/shards')
    expect(readdirSync(path).filter((file) => /safetensors/.test(file))).toEqual(weights)
  })

  it('need room on the disk', async () => {
    const { sha = '', oid } = on.entry(tiny, 'model.safetensors')
    const entry = on.entry(tiny, 'model.safetensors') as { size?: number }
    const size = entry.size
    entry.size = 2 ** 52
    try {
      await expect(fetchModel(tiny)).rejects.toMatchObject({
        code: 'no-space',
        message: expect.stringMatching(
          /45035996\d+\.\d MB more are needed in .*, which has [\d.]+ MB free/,
        ),
      })
    } finally {
      entry.size = size as number
    }
    expect(sha).not.toBe(oid)
    expect(on.asked()).toEqual([])
  })
})

describe('a model by its name', () => {
  it('gives the scores of its folder, and its name and commit', async () => {
    const progress = new Set<string>()
    const reranker = await Reranker.load(seed, { onProgress: ({ phase }) => progress.add(phase) })
    const local = await Reranker.load(fixtureFolder('xlm-roberta-514'))
    const pair = ['what is a panda?', 'a bear'] as const
    expect(await reranker.computeScore(pair)).toBe(await local.computeScore(pair))
    expect(reranker.info).toMatchObject({ model: seed, commit: on.commit(seed), warnings: [] })
    expect([...progress]).toEqual(['download', 'load'])
    reranker.dispose()
    local.dispose()
  })

  it('is a folder here, where there is one of that name', async () => {
    const cwd = process.cwd()
    mkdirSync(join(on.home, 'seed/tiny'), { recursive: true })
    process.chdir(on.home)
    try {
      await expect(openModel(seed, { revision: 'v1' })).rejects.toMatchObject({
        code: 'option-invalid',
        message: expect.stringContaining('revision: found "v1"; seed/tiny has no revisions'),
      })
      expect((await openModel(seed)).commit).toBeUndefined()
    } finally {
      process.chdir(cwd)
    }
    expect(on.hub.requests).toEqual([])
  })

  it('is asked for where a folder is a cache of models', async () => {
    await fetchModel(tiny)
    for (const folder of [on.root, on.home]) {
      await expect(Reranker.load(folder)).rejects.toMatchObject({
        code: 'cache-root',
        message: expect.stringContaining(
          'give the name of a model in it, such as "acme/tiny-reranker"',
        ),
      })
    }
  })

  it('takes a revision; a folder does not', async () => {
    await expect(Reranker.load(undefined, { revision: 'v1' })).rejects.toThrow(
      'revision: found "v1"; the embedded model has no revisions',
    )
    await expect(Reranker.load(on.home, { revision: 'v1' })).rejects.toMatchObject({
      code: 'option-invalid',
    })
    expect((await openModel(tiny, { revision: 'v1' })).commit).toBe(on.commit(tiny, 'v1'))
  })

  it('that moved away is read again from where it went', async () => {
    const { path } = await fetchModel(tiny)
    renameSync(path, `${path}.away`)
    await fetchModel(tiny)
    expect(statSync(join(path, 'model.safetensors')).size).toBe(300_080)
  })
})
