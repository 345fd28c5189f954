import { SingleBar } from 'cli-progress'
import type { LoadProgress } from '../rerankers/index.ts'
import type { Io } from './io.ts'

/** A bar on stderr; nothing at all where stderr is no terminal or the user wants none. */
export interface Progress {
  /** Begins a stretch of work, in place of the one before. */
  start(label: string, total: number): void
  update(done: number, note?: string): void
  stop(): void
}

const none: Progress = { start() {}, update() {}, stop() {} }

/** The progress of a command that was given `--no-progress` or not. */
export function progressOn({ stderr }: Io, wanted: boolean): Progress {
  if (!wanted || !stderr.isTTY) return none
  let bar: SingleBar | undefined
  let goal = 0
  const stop = () => {
    bar?.stop()
    bar = undefined
  }
  return {
    stop,
    start(label, total) {
      stop()
      goal = total
      const format = `${label} [{bar}] {percentage}% | {value}/{total} | {eta_formatted} left {note}`
      const options = { stream: stderr, clearOnComplete: true, gracefulExit: false, barsize: 24 }
      bar = new SingleBar({ ...options, format, hideCursor: true, emptyOnZero: true })
      bar.start(total, 0, { note: '' })
    },
    update: (done, note = '') => bar?.update(Math.min(done, goal), { note }),
  }
}

/** Shows a download on a bar, with its rate and the time left. */
export function downloadProgress(bar: Progress): (progress: Omit<LoadProgress, 'phase'>) => void {
  let begun = 0
  return ({ done, total, bytesPerSecond, secondsLeft }) => {
    // The shards of a model are known only when its index is there.
    if (begun !== total) bar.start('downloading, in MB', megabytes(total))
    begun = total
    const rate = bytesPerSecond === undefined ? '' : `| ${(bytesPerSecond / 1e6).toFixed(1)} MB/s`
    const left = secondsLeft === undefined ? '' : ` | ${Math.ceil(secondsLeft)} s left`
    bar.update(megabytes(done), rate + left)
  }
}

/** Bytes as the bars show them. */
export const megabytes = (bytes: number): number => Math.ceil(bytes / 1e6)
