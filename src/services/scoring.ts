import { z } from 'zod'
import type { Answers } from './answers.ts'
import type { EmbeddingsDialect, RerankDialect } from './dialects.ts'
import { ServiceError } from './errors.ts'
import type { Send } from './requests.ts'
import type { Service } from './services.ts'

/** The scores of the passages of a query. */
export type ServiceScorer = (query: string, passages: readonly string[]) => Promise<number[]>

// As they are kept.
const numbers = z.array(z.number())
const vector = numbers.min(1)

/** Scores by a service: a reranker's scores, or cosines of embeddings. */
export function scorerOver(service: Service, send: Send, answers: Answers): ServiceScorer {
  const { dialect } = service
  return dialect.kind === 'rerank'
    ? rerankScorer({ ...service, dialect }, send, answers)
    : cosineScorer({ ...service, dialect }, send, answers)
}

function rerankScorer(
  { url, model, dialect }: Service & { readonly dialect: RerankDialect },
  send: Send,
  answers: Answers,
): ServiceScorer {
  return async (query, passages) => {
    const scores: number[] = []
    for (const part of parts(passages, dialect.most)) {
      const body = dialect.body(model, query, part)
      const answer = await answers.once({ url, body }, numbers.length(part.length), () =>
        checked(url, async () => dialect.read(await send(body), part.length)),
      )
      scores.push(...answer)
    }
    return scores
  }
}

function cosineScorer(
  { url, model, dialect }: Service & { readonly dialect: EmbeddingsDialect },
  send: Send,
  answers: Answers,
): ServiceScorer {
  const asked = (text: string) => ({ url, model, text })
  // One query at a time: two that share a text would both ask for it.
  let turn: Promise<unknown> = Promise.resolve()
  const embed = async (texts: readonly string[]) => {
    const vectors = new Map<string, readonly number[]>()
    for (const text of texts) {
      const known = await answers.recall(asked(text), vector)
      if (known) vectors.set(text, known)
    }
    const open = texts.filter((text) => !vectors.has(text))
    for (const part of parts(open, dialect.most)) {
      const body = dialect.body(model, part)
      const fresh = await checked(url, async () => dialect.read(await send(body), part.length))
      for (const [i, text] of part.entries()) {
        vectors.set(text, fresh[i]!)
        await answers.keep(asked(text), fresh[i]!)
      }
    }
    return vectors
  }
  return async (query, passages) => {
    const texts = [...new Set([query, ...passages])]
    const before = turn.catch(() => {})
    const mine = before.then(() => embed(texts))
    turn = mine
    const vectors = await mine
    const of = vectors.get(query)!
    return passages.map((passage) => cosine(of, vectors.get(passage)!, url))
  }
}

/** Says which service gave a bad answer. */
async function checked<T>(url: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'answer-invalid') throw error
    throw new ServiceError('answer-invalid', `${url}: ${error.message}`, { cause: error })
  }
}

function cosine(a: readonly number[], b: readonly number[], url: string): number {
  if (a.length !== b.length) {
    throw new ServiceError(
      'answer-invalid',
      `${url}: vectors of ${a.length} and ${b.length} numbers for one model`,
    )
  }
  let [dot, aa, bb] = [0, 0, 0]
  for (const [i, x] of a.entries()) {
    const y = b[i]!
    dot += x * y
    aa += x * x
    bb += y * y
  }
  return dot / Math.sqrt(aa * bb || 1)
}

function* parts<T>(list: readonly T[], most: number): Generator<readonly T[]> {
  for (let i = 0; i < list.length; i += most) yield list.slice(i, i + most)
}
