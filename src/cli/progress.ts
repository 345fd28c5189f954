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

/** The option of commands that show a bar. */
export const noProgressOption = [
  '--no-progress',
  'no progress bar (there is none if stderr is not a terminal)',
] as const

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

type Counts = Pick<LoadProgress, 'done' | 'total'>

/**
 * Shows bytes on a bar. It begins anew where the total changes: the shards of a model are known only when its index is
 * there, and each of several devices adds its weights.
 */
export function bytesProgress(
  bar: Progress,
  label: string,
): (progress: Counts, note?: string) => void {
  let shown: number | undefined
  return ({ done, total }, note) => {
    if (shown !== total) bar.start(`${label}, in MB`, megabytes(total))
    shown = total
    bar.update(megabytes(done), note)
  }
}

/** Shows a download on a bar, with its rate and the time left. */
export function downloadProgress(bar: Progress): (progress: Omit<LoadProgress, 'phase'>) => void {
  const show = bytesProgress(bar, 'downloading')
  return ({ bytesPerSecond, secondsLeft, ...counts }) => {
    const rate = bytesPerSecond === undefined ? '' : `| ${(bytesPerSecond / 1e6).toFixed(1)} MB/s`
    const left = secondsLeft === undefined ? '' : ` | ${Math.ceil(secondsLeft)} s left`
    show(counts, rate + left)
  }
}

/** Shows the loading of a model on a bar, after its download where there is one. */
export function loadProgress(bar: Progress): (progress: LoadProgress) => void {
  const onDownload = downloadProgress(bar)
  const onLoad = bytesProgress(bar, 'loading')
  return (progress) => (progress.phase === 'download' ? onDownload : onLoad)(progress)
}

/** Bytes as the bars show them. */
export const megabytes = (bytes: number): number => Math.ceil(bytes / 1e6)
