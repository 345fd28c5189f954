import type { BaseNodePostprocessor } from '@llamaindex/core/postprocessor'
import { RetrieverQueryEngine } from '@llamaindex/core/query-engine'
import type { BaseSynthesizer } from '@llamaindex/core/response-synthesizers'
import { BaseRetriever } from '@llamaindex/core/retriever'
import { Document, type NodeWithScore } from '@llamaindex/core/schema'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DawnrankRerank } from '../../src/adapters/llamaindex.ts'
import { Reranker } from '../../src/index.ts'
import { fakeRanker, optionsOf, query, texts, tiny } from './models.ts'

const nodes: NodeWithScore[] = texts.map((text, page) => ({
  node: new Document({ text, metadata: { page } }),
  score: 0.5,
}))

let reranker: Reranker
beforeAll(async () => {
  reranker = await Reranker.load(tiny)
})
afterAll(() => reranker.dispose())

class Everything extends BaseRetriever {
  // The constructor is protected.
  static readonly instance = new Everything()

  override async _retrieve(): Promise<NodeWithScore[]> {
    return nodes
  }
}

it('reranks what a query engine retrieves', async () => {
  const postprocessor: BaseNodePostprocessor = new DawnrankRerank({ model: reranker, topN: 3 })
  const noAnswer = {} as BaseSynthesizer
  const engine = new RetrieverQueryEngine(Everything.instance, noAnswer, [postprocessor])
  const contents = nodes.map(({ node }) => node.getContent('ALL' as never))
  expect(contents[1]).toContain('page: 1')
  const rows = await reranker.rank(query, contents, { normalize: true, topN: 3 })
  const expected = rows.map(({ index, score }) => ({ node: nodes[index]!.node, score }))
  for (const asked of [query, { query }]) expect(await engine.retrieve(asked)).toEqual(expected)
  expect(nodes.every(({ score }) => score === 0.5)).toBe(true)
})

it.each<[options: object, expected: number[]]>([
  [{}, [1, 3]],
  [{ topN: 1 }, [1]],
  [{ topN: 4, minScore: 0.3 }, [1, 3, 0]],
])('with %o gives the nodes %o', async (options, expected) => {
  const ranker = fakeRanker([0.3, 0.9, 0.1, 0.5])
  const found = await new DawnrankRerank({ ...options, model: ranker }).postprocessNodes(
    nodes,
    query,
  )
  expect(found.map(({ node }) => nodes.findIndex((one) => one.node === node))).toEqual(expected)
})

it.each<[message: unknown, expected: string | RegExp]>([
  [query, query],
  [
    [{ type: 'text', text: 'what is' }, { type: 'image_url' }, { type: 'text', text: 'panda?' }],
    'what is\n\npanda?',
  ],
  [{ query }, query],
  ['', ''],
  [undefined, /^query: found undefined; expected a string/],
  [[{ type: 'image_url' }], /^query: found a list of 1; expected a string, or a message/],
  [3, /^query: found 3/],
  [[null], /^query: found a list of 1; expected a string, or a message/],
])('takes of the message %o the text %o', async (message, expected) => {
  const ranker = fakeRanker([1, 2, 3, 4])
  const found = new DawnrankRerank({ model: ranker }).postprocessNodes(nodes, message as string)
  if (typeof expected !== 'string') return expect(found).rejects.toThrow(expected)
  await found
  expect(ranker.rank.mock.lastCall?.[0]).toBe(expected)
})

it('gives nothing for no nodes, with or without a query', async () => {
  const postprocessor = new DawnrankRerank({ model: '/no/such/folder' })
  expect(await postprocessor.postprocessNodes([])).toEqual([])
  expect(await postprocessor.postprocessNodes([], query)).toEqual([])
})

it('rejects for no nodes, too, once it is aborted or disposed of', async () => {
  const postprocessor = new DawnrankRerank({ model: '/no/such/folder' })
  const reason = new Error('enough')
  const aborted = { signal: AbortSignal.abort(reason) }
  await expect(postprocessor.postprocessNodes([], query, aborted)).rejects.toBe(reason)
  postprocessor.dispose()
  const disposed = { code: 'disposed' }
  await expect(postprocessor.postprocessNodes([], query)).rejects.toMatchObject(disposed)
})

it.each<[what: string, nodes: unknown, options: object, message: RegExp]>([
  ['no list', undefined, {}, /^nodes: found undefined; expected a list of nodes/],
  ['a node without content', [{}], {}, /^nodes\[0\]: found an object; expected \{ node, score \}/],
  ['no node', [null], {}, /^nodes\[0\]: found null/],
  ['content that is no text', [{ node: { getContent: () => 3 } }], {}, /^nodes\[0\]: found an/],
  ['an unknown option', nodes, { topN: 1 }, /^topN: there is no such .* takes signal$/],
])('refuses %s', async (_, wrong, options, message) => {
  const postprocessor = new DawnrankRerank({ model: fakeRanker([1, 2, 3, 4]) })
  const call = postprocessor.postprocessNodes(wrong as NodeWithScore[], query, options)
  await expect(call).rejects.toThrow(message)
  expect(() => new DawnrankRerank({ rank: { topN: 1 } as object })).toThrow(/^topN: the options/)
})

it('loads a model, stops, frees it, and refuses options that it does not know', async () => {
  const postprocessor = new DawnrankRerank({ model: tiny })
  const stop = new AbortController()
  const stopped = postprocessor.postprocessNodes(nodes, query, stop)
  stop.abort(new Error('enough'))
  await expect(stopped).rejects.toThrow('enough')
  expect(await postprocessor.postprocessNodes(nodes, query)).toHaveLength(2)
  postprocessor.dispose()
  await expect(postprocessor.postprocessNodes(nodes, query)).rejects.toMatchObject({
    code: 'disposed',
  })
  expect(() => new DawnrankRerank({ topK: 2 } as object)).toThrow(/^topK: there is no such option/)
})

it('passes the options of rank on', async () => {
  const ranker = fakeRanker([1, 2, 3, 4])
  const rank = { normalize: false, maxLength: 99 }
  await new DawnrankRerank({ model: ranker, rank }).postprocessNodes(nodes, query)
  expect(optionsOf(ranker.rank)).toMatchObject({ ...rank, topN: 2 })
})
