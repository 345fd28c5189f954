import type { Config } from '../checkpoint/index.ts'
import { pairCosine } from '../tensor/pair-cosine.ts'
import { type Batch, packBatch, type Run, type Sequence } from './batch.ts'
import { bert } from './bert.ts'
import { Encoder } from './encoder.ts'
import type { EncoderConfig } from './encoder-config.ts'
import type { WholeFamily } from './family.ts'
import { classifierHead, type Head } from './heads.ts'
import { lastState, pool } from './pooling.ts'

/** Query and passage of each pair of a batch as sequences of their own. */
export interface SplitPairs {
  /** Each query once, each passage. */
  readonly sequences: readonly Sequence[]
  /** Query and passage of each pair as numbers of sequences, [pairs, 2]. */
  readonly pairs: Uint32Array<ArrayBuffer>
}

/**
 * Splits pairs into what a bi-encoder is fed. A pair is `[CLS] query [SEP]` of token type 0 and `passage [SEP]` of type 1;
 * the passage gets a `[CLS]` of its own.
 */
export function splitPairs({ ids, types, ends }: Batch): SplitPairs {
  const sequences: Sequence[] = []
  const queries = new Map<string, number>()
  const pairs = new Uint32Array(2 * ends.length)
  ends.forEach(({ start, length }: Run, i) => {
    const own = ids.subarray(start, start + length)
    const second = types.subarray(start, start + length).indexOf(1)
    const middle = second < 0 ? length : second
    const query = own.subarray(0, middle)
    const key = query.join()
    const known = queries.get(key)
    pairs[2 * i] = known ?? sequences.length
    if (known === undefined) {
      queries.set(key, sequences.length)
      sequences.push({ ids: query })
    }
    pairs[2 * i + 1] = sequences.length
    sequences.push({ ids: Uint32Array.of(own[0] as number, ...own.subarray(middle)) })
  })
  return { sequences, pairs }
}

/**
 * A BERT cross-encoder with a BERT bi-encoder beside it. The score is the cross-encoder's logit plus `similarity_scale` times
 * the cosine of the bi-encoder's mean-pooled states of query and passage (Reimers and Gurevych 2019). The encoders share the
 * table of words. A pair costs about two passes over its passage.
 */
export const bertWithSimilarity: WholeFamily = {
  head: 'classifier',
  config: readConfig,
  declare(config, weights) {
    const sizes = readConfig(config)
    const { similarityScale: scale } = sizes
    const cross = new Encoder(sizes, weights, 'bert')
    const classify = classifierHead(weights, sizes.hidden, bert.classifier)
    const bi = new Encoder(sizes, weights, 'bi_encoder', cross.names, cross.words)
    const head: Head = (tape, state, batch) => {
      const logit = classify(tape, state, batch)
      return tape.scope([logit], () => {
        const { sequences, pairs } = splitPairs(batch)
        const split = packBatch(sequences)
        const pooled = pool(bi, tape, split, { pooling: 'mean', state: lastState(bi, tape, split) })
        const rows = tape.upload(pairs, [batch.ends.length, 2], 'u32')
        return pairCosine(tape, pooled, rows, { scale, add: logit })
      })
    }
    return { backbone: cross, head }
  },
}

function readConfig(config: Config): EncoderConfig & { readonly similarityScale: number } {
  const similarityScale = config.number('similarity_scale', { min: 0 })
  return { ...bert.config(config), similarityScale }
}
