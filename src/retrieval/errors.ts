import { DawnrankError } from '../error.ts'

/**
 * A first stage that cannot be made or asked: `option-invalid`, `vectors-invalid`, `index-mismatch` (made with another model
 * or of another corpus), `index-incomplete`, `index-damaged`, `similarity-unsupported`, `passage-missing`, `query-missing`.
 */
export class RetrievalError extends DawnrankError {
  static override readonly name: string = 'RetrievalError'
}
