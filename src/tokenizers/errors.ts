import { DawnrankError } from '../error.ts'

/**
 * A fault of a tokenizer or of what it was given:
 * - `tokenizer-missing`: no tokenizer file where one was looked for;
 * - `tokenizer-invalid`: a file that is damaged or contradicts itself;
 * - `tokenizer-unsupported`: a well-formed file that asks for something this library does not do;
 * - `tokenizer-input`: an argument that is no text, no known id, or too long;
 * - `tokenizer-no-unk`: a text holds an unknown character and the model has no piece for it.
 */
export class TokenizerError extends DawnrankError {
  static override readonly name: string = 'TokenizerError'
}
