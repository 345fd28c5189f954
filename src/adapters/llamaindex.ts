/**
 * LlamaIndex.TS: a node postprocessor that reranks. Its packages are no longer maintained, so that what is used of their
 * interfaces (`@llamaindex/core` 0.6) is written out here.
 *
 * @module dawnrank/llamaindex
 */
import type { Held } from './held.ts'
import {
  type Best,
  bestKinds,
  holdReranker,
  type Ranker,
  type RankSettings,
  type RerankerSettings,
  rankSettings,
  rankTexts,
  rerankerKinds,
} from './models.ts'
import { aborter, checkOptions, isObject, wrong } from './options.ts'

export { AdapterError } from './errors.ts'
export type { Best, Ranker, RankSettings, RerankerSettings }

/** A node, of which the text is read, with its score. */
export interface NodeWithScore {
  readonly node: {
    /** The text, with `MetadataMode.ALL` after the node's metadata. */
    getContent(mode: never): string
  }
  readonly score?: number | undefined
}

/** LlamaIndex's `MetadataMode.ALL`. Its type is an enum, which a string is not assignable to. */
const all = 'ALL' as never

/** A message: its text, or parts, of which those of the type `text` count. */
export type MessageContent = string | readonly { readonly type: string }[]

/** Options of {@link DawnrankRerank}; `topN` is 2 unless given. */
export interface DawnrankRerankOptions extends RerankerSettings, Best {}

/** Reranks the nodes that a query engine retrieved. A reranker that is not given is loaded by the first call. */
export class DawnrankRerank {
  readonly #best: Best
  readonly #reranker: Held<Ranker>
  readonly #settings: RankSettings

  constructor(options: DawnrankRerankOptions = {}) {
    checkOptions('DawnrankRerank', options, { ...rerankerKinds, ...bestKinds })
    this.#best = { topN: options.topN ?? 2, minScore: options.minScore }
    this.#settings = rankSettings(options)
    this.#reranker = holdReranker(options)
  }

  /**
   * The best nodes, best first, with the reranker's score; what was given stays as it is.
   *
   * @throws AdapterError `input-invalid` where there is no query, and for what is no node
   */
  async postprocessNodes<Node extends NodeWithScore>(
    nodes: readonly Node[],
    query?: MessageContent,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<(Node & { readonly score: number })[]> {
    checkOptions('postprocessNodes', options, { signal: aborter })
    const { signal } = options
    this.#reranker.check(signal)
    const texts = contentsOf(nodes)
    if (texts.length === 0) return []
    const call = { ...this.#settings, ...this.#best, signal }
    const rows = await rankTexts(this.#reranker, textOf(query), texts, call)
    return rows.map(({ index, score }) => ({ ...(nodes[index] as Node), score }))
  }

  /** Frees the reranker, unless it was given. */
  dispose(): void {
    this.#reranker.dispose()
  }

  /** `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** The texts of nodes, checked. */
function contentsOf(nodes: unknown): string[] {
  if (!Array.isArray(nodes)) throw wrong('nodes', nodes, 'a list of nodes with their scores')
  return Array.from(nodes, (one: unknown, i) => {
    const node = isObject(one) ? one.node : undefined
    if (isObject(node) && typeof node.getContent === 'function') {
      const content: unknown = node.getContent(all)
      if (typeof content === 'string') return content
    }
    throw wrong(`nodes[${i}]`, one, '{ node, score }, where getContent of the node gives a text')
  })
}

/** The text of a message, as LlamaIndex's `extractText` has it. */
function textOf(message: unknown): string {
  if (typeof message === 'string') return message
  if (Array.isArray(message)) {
    const texts = message.flatMap((part: unknown) =>
      isObject(part) && part.type === 'text' ? [String(part.text)] : [],
    )
    if (texts.length > 0) return texts.join('\n\n')
  }
  if (isObject(message) && 'query' in message) return textOf(message.query)
  throw wrong('query', message, 'a string, or a message with parts of the type text')
}
