import { type Config, show } from '../checkpoint/index.ts'
import { pairCosine } from '../tensor/pair-cosine.ts'
import { type Batch, type PairTexts, packBatch, type Sequence } from './batch.ts'
import { bert } from './bert.ts'
import { unsupported } from './config-keys.ts'
import { Encoder } from './encoder.ts'
import type { EncoderConfig } from './encoder-config.ts'
import { ModelError } from './errors.ts'
import type { EncoderFamily, WholeFamily } from './family.ts'
import { classifierHead, type Head } from './heads.ts'
import { lastState, pool } from './pooling.ts'
import { xlmRoberta } from './xlm-roberta.ts'

/** Query and passage of each pair of a batch as sequences of their own. */
export interface SplitPairs {
  /** Each query once, each passage. */
  readonly sequences: readonly Sequence[]
  /** Query and passage of each pair as numbers of sequences, [pairs, 2]. */
  readonly pairs: Uint32Array<ArrayBuffer>
}

/** Token ids that stand before the text of a query or of a passage, such as E5's "query:". */
type Prefixes = Readonly<Record<keyof PairTexts, readonly number[]>>

/** What the config says of the bi-encoder. */
interface SimilarityConfig {
  readonly similarityScale: number
  readonly similarityLayers: number
  readonly prefixes: Prefixes
}

/**
 * Splits pairs into what a bi-encoder is fed: first token of the pair, prefix, text, last token of the pair. Of a text that
 * does not fit into `longest` tokens the end is cut: prefixes may be longer than what the other text takes in the pair.
 */
export function splitPairs(
  { ids, ends }: Batch,
  { prefixes, longest }: { readonly prefixes: Prefixes; readonly longest: number },
): SplitPairs {
  const sequences: Sequence[] = []
  const queries = new Map<string, number>()
  const pairs = new Uint32Array(2 * ends.length)
  for (const [i, { start, length, texts }] of ends.entries()) {
    if (!texts)
      throw new ModelError('internal', 'internal: a pair does not say where its texts are')
    const own = ids.subarray(start, start + length)
    const idsOf = (name: keyof PairTexts) => {
      const room = Math.max(0, longest - prefixes[name].length - 2)
      const text = own.subarray(texts[name].start, texts[name].end).subarray(0, room)
      const [first, last] = [own[0] as number, own[length - 1] as number]
      return Uint32Array.of(first, ...prefixes[name], ...text, last)
    }
    const query = idsOf('query')
    const key = query.join()
    const known = queries.get(key)
    pairs[2 * i] = known ?? sequences.length
    if (known === undefined) {
      queries.set(key, sequences.length)
      sequences.push({ ids: query })
    }
    pairs[2 * i + 1] = sequences.length
    sequences.push({ ids: idsOf('passage') })
  }
  return { sequences, pairs }
}

/**
 * A cross-encoder with a bi-encoder of the same kind beside it. The score is the cross-encoder's logit plus `similarity_scale`
 * times the cosine of the bi-encoder's mean-pooled states of query and passage (Reimers and Gurevych 2019). The encoders
 * share the table of words. A pair costs the cross-encoder's layers over all of it, and the bi-encoder's over its passage.
 */
const withSimilarity = (cross: EncoderFamily): WholeFamily => ({
  head: 'classifier',
  config: (config) => readConfig(config, cross),
  declare(config, weights) {
    const { prefixes, ...sizes } = readConfig(config, cross)
    const { hidden, similarityScale: scale, similarityLayers: layers } = sizes
    weights.backbone = cross.prefix
    const backbone = new Encoder(sizes, weights, cross.prefix, cross.names?.(weights))
    const classify = classifierHead(weights, hidden, cross.classifier)
    const { names, words, maxTokens: longest } = backbone
    const bi = new Encoder({ ...sizes, layers }, weights, 'bi_encoder', names, words)
    const head: Head = (tape, state, batch) => {
      const logit = classify(tape, state, batch)
      return tape.scope([logit], () => {
        const { sequences, pairs } = splitPairs(batch, { prefixes, longest })
        const split = packBatch(sequences)
        const pooled = pool(bi, tape, split, { pooling: 'mean', state: lastState(bi, tape, split) })
        const rows = tape.upload(pairs, [batch.ends.length, 2], 'u32')
        return pairCosine(tape, pooled, rows, { scale, add: logit })
      })
    }
    return { backbone, head }
  },
})

/** Of BERT, as all-MiniLM is. */
export const bertWithSimilarity = withSimilarity(bert)

/** Of XLM-RoBERTa, as multilingual-e5 is. */
export const xlmRobertaWithSimilarity = withSimilarity(xlmRoberta)

function readConfig(config: Config, cross: EncoderFamily): EncoderConfig & SimilarityConfig {
  const similarityScale = config.number('similarity_scale', { min: 0 })
  const own = config.integer('similarity_layers', { min: 1, max: 1024, default: undefined })
  const section = config.section('similarity_prefixes')
  // Before the family warns of keys that nothing has read.
  const idsOf = (name: keyof PairTexts) => section?.integers(name, { min: 0, default: [] }) ?? []
  const prefixes = { query: idsOf('query'), passage: idsOf('passage') }
  const [unknown] = section?.unread() ?? []
  if (unknown !== undefined) {
    throw unsupported(
      config,
      'similarity_prefixes',
      `expected "query" and "passage", not ${show(unknown)}`,
    )
  }
  const sizes = cross.config(config)
  for (const [name, ids] of Object.entries(prefixes)) checkPrefix(config, sizes, name, ids)
  return { ...sizes, similarityScale, similarityLayers: own ?? sizes.layers, prefixes }
}

/** Throws unless the ids of a prefix are rows of the table of words, and leave room for a text. */
function checkPrefix(
  { file }: Config,
  { vocab, positions }: EncoderConfig,
  name: string,
  ids: readonly number[],
): void {
  const where = `${file}: "similarity_prefixes", ${show(name)}`
  const wrong = ids.find((id) => id >= vocab)
  if (wrong !== undefined) {
    throw new ModelError(
      'config-unsupported',
      `${where} has token id ${wrong}; the model's vocabulary has ${vocab} rows`,
    )
  }
  const most = Math.floor(positions / 2)
  if (ids.length > most) {
    throw new ModelError(
      'config-unsupported',
      `${where} has ${ids.length} tokens; with ${positions} positions expected at most ${most}, to leave room for a text`,
    )
  }
}
