import type { Tokenizer } from '../tokenizers/index.ts'
import { RerankerError } from './errors.ts'
import { show } from './options.ts'

/** Settings of the LLM rerankers when nothing is said (`BaseLLMReranker`, `LayerWiseLLMReranker`). */
export const llmDefaults = {
  maxLength: { flag: 512, plain: 1024 },
  queryInstruction: 'A: ',
  passageInstruction: 'B: ',
  prompt:
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a prediction of either 'Yes' or 'No'.",
} as const

/**
 * What inputs begin with: bos, unless it is the padding token too; `always` puts it there even then. Where files and
 * class leave open whether there is one, inputs would begin without bos unseen, and that is a fault.
 */
export function bosOf({ bosId, padId, tellsBos }: Tokenizer, always: boolean): number[] {
  if (bosId !== undefined) return always || bosId !== padId ? [bosId] : []
  if (tellsBos && !always) return []
  throw new RerankerError(
    'option-invalid',
    'the tokenizer names no bos_token, with which inputs begin; name it in tokenizer_config.json, or the tokenizer_class that has one',
  )
}

/** The first token of a word. */
export function wordId(tokenizer: Tokenizer, word: string): number {
  const [id] = tokenizer.encode(word)
  if (id !== undefined) return id
  throw new RerankerError('input-invalid', `the tokenizer gives no token for ${show(word)}`)
}
