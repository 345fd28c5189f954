export { TokenizerError } from './errors.ts'
export { Tokenizer } from './tokenizer.ts'
export { cutIds, truncatePair } from './truncation.ts'
