import { DawnrankError } from '../error.ts'

/**
 * A model that cannot be run, or an input it cannot take: `architecture-unsupported`, `config-unsupported`,
 * `sequence-too-long`, `token-out-of-range`, `memory-insufficient`, and `internal`
 * where the fault is ours.
 */
export class ModelError extends DawnrankError {
  static override readonly name: string = 'ModelError'
}
