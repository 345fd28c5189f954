import { DawnrankError } from '../error.ts'

/**
 * A call that a reranker cannot serve: `input-invalid`, `input-too-long`, `option-invalid`, `score-not-finite`,
 * `self-test-failed`, `disposed`.
 */
export class RerankerError extends DawnrankError {
  static override readonly name: string = 'RerankerError'
}
