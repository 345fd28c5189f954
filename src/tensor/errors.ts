import { DawnrankError } from '../error.ts'

/** A fault in what an operation is given: `shape-mismatch`, `dtype-mismatch`, `operation-unknown`. */
export class TensorError extends DawnrankError {
  static override readonly name: string = 'TensorError'
}
