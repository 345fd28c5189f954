export { TokenizerError } from './errors.ts'
export type { TextPlaces } from './post-processors.ts'
export { Tokenizer } from './tokenizer.ts'
export { cutIds, truncatePair } from './truncation.ts'
