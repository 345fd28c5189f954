import { execFileSync, spawn } from 'node:child_process'
import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFile } from '../../src/platform/server.ts'
import { expectFreshBuild, root } from '../portability/cases.ts'
import { type Session, session } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'dawnrank-input-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
/** A named pipe; `content` is written once somebody reads. */
function pipe(name: string, ...content: (string | Uint8Array)[]): string {
  const path = join(folder, name)
  execFileSync('mkfifo', [path])
  if (content.length > 0) {
    const writer = createWriteStream(path)
    for (const part of content) writer.write(part)
    writer.end()
  }
  return path
}
function link(name: string, target: string): string {
  symlinkSync(target, join(folder, name))
  return join(folder, name)
}
const passages = ({ stdout }: Session) =>
  stdout.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).passage)

describe('input', () => {
  const members = Buffer.concat([gzipSync('a 4\nb 3\n'), gzipSync('c 2\nd 1\n'), gzipSync('')])
  const text = 'a 4\nb 3\nc 2\nd 1\n'
  it.each<[string, () => string]>([
    ['a plain file', () => file('plain', text)],
    ['gzip of several members', () => file('members', members)],
    ['gzip that zeros pad', () => file('padded', Buffer.concat([members, Buffer.alloc(512)]))],
    ['plain text with the name of gzip', () => file('plain.gz', text)],
    ['a named pipe', () => pipe('fifo', 'a 4\nb', ' 3\nc 2\n', 'd 1')],
    ['gzip from a named pipe', () => pipe('fifo.gz', members.subarray(0, 3), members.subarray(3))],
    ['a link to a pipe', () => link('link', pipe('far', text))],
  ])('is read from %s', async (_, path) => {
    const on = session()
    expect(await on.run('rerank', '-q', 'q', '--file', path())).toBe(0)
    expect(passages(on)).toEqual(['a 4', 'b 3', 'c 2', 'd 1'])
  })

  it.each(['-', '/dev/stdin', '/dev/fd/0'])('is read from stdin by the name %s', async (name) => {
    for (const content of [Buffer.from(text), members]) {
      const on = session()
      on.stdin.end(content)
      expect(await on.run('rerank', '-q', 'q', '--file', name)).toBe(0)
      expect(passages(on)).toEqual(['a 4', 'b 3', 'c 2', 'd 1'])
    }
  })

  it('is answered as a pipe gives it', async () => {
    const path = pipe('slow')
    const on = session()
    const done = on.run('rerank', '--file', path)
    const writer = createWriteStream(path)
    for (let i = 1; i <= 2; i++) {
      writer.write(`{"query":"q","passage":"${i}"}\n`)
      await expect.poll(() => on.stdout.text).toContain(`"score":${i}`)
    }
    writer.end()
    expect(await done).toBe(0)
  })

  it('is also pairs of layers, a run and the files of a folder', async () => {
    const layers = session()
    const records = pipe('records', '{"query":"q","passages":["a 1"]}\n')
    expect(await layers.run('layers', '--no-times', '--file', records)).toBe(0)
    expect(layers.stdout.text).toContain('1 pair of 1 query')

    mkdirSync(join(folder, 'data', 'qrels'), { recursive: true })
    const data = join(folder, 'data')
    pipe('data/corpus.jsonl', '{"_id":"d","text":"1"}\n')
    pipe('data/queries.jsonl', '{"_id":"q","text":"?"}\n')
    pipe('data/qrels/test.tsv', 'q\td\t1\n')
    const on = session()
    on.stdin.end(gzipSync('q Q0 d 1 1 t\n'))
    expect(await on.run('eval', '--data', data, '--run', '-', '--json')).toBe(0)
    expect(JSON.parse(on.stdout.text).reranked['nDCG@10']).toBe(1)
  })

  it.each<[string, string, string]>([
    ['a folder', folder, 'is a folder; expected a file'],
    ['nothing', join(folder, 'none'), 'there is no such file'],
    ['what is below a file', join(file('plain2', ''), 'x'), 'there is no such file'],
  ])('is refused where there is %s', async (_, path, message) => {
    for (const args of [
      ['rerank', '-q', 'q', '--file', path],
      ['layers', '--file', path],
    ]) {
      const on = session()
      expect(await on.run(...args)).toBe(1)
      expect(on.stderr.text).toBe(`dawnrank: ${path}: ${message}\n`)
    }
  })

  it('names a kind of file that it cannot read, and the remedy', async () => {
    const on = session()
    const path = file('x.zst', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 4, 0]))
    expect(await on.run('rerank', '-q', 'q', '--file', path)).toBe(1)
    expect(on.stderr.text).toMatch(/x\.zst: found zstd data; expected UTF-8 text.*zstd -dc\n$/)
  })

  it('refuses a pipe where files are read in any order', async () => {
    const source = await openFile(pipe('model'))
    await expect(source!.read(0, 1)).rejects.toMatchObject({
      code: 'file-unreadable',
      message: expect.stringContaining('model: is a pipe or a device'),
    })
    await source!.close()
  })
})

describe('the command', () => {
  beforeAll(expectFreshBuild)
  const model = ['--model', 'test/fixtures/xlm-roberta-514/model']

  it.skipIf(process.platform === 'win32')(
    'takes <(…), and ends at once with 130 where a pipe never does',
    async () => {
      const cli = `${process.execPath} cli/dist/cli.js`
      const script = `${cli} rerank -q panda ${model.join(' ')} --file <(printf 'one\\ntwo\\n')`
      const printed = execFileSync('bash', ['-c', script], {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      expect(printed.match(/"passage":"(one|two)"/g)).toHaveLength(2)

      const waiting = spawn(
        process.execPath,
        ['cli/dist/cli.js', 'rerank', '-q', 'x', ...model, '--file', pipe('endless')],
        { cwd: root },
      )
      let told = ''
      waiting.stderr.on('data', (chunk) => {
        told += chunk
      })
      await new Promise((later) => setTimeout(later, 1500))
      waiting.kill('SIGINT')
      const code = await new Promise((resolve) => waiting.on('exit', resolve))
      expect(told).toContain('dawnrank: stopped')
      expect(code).toBe(130)
    },
  )
})
