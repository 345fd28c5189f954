import { DawnrankError } from '../error.ts'

/**
 * A fault of several devices or of their use: `option-invalid`, `adapter-missing`, `device-lost` where no device is left,
 * `thread-failed` where a worker thread ended, `disposed`.
 */
export class DevicesError extends DawnrankError {
  static override readonly name: string = 'DevicesError'
}
