import { DawnrankError } from '../error.ts'

/**
 * A fault of the surroundings: `file-unreadable` (a file that exists cannot be read), `file-unwritable`,
 * `folder-missing` (a path that is no folder), `webgpu-missing` (no WebGPU here).
 */
export class PlatformError extends DawnrankError {}
