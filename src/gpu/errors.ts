import { DawnrankError } from '../error.ts'

/**
 * A fault of the GPU or of its use: `adapter-missing`, `device-lost`, `disposed`, `limit-exceeded`,
 * `out-of-memory`, `shader-invalid`, `kernel-unknown`, `operation-failed`, and `internal` where the fault is ours.
 */
export class GpuError extends DawnrankError {
  static override readonly name: string = 'GpuError'
}
