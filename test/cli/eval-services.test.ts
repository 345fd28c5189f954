import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Api, answerOf, startApi } from '../services/api.ts'
import { session } from './helpers.ts'

const data = fileURLToPath(new URL('../fixtures/beir/panda', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'dawnrank-eval-services-'))
let api: Api
beforeAll(async () => {
  api = await startApi(answerOf)
})
afterAll(async () => {
  await api.close()
  rmSync(folder, { recursive: true })
})
afterEach(() => {
  vi.unstubAllEnvs()
  api.received.splice(0)
})

/** Runs `dawnrank eval` on a service whose answers are kept in a folder. */
async function evaluate(cache: string, ...more: string[]) {
  vi.stubEnv('XDG_CACHE_HOME', join(folder, cache))
  vi.stubEnv('CO_API_URL', api.url)
  vi.stubEnv('OPENAI_BASE_URL', api.url)
  vi.stubEnv('CO_API_KEY', 'secret')
  vi.stubEnv('OPENAI_API_KEY', 'secret')
  const on = session()
  const args = ['--data', data, '--run', join(data, 'bm25.trec'), '--top', '3', ...more]
  const code = await on.run('eval', ...args)
  return { code, out: on.stdout.text, err: on.stderr.text }
}

describe('eval of services', () => {
  it('says the cost, reranks, and is billed once', async () => {
    const run = join(folder, 'a.trec')
    const first = await evaluate('a', '--model', 'cohere:rerank-v3.5', '--out', run)
    expect(first.err).toMatch(
      /^cohere:rerank-v3\.5: at most 8 requests with about [\d,]+ tokens, about \$0\.02; answers are kept in .*services\n$/,
    )
    expect(first.code).toBe(0)
    expect(first.out).toMatch(/8 judged queries; cohere:rerank-v3\.5 on the first 3 of bm25\.trec/)
    expect(readFileSync(run, 'utf8')).toContain('dawnrank-cohere:rerank-v3.5\n')
    expect(readFileSync(`${run}.settings.json`, 'utf8')).not.toContain('secret')
    expect(api.received).toHaveLength(8)
    const again = await evaluate('a', '--model', 'cohere:rerank-v3.5', '--json')
    expect(JSON.parse(again.out)).toMatchObject({ model: 'cohere:rerank-v3.5', queries: 8 })
    expect(api.received).toHaveLength(8)
  })

  it('compares services', async () => {
    const url = `${api.url}/v2/rerank#other`
    const models = ['cohere:rerank-v3.5', 'openai:text-embedding-3-small', url]
    const { code, out } = await evaluate('b', '--model', ...models, '--json')
    expect(code).toBe(0)
    for (const model of models) expect(out).toContain(`"${model}"`)
  })

  it.each([
    [['cohere:rerank-v3.5', '--max-cost', '0.01'], 'may cost $0.02, more than --max-cost 0.01'],
    [['cohere:rerank-v9', '--max-cost', '1'], 'the price of cohere:rerank-v9 is not known'],
    [['cohere:rerank-v9', '--max-cost', '1', '--price', '200'], 'may cost $1.60'],
    [['cohere:a', '--cutoff-layer', '3'], 'cohere:a is a service: it has no layers to choose'],
    [['cohere:a@3'], 'cohere:a is a service: it has no layers to choose'],
    [
      ['cohere:rerank-v3.5', 'jina:a'],
      'jina:a: needs a key of jina in the environment variable JINA_API_KEY',
    ],
    [['voyage:a'], 'voyage:a: needs a key of voyage in the environment variable VOYAGE_API_KEY'],
    [
      ['cohere:a', '--max-cost', '0.00001', '--price', '0.004'],
      'may cost $0.000032, more than --max-cost 0.00001',
    ],
    [
      ['http://u:hush@a/rerank', '--cutoff-layer', '3'],
      'http://…@a/rerank: expected a URL without',
    ],
    [['cohere:a', '--price', 'much'], 'Expected an amount such as 2 or 0.5.'],
  ])('refuses %j before it asks', async (args, message) => {
    const { code, err } = await evaluate('c', '--model', ...args)
    expect(code).not.toBe(0)
    expect(err).toContain(message)
    expect(err).not.toContain('hush')
    expect(api.received).toHaveLength(0)
  })

  it('asks nothing where answers cannot be kept', async () => {
    writeFileSync(join(folder, 'file'), '')
    const { code, err } = await evaluate('file', '--model', 'cohere:a')
    expect([code, err]).toEqual([1, expect.stringContaining('services cannot be kept here (E')])
    expect(api.received).toHaveLength(0)
  })
})
