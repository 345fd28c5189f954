import { DawnrankError } from '../error.ts'

/**
 * A fault of the surroundings: `file-unreadable` (a file that exists cannot be read), `file-changed` (another file came
 * in its place while it was read), `file-unwritable`, `folder-missing` (a path that is no folder), `place-invalid`
 * (something that is no place of a model, or does not tell which), `model-missing` (the package of an embedded model is not
 * installed), `webgpu-missing` (no WebGPU here).
 */
export class PlatformError extends DawnrankError {
  static override readonly name: string = 'PlatformError'
}
