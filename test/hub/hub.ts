import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { fixtureFolder } from '../fixtures.ts'
import { startHubMock } from './hub-mock.mjs'

type Hub = Awaited<ReturnType<typeof startHubMock>>

/** A model that loads, and the one that the mock comes with. */
export const seed = 'seed/tiny'
export const tiny = 'acme/tiny-reranker'

const variables = [
  'HF_ENDPOINT',
  'HF_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'XDG_CACHE_HOME',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_TOKEN_PATH',
  'HF_HUB_OFFLINE',
  'TRANSFORMERS_OFFLINE',
  'HF_HUB_DISABLE_SYMLINKS',
  'HF_HUB_DOWNLOAD_TIMEOUT',
  'HF_HUB_ETAG_TIMEOUT',
]

/** A hub on this machine for the tests of a file, with an empty cache for each test. */
export function useHub(options: { xet?: boolean; page?: number } = {}) {
  const temporary = mkdtempSync(join(tmpdir(), 'dawnrank-hub-'))
  const before = new Map(variables.map((name) => [name, process.env[name]]))
  const state = { home: '', hub: undefined as unknown as Hub }

  beforeAll(async () => {
    state.hub = await startHubMock({
      repos: { [seed]: fixtureFolder('xlm-roberta-514'), 'seed/shards': fixtureFolder('gemma') },
      ...options,
    })
  })
  beforeEach(() => {
    state.hub.reset()
    const { refs, commits } = state.hub.repo(tiny) as Repo
    refs.set('main', [...commits.keys()].at(-1) as string)
    for (const name of variables) delete process.env[name]
    state.home = mkdtempSync(join(temporary, 'home-'))
    process.env.HF_ENDPOINT = state.hub.url
    process.env.HF_HOME = state.home
  })
  afterEach(() => rmSync(state.home, { recursive: true, force: true }))
  afterAll(async () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    await state.hub.close()
    rmSync(temporary, { recursive: true, force: true })
  })
  return {
    get hub() {
      return state.hub
    },
    /** HF_HOME. */
    get home() {
      return state.home
    },
    /** The cache. */
    get root() {
      return join(state.home, 'hub')
    },
    commit: (name: string, ref = 'main') => (state.hub.repo(name) as Repo).refs.get(ref) as string,
    entry(name: string, path: string, ref = 'main'): Entry {
      const { commits, refs } = state.hub.repo(name) as Repo
      return commits.get(refs.get(ref) as string)?.entries.get(path) as Entry
    },
    /** The requests of files, as `path range`. */
    asked: () =>
      state.hub.requests
        .filter(({ on }) => on === 'cdn')
        .map(({ path, range }) => `${String(path).split('/').at(-1)} ${range}`),
  }
}

interface Repo {
  readonly commits: Map<string, { entries: Map<string, Entry> }>
  readonly refs: Map<string, string>
}

interface Entry {
  readonly path: string
  readonly bytes: Buffer
  readonly oid: string
  readonly sha?: string
}

/** The folder of a model in a cache. */
export const folderOf = (root: string, name: string): string =>
  join(root, `models--${name.replaceAll('/', '--')}`)

/** A file below a folder: the target of a link, the size of another file. */
export interface Listed {
  readonly path: string
  readonly kind: 'file' | 'link'
  readonly to?: string
  readonly size?: number
}

export function listBelow(root: string): Listed[] {
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry): Listed => {
      const file = join(entry.parentPath, entry.name)
      const path = relative(root, file)
      const info = lstatSync(file)
      return info.isSymbolicLink()
        ? { path, kind: 'link', to: readlinkSync(file) }
        : { path, kind: 'file', size: info.size }
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** What must never be in a cache: blobs with other bytes than their name says, links that lead nowhere, locks that stayed. */
export function faultsOf(root: string): string[] {
  return listBelow(root).flatMap(({ path, kind }) => {
    const file = join(root, path)
    if (kind === 'link' && !existsSync(file)) return [`${path} leads nowhere`]
    if (path.startsWith('.locks/') && !path.endsWith('dawnrank.lock')) return []
    if (path.startsWith('.locks/') || path.endsWith('.tmp')) return [`${path} stayed`]
    const [, name] = /\/blobs\/(\w+)$/.exec(path) ?? []
    const bytes = readFileSync(file)
    if (name === undefined || kind === 'link' || hashOf(name, bytes) === name) return []
    return [`${path} has other bytes`]
  })
}

const hashOf = (name: string, bytes: Buffer): string =>
  name.length === 64
    ? createHash('sha256').update(bytes).digest('hex')
    : createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

/** Leaves what a download that was cut off leaves. */
export function leavePartial(root: string, name: string, etag: string, bytes: Uint8Array): string {
  const path = join(folderOf(root, name), 'blobs', `${etag}.dawnrank.incomplete`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
  return path
}
