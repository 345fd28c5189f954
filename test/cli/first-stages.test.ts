import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseStage } from '../../src/cli/first-stages.ts'
import { fixtureFolder } from '../fixtures.ts'
import { type Session, session, startWhileHeld } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-stages-'))
const data = join(folder, 'panda')
const model = fixtureFolder('embed-bert-mean')
const m3 = fixtureFolder('embed-bge-m3')
const panda = fileURLToPath(new URL('../fixtures/beir/panda', import.meta.url))
beforeAll(() => cpSync(panda, data, { recursive: true }))
afterAll(() => rmSync(folder, { recursive: true }))

async function run(...args: string[]) {
  const on = session()
  const code = await on.run(...args)
  return { code, stdout: on.stdout.text, stderr: on.stderr.text }
}

const filesOf = (path: string) =>
  Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((file) => [file, readFileSync(join(path, file)).toString('base64')]),
  )

describe('index', () => {
  it('writes an index of a folder and of a file, and goes on with one', async () => {
    const [one, two] = [join(folder, 'new', 'one'), join(folder, 'two')]
    const made = await run('index', data, one, '--model', model)
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(made.stdout).toMatch(/one: 12 passages, \d+ numbers each, in /)
    expect(Object.keys(filesOf(one))).toEqual([
      'blocks.jsonl',
      'ids.jsonl',
      'index.json',
      'vectors.f16',
    ])
    const gz = join(folder, 'corpus.jsonl.gz')
    writeFileSync(gz, gzipSync(readFileSync(join(data, 'corpus.jsonl'))))
    expect(await run('index', gz, two, '--model', model)).toMatchObject({ code: 0 })
    expect(filesOf(two)).toEqual(filesOf(one))
    // As if it was killed before the line of its block was written.
    writeFileSync(join(two, 'blocks.jsonl'), '{"rows":')
    expect(await run('index', gz, two, '--model', model)).toMatchObject({ code: 0 })
    expect(filesOf(two)).toEqual(filesOf(one))
    const again = await run('index', gz, two, '--model', model)
    expect(again.stdout).toContain('; 12 were there already')
    const other = await run('index', gz, two, '--model', model, '--prompt', 'text: ')
    expect(other).toMatchObject({ code: 1 })
    expect(other.stderr).toContain('was made with another prompt')
  })

  it('is written by one process at a time', async () => {
    const [one, shared] = [join(folder, 'alone'), join(folder, 'shared')]
    await run('index', data, one, '--model', model)
    const both = [session(), session()]
    const index = (on: Session) => on.run('index', data, shared, '--model', model)
    expect(await startWhileHeld(join(shared, 'index'), both, index)).toEqual([0, 0])
    const second = both.filter(({ stdout }) => stdout.text.includes('; 12 were there already'))
    expect(second).toHaveLength(1)
    expect(filesOf(shared)).toEqual(filesOf(one))
  })

  it('takes over from a process that was killed', async () => {
    const path = join(folder, 'killed')
    mkdirSync(path)
    const { pid } = spawnSync(process.execPath, ['--version'])
    const machine = `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`
    writeFileSync(join(path, 'index.lock'), JSON.stringify({ machine, pid, token: 'x' }))
    expect(await run('index', data, path, '--model', model)).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(path)).not.toContain('index.lock')
  })

  it.each<[what: string, args: string[], code: number, message: string]>([
    ['no corpus', ['missing'], 1, 'missing'],
    ['a pipe', ['/dev/null'], 2, 'is no plain file'],
    ['several data sets', [''], 2, 'holds several data sets'],
  ])('refuses %s', async (_, [place], code, message) => {
    const all = join(folder, 'all')
    for (const name of ['a', 'b']) cpSync(panda, join(all, name), { recursive: true })
    const result = await run('index', place || all, join(folder, 'x'), '--model', model)
    expect(result.code).toBe(code)
    expect(result.stderr).toContain(message)
  })
})

const measure = (...args: string[]) =>
  run('eval', '--data', data, '--runs-only', '--json', '--resamples', '10', ...args)

interface Report {
  readonly systems: { readonly name: string }[]
}

describe('eval --first-stage', () => {
  it('bm25 gives the figures of the run that is there', async () => {
    const { code, stdout } = await measure(
      '--first-stage',
      'bm25',
      '--run',
      join(data, 'bm25.trec'),
    )
    expect(code).toBe(0)
    const text = stdout.replaceAll(/\s+/g, ' ')
    expect(text.match(/0\.791\d+/g)!.length).toBeGreaterThanOrEqual(2)
    expect(new Set(text.match(/0\.791\d+/g)).size).toBe(1)
  })

  it.each([
    ['hybrid:bm25+run:RUN'],
    [`hybrid:bm25+dense:${model}`],
    [`multi:${m3}`],
    [`multi@1,0.3,1:${m3}`],
    ['run:RUN'],
  ])('makes %s', async (form) => {
    const stage = form.replace('RUN', join(data, 'bm25.trec'))
    const { code, stdout, stderr } = await measure('--first-stage', stage)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect((JSON.parse(stdout) as Report).systems.map(({ name }) => name)).toEqual([stage])
  })

  it('takes a run by its scores, whatever the order of its lines', async () => {
    const lines = readFileSync(join(data, 'bm25.trec'), 'utf8').trim().split('\n')
    const turned = join(folder, 'turned.trec')
    writeFileSync(turned, `${lines.reverse().join('\n')}\n`)
    const means = async (run: string) => {
      const stages = [`run:${run}`, `hybrid:bm25+run:${run}`]
      const { stdout } = await measure('--first-stage', ...stages)
      return JSON.parse(stdout).outcomes.map(({ mean }: { mean: object }) => mean)
    }
    expect(await means(turned)).toEqual(await means(join(data, 'bm25.trec')))
  })

  it('keeps vectors', async () => {
    const indexes = join(folder, 'indexes')
    const args = ['--indexes', indexes, '--first-stage', `dense:${model}`]
    const first = await measure(...args)
    expect(first).toMatchObject({ code: 0, stderr: '' })
    const [name, ...others] = readdirSync(join(indexes, 'panda'))
    expect(others).toEqual([])
    const files = filesOf(join(indexes, 'panda', name!))
    expect(await measure(...args)).toEqual(first)
    expect(filesOf(join(indexes, 'panda', name!))).toEqual(files)
  })

  it('searches an index that is there, unless it is of something else', async () => {
    const index = join(folder, 'made')
    await run('index', data, index, '--model', model, '--dtype', 'f32')
    const stage = ['--first-stage', `index:${index}`]
    const found = await measure(...stage)
    expect(found).toMatchObject({ code: 0, stderr: '' })
    const corpus = join(data, 'corpus.jsonl')
    const text = readFileSync(corpus, 'utf8')
    writeFileSync(corpus, text.replace('panda', 'Panda'))
    expect((await measure(...stage)).stderr).toContain('is the index of another corpus')
    writeFileSync(corpus, text)
    const settings = join(index, 'index.json')
    const json = readFileSync(settings, 'utf8')
    writeFileSync(settings, json.replace(/"modelFiles": "..../, '"modelFiles": "'))
    expect((await measure(...stage)).stderr).toContain('was made with other files of')
    expect((await measure('--first-stage', `index:${data}`)).stderr).toContain('has no index.json')
  })

  it('reranks what it finds', async () => {
    const on = session()
    const args = ['--data', data, '--first-stage', 'bm25', '--top', '3']
    expect(await on.run('eval', ...args)).toBe(0)
    expect(on.stdout.text).toMatch(/8 judged queries; numbers on the first 3 of bm25\n/)
    expect(on.stdout.text).toContain('20 pairs in')
  })

  it('asks for a first stage', async () => {
    const { code, stderr } = await measure()
    expect(code).toBe(2)
    expect(stderr).toContain('--first-stage bm25')
  })
})

it.each<[text: string, spec: ReturnType<typeof parseStage>]>([
  ['bm25', { kind: 'bm25' }],
  ['dense', { kind: 'dense', model: undefined }],
  ['dense:BAAI/bge-m3', { kind: 'dense', model: 'BAAI/bge-m3' }],
  ['dense:C:\\models\\a', { kind: 'dense', model: 'C:\\models\\a' }],
  ['index:a/b', { kind: 'index', folder: 'a/b' }],
  ['run:a/b.trec', { kind: 'run', file: 'a/b.trec' }],
  ['multi:m', { kind: 'multi', model: 'm', weights: undefined }],
  [
    'multi@1,0.3,1:m',
    { kind: 'multi', model: 'm', weights: { dense: 1, sparse: 0.3, colbert: 1 } },
  ],
  ['hybrid', { kind: 'hybrid', parts: [{ kind: 'bm25' }, { kind: 'dense', model: undefined }] }],
  [
    'hybrid:dense:m+run:x',
    {
      kind: 'hybrid',
      parts: [
        { kind: 'dense', model: 'm' },
        { kind: 'run', file: 'x' },
      ],
    },
  ],
])('reads %s', (text, spec) => {
  expect(parseStage(text)).toEqual(spec)
})

it.each([
  '',
  'bm26',
  'bm25:x',
  'run',
  'run:',
  'dense:',
  'hybrid:bm25',
  'multi@1,1:m',
  'multi@1,1,x:m',
  'multi@1,1,1,1:m',
  'dense@1,1,1:m',
  'hybrid:bm25+x',
])('refuses %j', (text) => {
  expect(() => parseStage(text)).toThrow('expected bm25, dense')
})
