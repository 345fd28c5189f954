import type { DownloadProgress, HubFile } from './types.ts'

/** The rate is that of the last seconds. */
const windowMs = 5000
/** Milliseconds between two reports. */
const reportMs = 100

/** Adds up the progress of files that are downloaded side by side. */
export class Meter {
  readonly #report: ((progress: DownloadProgress) => void) | undefined
  readonly #files = new Map<string, { size: number; done: number }>()
  /** Bytes received until a time. */
  #samples: { time: number; bytes: number }[] = []
  #received = 0
  #reported = 0

  constructor(report: ((progress: DownloadProgress) => void) | undefined) {
    this.#report = report
  }

  /** Files to count, with the bytes of each that are there already. */
  expect(files: readonly (HubFile & { readonly left?: number })[]): void {
    for (const { path, size, left = 0 } of files) {
      this.#files.set(path, { size, done: Math.min(left, size) })
    }
  }

  /** How much of a file is there, and how much of it just arrived. */
  update(path: string, done: number, arrived = 0): void {
    const file = this.#files.get(path)
    if (!file) return
    file.done = Math.min(done, file.size)
    this.#received += arrived
    const time = performance.now()
    const last = this.#samples.at(-1)
    if (!last || time - last.time >= reportMs) {
      this.#samples.push({ time, bytes: this.#received })
      this.#samples = this.#samples.filter((sample) => time - sample.time <= windowMs)
    }
    if (time - this.#reported >= reportMs || this.#left() === 0) {
      this.#reported = time
      this.#report?.(this.progress(time))
    }
  }

  #left(): number {
    let left = 0
    for (const { size, done } of this.#files.values()) left += size - done
    return left
  }

  progress(time = performance.now()): DownloadProgress {
    let total = 0
    for (const { size } of this.#files.values()) total += size
    const left = this.#left()
    const [first] = this.#samples
    const seconds = first ? (time - first.time) / 1000 : 0
    const rate = first && seconds > 0 ? (this.#received - first.bytes) / seconds : 0
    return {
      done: total - left,
      total,
      bytesPerSecond: rate > 0 ? rate : undefined,
      secondsLeft: rate > 0 ? left / rate : undefined,
    }
  }
}
