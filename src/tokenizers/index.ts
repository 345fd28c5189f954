export { TokenizerError } from './errors.ts'
export { Tokenizer } from './tokenizer.ts'
