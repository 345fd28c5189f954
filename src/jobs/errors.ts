import { DawnrankError } from '../error.ts'

/**
 * A fault of offline jobs: `package-missing` (npm packages that this part needs), `option-invalid`, `redis-unreachable`,
 * `run-missing`, `run-mismatch` (enqueued before from other input or with other settings), `run-unfinished`,
 * `model-mismatch` (a run that was begun with another model's files), `device-failed` (the worker cannot go on).
 */
export class JobsError extends DawnrankError {
  static override readonly name: string = 'JobsError'
}
