import type { Kinds } from './kinds.ts'

/** Browsers import kinds when a tokenizer needs them. */
export const kindsAtOnce: Kinds | undefined = undefined
