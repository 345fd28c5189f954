import { DawnrankError } from '../error.ts'

/**
 * A call that a reranker cannot serve: `input-invalid`, `option-invalid`, `score-not-finite`,
 * `self-test-failed`, `disposed`.
 */
export class RerankerError extends DawnrankError {}
