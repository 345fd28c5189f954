import { DawnrankError } from '../error.ts'

/** A fault in what an operation is given: `shape-mismatch`, `dtype-mismatch`. */
export class TensorError extends DawnrankError {}
