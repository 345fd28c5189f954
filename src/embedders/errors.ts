import { DawnrankError } from '../error.ts'

/**
 * A call that an embedder cannot serve, or files of one that are not computed: `input-invalid`, `input-too-long`,
 * `option-invalid`, `modules-invalid`, `modules-unsupported`, `heads-invalid`, `embedding-not-finite`.
 */
export class EmbedderError extends DawnrankError {
  static override readonly name: string = 'EmbedderError'
}
