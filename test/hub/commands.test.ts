import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { realSession, session } from '../cli/helpers.ts'
import { folderOf, leavePartial, listBelow, seed, tiny, useHub } from './hub.ts'

const on = useHub()

/** Runs a command; its code and its output. */
async function run(...args: string[]) {
  const { run, stdout, stderr } = session()
  const code = await run(...args)
  return { code, out: stdout.text, err: stderr.text }
}

const snapshot = (name: string, ref = 'main') =>
  join(folderOf(on.root, name), 'snapshots', on.commit(name, ref))

describe('pull', () => {
  it('prints the folder of the model, with its card', async () => {
    expect(await run('pull', tiny)).toEqual({ code: 0, out: `${snapshot(tiny)}\n`, err: '' })
    expect(readdirSync(snapshot(tiny))).toContain('README.md')
    const path = snapshot(tiny, 'v1')
    const { out } = await run('pull', tiny, '--revision', 'v1', '--json')
    expect(JSON.parse(out)).toEqual({ name: tiny, commit: on.commit(tiny, 'v1'), path })
  })

  it('shows rate and time left on a terminal, and prints warnings', async () => {
    on.hub.set('slow=1000000,match=model.safetensors')
    const terminal = session()
    terminal.stderr.isTTY = true
    expect(await terminal.run('pull', tiny)).toBe(0)
    expect(terminal.stderr.text).toMatch(/downloading, in MB .* left \| [\d.]+ MB\/s \| \d+ s left/)
    process.env.HF_ENDPOINT = 'http://127.0.0.1:9'
    expect((await run('pull', tiny)).err).toMatch(/^dawnrank: warning: .*The cached commit/)
  })

  it('says what is wrong; a name that cannot be one is wrong usage', async () => {
    expect(await run('pull', 'acme/none')).toMatchObject({
      code: 1,
      err: expect.stringContaining('dawnrank: acme/none: '),
    })
    expect(await run('pull', '../none')).toMatchObject({
      code: 2,
      err: expect.stringContaining('expected "org/name"'),
    })
  })
})

describe('commands that load a model', () => {
  it('take a name and a revision', async () => {
    const on1 = realSession()
    const args = ['rerank', 'panda', 'a bear', '--model', seed, '--revision', 'main']
    expect(await on1.run(...args)).toBe(0)
    expect(on1.stdout.text).toContain('"passage":"a bear"')
    const faked = session()
    await faked.run('rerank', 'panda', 'a 1', '--model', seed, '--revision', 'v1')
    expect(faked.loads[0]).toMatchObject({ place: seed, options: { revision: 'v1' } })
  })

  it('quantize takes a name', async () => {
    const out = join(on.home, 'int8')
    expect(await run('quantize', seed, out, '--dtype', 'int8')).toMatchObject({ code: 0, err: '' })
    expect(readdirSync(out)).toContain('tokenizer.json')
  })
})

describe('cache', () => {
  it('list shows models, revisions and sizes', async () => {
    expect((await run('cache', 'list')).out).toBe(`no models in ${on.root}\n`)
    for (const args of [[tiny], [tiny, '--revision', 'v1'], [seed]]) await run('pull', ...args)
    const { out } = await run('cache', 'list')
    const main = on.commit(tiny)
    expect(out).toMatch(/^model +revision +refs +files +MB +path\n/)
    expect(out).toMatch(
      new RegExp(`${tiny} +${main.slice(0, 12)} +main +4 +0\\.3 +${snapshot(tiny)}\n`),
    )
    expect(out.trim().split('\n')).toHaveLength(4)
    const rows = JSON.parse((await run('cache', 'list', tiny, '--json')).out)
    expect(rows).toHaveLength(2)
    expect(rows).toContainEqual(
      expect.objectContaining({ name: tiny, commit: main, refs: ['main'], files: 4 }),
    )
    const one = await run('cache', 'list', tiny, '--revision', 'v1', '--json')
    expect(JSON.parse(one.out)).toHaveLength(1)
    expect(await run('cache', 'list', 'acme/none')).toMatchObject({
      code: 1,
      err: expect.stringContaining('acme/none: not in the cache'),
    })
  })

  it('verify names files with other bytes and links that lead nowhere', async () => {
    await run('pull', tiny)
    expect(await run('cache', 'verify')).toMatchObject({
      code: 0,
      out: '4 files, 0.3 MB checked; all are right\n',
      err: '',
    })
    const { sha = '' } = on.entry(tiny, 'model.safetensors')
    const { oid } = on.entry(tiny, 'config.json')
    const blobs = join(folderOf(on.root, tiny), 'blobs')
    appendFileSync(join(blobs, sha), 'x')
    rmSync(join(blobs, oid))
    leavePartial(on.root, tiny, 'a'.repeat(64), Buffer.from('begun'))
    const { code, out, err } = await run('cache', 'verify', tiny)
    expect(code).toBe(1)
    expect(out).toContain(`corrupt: ${join(blobs, sha)}: the hash of its bytes is `)
    expect(out).toContain(
      `broken-link: ${join(snapshot(tiny), 'config.json')}: leads to the blob ${oid}`,
    )
    expect(err).toContain(`dawnrank cache remove ${tiny} && dawnrank pull ${tiny}`)
    const json = await run('cache', 'verify', '--json')
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toMatchObject({
      checked: 3,
      faults: [{ kind: 'corrupt' }, { kind: 'broken-link' }],
    })
  })

  it('verify of a revision looks at its files alone', async () => {
    for (const revision of ['main', 'v1']) await run('pull', tiny, '--revision', revision)
    const { sha = '' } = on.entry(tiny, 'model.safetensors')
    appendFileSync(join(folderOf(on.root, tiny), 'blobs', sha), 'x')
    expect((await run('cache', 'verify', tiny, '--revision', 'v1')).code).toBe(0)
    expect((await run('cache', 'verify', tiny, '--revision', 'main')).code).toBe(1)
    expect((await run('cache', 'verify', tiny, '--revision', 'v9')).err).toContain('no revision v9')
    expect((await run('cache', 'verify', '--revision', 'v1')).code).toBe(2)
  })

  it('verify counts copies without a known hash', async () => {
    process.env.HF_HUB_DISABLE_SYMLINKS = '1'
    await run('pull', tiny)
    expect((await run('cache', 'verify')).out).toBe(
      '0 files, 0.0 MB checked; 4 without a known hash; all are right\n',
    )
  })

  it('remove frees what no other revision uses', async () => {
    await run('pull', tiny)
    await run('pull', tiny, '--revision', 'v1')
    const blob = (path: string, ref: string) => {
      const { sha, oid } = on.entry(tiny, path, ref)
      return existsSync(join(folderOf(on.root, tiny), 'blobs', sha ?? oid))
    }
    const partial = leavePartial(on.root, tiny, 'a'.repeat(64), Buffer.from('begun'))
    expect((await run('cache', 'remove', tiny, '--revision', 'v1')).out).toBe(
      `${tiny}: removed ${on.commit(tiny, 'v1').slice(0, 12)}, 0.3 MB freed\n`,
    )
    expect(blob('model.safetensors', 'v1')).toBe(false)
    expect([blob('model.safetensors', 'main'), blob('tokenizer.json', 'main')]).toEqual([
      true,
      true,
    ])
    expect(readFileSync(partial, 'utf8')).toBe('begun')
    const paths = listBelow(on.root).map(({ path }) => path)
    expect(paths.filter((path) => path.includes(on.commit(tiny, 'v1')))).toEqual([])
    expect(paths.filter((path) => path.endsWith('refs/v1'))).toEqual([])

    expect(await run('cache', 'remove', tiny, '--revision', 'v1')).toMatchObject({
      code: 1,
      err: expect.stringContaining(`no revision v1 in the cache`),
    })
    await run('cache', 'remove', tiny, '--revision', on.commit(tiny).slice(0, 8))
    expect(listBelow(on.root)).toEqual([])
  })

  it('remove frees files of the shared store that no other model uses', async () => {
    const store = (name: string) => join(on.root, 'blobs', name.slice(0, 2), name)
    const link = (model: string, etag: string, name: string) => {
      const blobs = join(folderOf(on.root, model), 'blobs')
      mkdirSync(blobs, { recursive: true })
      symlinkSync(join('../../blobs', name.slice(0, 2), name), join(blobs, etag))
    }
    await run('pull', tiny)
    for (const name of ['aa1', 'bb2']) {
      mkdirSync(dirname(store(name)), { recursive: true })
      writeFileSync(store(name), 'shared')
      link(tiny, name, name)
    }
    link(seed, 'aa1', 'aa1')
    await run('cache', 'remove', tiny)
    expect([store('aa1'), store('bb2')].map((path) => existsSync(path))).toEqual([true, false])
  })

  it('verify takes the hashes of copies from the list that Python keeps', async () => {
    process.env.HF_HUB_DISABLE_SYMLINKS = '1'
    await run('pull', tiny)
    const { oid } = on.entry(tiny, 'config.json')
    const trees = join(folderOf(on.root, tiny), 'trees')
    mkdirSync(trees)
    const files = { 'config.json': { size: 96, blob_id: oid } }
    const tree = JSON.stringify({ format_version: 1, files })
    writeFileSync(join(trees, `${on.commit(tiny)}.json`), tree)
    expect((await run('cache', 'verify')).out).toContain('1 files, 0.0 MB checked; 3 without')
    writeFileSync(join(snapshot(tiny), 'config.json'), '{}')
    expect((await run('cache', 'verify')).out).toContain(`corrupt: ${snapshot(tiny)}/config.json`)
  })

  it('remove takes away all models only with --yes, and nothing but models', async () => {
    for (const name of [tiny, seed]) await run('pull', name)
    writeFileSync(join(on.root, 'CACHEDIR.TAG'), 'kept')
    expect(await run('cache', 'remove')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--yes to remove all models'),
    })
    const { out } = await run('cache', 'remove', '--yes', '--json')
    expect(JSON.parse(out).map(({ name }: { name: string }) => name)).toEqual([tiny, seed])
    expect(listBelow(on.root).map(({ path }) => path)).toEqual(['CACHEDIR.TAG'])
  })
})
