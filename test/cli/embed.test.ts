import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { farthest, readEmbeddingFixtures } from '../embedders/fixtures.ts'
import { fixtureFolder } from '../fixtures.ts'
import { session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-embed-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function run(args: readonly string[], input = '') {
  const { stdin, stdout, stderr, run } = session()
  stdin.end(input)
  const code = await run(...args)
  return { code, stdout: stdout.text, stderr: stderr.text }
}

const name = 'embed-bert-mean'
const model = ['--model', fixtureFolder(name), '--dtype', 'f32']
const cases = readEmbeddingFixtures(name)
  .cases.filter(({ kind }) => kind === 'query')
  .slice(0, 4)
const texts = cases.map(({ text }) => text)
const width = cases[0]!.embedding.length
const file = join(folder, 'texts.jsonl')
writeFileSync(
  file,
  texts
    .map(
      (text, id) => `${id === 1 ? JSON.stringify(text) : JSON.stringify({ id: `${id}`, text })}\n`,
    )
    .join('\n'),
)

const expectRows = (rows: ArrayLike<number>[]) => {
  expect(rows.length).toBe(cases.length)
  for (const [i, { embedding }] of cases.entries()) {
    expect(farthest(rows[i] as ArrayLike<number>, embedding)).toBeLessThan(5e-5)
  }
}

it('prints JSON lines of arguments, and of records with their fields', async () => {
  const given = await run(['embed', ...texts, '--kind', 'query', ...model])
  expect(given).toMatchObject({ code: 0, stderr: '' })
  const read = await run(['embed', '--file', file, '--kind', 'query', ...model])
  const lines = [given, read].map(({ stdout }) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  )
  for (const some of lines) expectRows(some.map(({ embedding }) => embedding))
  expect(lines[0]!.map(({ text }) => text)).toEqual(texts)
  expect(lines[1]!.map(({ id, text }) => [id, text])).toEqual(
    texts.map((text, id) => [id === 1 ? undefined : `${id}`, text]),
  )
})

it.each(['npy', 'safetensors'])('writes .%s', async (format) => {
  const output = join(folder, 'new', `out.${format}`)
  const args = ['embed', '--file', file, '--prompt', 'query: ', '--output', output, ...model]
  expect(await run(args)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  const bytes = readFileSync(output)
  const length = format === 'npy' ? 10 + bytes.readUInt16LE(8) : 8 + Number(bytes.readBigUInt64LE())
  const header = bytes.subarray(0, length).toString('latin1')
  expect(header).toContain(format === 'npy' ? `'shape': (4, ${width})` : `"shape":[4,${width}]`)
  expect(length % 8).toBe(0)
  const all = new Float32Array(new Uint8Array(bytes.subarray(length)).buffer)
  expectRows(texts.map((_, i) => all.subarray(i * width, (i + 1) * width)))
})

it('prints the three embeddings of bge-m3', async () => {
  const m3 = readEmbeddingFixtures('embed-bge-m3').cases[0]!
  const { stdout, ...rest } = await run([
    'embed',
    m3.text,
    '--multi',
    '--model',
    fixtureFolder('embed-bge-m3'),
  ])
  expect(rest).toEqual({ code: 0, stderr: '' })
  const { dense, sparse, colbert } = JSON.parse(stdout)
  expect(farthest(dense, m3.embedding)).toBeLessThan(1e-3)
  expect(Object.keys(sparse)).toEqual(Object.keys(m3.sparse!))
  expect(colbert.length).toBe(m3.colbert!.length)
})

it.each<[string[], string, number, RegExp]>([
  [[], 'panda\n', 1, /stdin:1: not JSON; expected a string or an object/],
  [[], '{"text": 1}\n', 1, /stdin:1: no "text" that is a string/],
  [['a', '--file', 'x'], '', 2, /either as arguments or by --file/],
  [['a', '--format', 'npy'], '', 2, /needs --output/],
  [['a', '--multi', '--output', 'x.npy'], '', 2, /only JSON lines hold them/],
  [['a', '--dimensions', '99'], '', 2, /dimensions: found 99/],
  [['a', '--multi'], '', 1, /has no sparse_linear/],
])('embed %j with %j ends with %#', async (args, stdin, code, message) => {
  const found = await run(['embed', ...args, ...model], stdin)
  expect(found.stderr).toMatch(message)
  expect(found.code).toBe(code)
})
