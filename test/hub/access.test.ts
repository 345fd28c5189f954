import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isHubName } from '../../src/hub/names.ts'
import { fetchModel } from '../../src/hub/node.ts'
import { faultsOf, tiny, useHub } from './hub.ts'

const on = useHub({ xet: true, page: 2 })
const good = 'hf_good'
const secret = 'acme/private-reranker'
const gated = 'acme/gated-reranker'

const refusal = (name: string, revision?: string) =>
  fetchModel(name, { revision }).then(
    () => undefined,
    ({ code, message }) => `${code}: ${message}`,
  )

describe('a token', () => {
  it.each([
    ['HF_TOKEN', good],
    ['HUGGING_FACE_HUB_TOKEN', good],
  ])('of %s opens private and gated models, and goes to the hub alone', async (variable, token) => {
    process.env[variable] = token
    for (const name of [secret, gated]) await fetchModel(name)
    expect(on.hub.leaks).toBe(0)
    expect(on.hub.requests.every(({ on, auth }) => auth === (on === 'hub'))).toBe(true)
    expect(faultsOf(on.root)).toEqual([])
  })

  it.each([
    ['HF_TOKEN_PATH', 'elsewhere/token'],
    [undefined, 'token'],
  ])('of the file of %s is read, without the white space around it', async (variable, file) => {
    const path = join(on.home, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `\n ${good}\n`)
    if (variable) process.env[variable] = path
    await fetchModel(secret)
  })

  it('that the hub rejects, or that cannot be one, is an error that does not show it', async () => {
    for (const token of ['hf_bad', 'hf bad', 'hf_bäd', 'hf_\u0007']) {
      process.env.HF_TOKEN = token
      const message = await refusal(tiny)
      expect(message).toMatch(/^token-invalid: .*HF_TOKEN/)
      expect(message).not.toContain(token)
    }
  })

  it('of another form than those of the hub is taken all the same', async () => {
    process.env.HF_TOKEN = 'a.b.c'
    expect(await refusal(tiny)).toMatch(/^token-invalid: .*the hub rejects the token/)
    expect(on.hub.requests.some(({ auth }) => auth)).toBe(true)
  })
})

describe('what cannot be had says what to do', () => {
  const cases: [what: string, name: string, token: string | undefined, message: RegExp][] = [
    [
      'a gated model',
      gated,
      undefined,
      /^gated: acme\/gated-reranker: gated; accept the licence at http:.*\/acme\/gated-reranker, then set HF_TOKEN to a token of/,
    ],
    [
      'a private model',
      secret,
      undefined,
      /^repo-missing: .* has no such model, or it is private .* set HF_TOKEN/,
    ],
    [
      'a model that is not there',
      'acme/none',
      undefined,
      /^repo-missing: .* has no such model, .* set HF_TOKEN/,
    ],
    [
      'a model that is not there, with a token',
      'acme/none',
      good,
      /^repo-missing: .* the token must be of an account that may read it/,
    ],
  ]
  it.each(cases)('%s', async (_, name, token, message) => {
    if (token) process.env.HF_TOKEN = token
    expect(await refusal(name)).toMatch(message)
    expect(on.hub.leaks).toBe(0)
  })

  it('a gated model, with a token of an account without access', async () => {
    process.env.HF_TOKEN = good
    on.hub.set('status=403,code=GatedRepo,on=hub')
    expect(await refusal(gated)).toMatch(
      /^gated: .* the account of the token has no access; accept the licence at/,
    )
  })

  it('a revision that is not there', async () => {
    expect(await refusal(tiny, 'v9')).toMatch(
      /^revision-missing: acme\/tiny-reranker: no revision "v9"; .*\/tree\/main lists/,
    )
    expect(await refusal(tiny, 'f'.repeat(40))).toMatch(/^revision-missing: /)
  })

  it('an endpoint that is none, or where nobody is', async () => {
    process.env.HF_ENDPOINT = 'huggingface.co'
    expect(await refusal(tiny)).toMatch(
      /^endpoint-invalid: HF_ENDPOINT: found "huggingface.co"; expected a URL/,
    )
    process.env.HF_ENDPOINT = 'http://127.0.0.1:9/'
    expect(await refusal(tiny)).toMatch(/^unreachable: acme\/tiny-reranker: cannot be fetched \(/)
  })

  it.each(['../up', 'a\\b', 'a b', 'refs/../..', '/etc', 'x.lock', '', 'a//b'])(
    'the revision %j',
    async (revision) => {
      expect(await refusal(tiny, revision)).toMatch(/^name-invalid: /)
      expect(on.hub.requests).toEqual([])
    },
  )
})

describe('a repository', () => {
  const edit = (changes: Record<string, string | undefined>) => {
    const { commits, refs } = on.hub.repo(tiny)
    const { entries } = commits.get(refs.get('main') as string) as { entries: Map<string, unknown> }
    const before = new Map(entries)
    const some = entries.get('config.json') as object
    for (const [path, to] of Object.entries(changes)) {
      entries.delete(path)
      if (to) entries.set(to, { ...some, path: to })
    }
    return () => {
      entries.clear()
      for (const [path, entry] of before) entries.set(path, entry)
    }
  }
  const cases: [what: string, changes: Record<string, string | undefined>, message: RegExp][] = [
    [
      'without safetensors',
      { 'model.safetensors': undefined },
      /^files-missing: .*no model\.safetensors .*it has .*pytorch_model\.bin.* Convert once in Python/,
    ],
    [
      'without config.json',
      { 'config.json': undefined },
      /^files-missing: .*no config\.json, .*; it has /,
    ],
    [
      'of a LoRA adapter',
      { 'model.safetensors': 'adapter_config.json' },
      /^files-missing: .*LoRA adapter .* Merge them once/,
    ],
    [
      'with an index that names no files',
      { 'model.safetensors': 'model.safetensors.index.json' },
      /^files-missing: .*does not name/,
    ],
  ]
  it.each(cases)('%s is an error that says what it has', async (_, changes, message) => {
    const undo = edit(changes)
    try {
      expect(await refusal(tiny)).toMatch(message)
    } finally {
      undo()
    }
  })

  it('of several pages is listed to the end, also one with Xet storage', async () => {
    await fetchModel(tiny)
    const pages = on.hub.requests.filter(({ path }) => String(path).includes('cursor='))
    expect(pages.length).toBeGreaterThan(2)
    expect(faultsOf(on.root)).toEqual([])
  })
})

describe('a name', () => {
  it.each(['gpt2', 'BAAI/bge-reranker-v2-m3', 'a/b', 'org_1/model.v2', 'a1/b_'])(
    'can be %s',
    (name) => {
      expect(isHubName(name)).toBe(true)
    },
  )
  it.each([
    '',
    '/a',
    'a/',
    'a/b/c',
    './a',
    '../a',
    'a/..',
    '-a/b',
    'a/b-',
    'a--b',
    'a/b.git',
    'C:\\a',
    'a b',
    'ä',
    '.a',
    `a/${'b'.repeat(97)}`,
  ])('cannot be %j', (name) => {
    expect(isHubName(name)).toBe(false)
  })
})
