import type { Folder } from '../platform/files.ts'

/** Progress of a download, in bytes; what an earlier download left counts as done. */
export interface DownloadProgress {
  readonly done: number
  readonly total: number
  /** Bytes per second over the last seconds; `undefined` before there is a measurement. */
  readonly bytesPerSecond: number | undefined
  /** Seconds left at this rate. */
  readonly secondsLeft: number | undefined
}

/** Options of a model that is opened by name. */
export interface HubOptions {
  /** A branch, a tag or a commit. Default: `main`. */
  readonly revision?: string | undefined
  /** Stops the downloads. What is there already stays, and the next download resumes there. */
  readonly signal?: AbortSignal | undefined
  /** Called as bytes arrive. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined
}

/** A model of the hub. */
export interface HubFolder extends Folder {
  /** The model's name, such as `BAAI/bge-reranker-v2-m3`. */
  readonly name: string
  readonly commit: string
  /** The folder on the disk; `undefined` in browsers. */
  readonly path: string | undefined
  /** What the caller should know, such as that the hub could not be reached. */
  readonly warnings: readonly string[]
}

/** A file of a commit, as the hub lists it. */
export interface HubFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** SHA-256 of the bytes of a large file (64 digits), git's blob SHA-1 of a small one (40 digits); also the name of its blob. */
  readonly etag: string
}
