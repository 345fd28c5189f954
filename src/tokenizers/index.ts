export { TokenizerError } from './errors.ts'
export { Tokenizer } from './tokenizer.ts'
export { type Truncation, truncatePair } from './truncation.ts'
