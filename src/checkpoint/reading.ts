import type { Checkpoint } from './checkpoint.ts'
import type { TensorInfo } from './safetensors.ts'

export type Bytes = Uint8Array<ArrayBuffer>

/** Rows of each tensor of a {@link Job} as in the file. */
export type Pieces = readonly [Bytes, ...Bytes[]]

/** Takes rows as they are read; `row` counts from the first one of the job. */
export type TakeRows = (pieces: Pieces, row: number, rows: number) => void

/** Rows of one tensor, or the same rows of several side by side, that are to be read. */
export interface Job {
  readonly tensors: readonly [TensorInfo, ...TensorInfo[]]
  /** The first row, and how many. */
  readonly row: number
  readonly rows: number
  /** Pieces are a multiple of so many rows. */
  readonly group: number
  /** Set where everything is to be read at once. */
  readonly whole?: boolean | undefined
  /** Makes the place that the rows go to. */
  open(): TakeRows
}

export interface ReadProgress {
  /** Bytes read so far, and in all. */
  readonly done: number
  readonly total: number
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined
}

/** Bytes read at a time. Used pieces stay in memory until they are collected: larger ones would fill the host. */
const pieceBytes = 2 * 2 ** 20

/** Reads under way at a time, where they are small. */
const mostReads = 8

/**
 * Reads jobs in file order, in pieces, of which small ones are read ahead: most tensors
 * are small, and each read takes its turn in the system. Settles when nothing is read any more.
 *
 * @throws the signal's reason; what reading or taking throws
 */
export async function readJobs(
  checkpoint: Checkpoint,
  jobs: readonly Job[],
  { signal, onProgress }: ReadOptions = {},
): Promise<void> {
  const inFileOrder = jobs.toSorted(
    ({ tensors: [a] }, { tensors: [b] }) => a.file.localeCompare(b.file) || a.start - b.start,
  )
  const parts = inFileOrder.flatMap((job) => partsOf(job, job.open()))
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0)
  const reads: Promise<Pieces>[] = []
  let begun = 0
  let reading = 0
  let done = 0
  try {
    for (const { take, row, rows, bytes } of parts) {
      for (const part of parts.slice(begun, begun + mostReads)) {
        if (reads.length === mostReads || (reads.length > 0 && reading + part.bytes > pieceBytes))
          break
        const read = readPart(checkpoint, part)
        // Nobody waits for it where one before it fails.
        read.catch(() => {})
        reads.push(read)
        reading += part.bytes
        begun++
      }
      const pieces = (await reads.shift()) as Pieces
      reading -= bytes
      signal?.throwIfAborted()
      take(pieces, row, rows)
      done += bytes
      onProgress?.({ done, total })
    }
  } finally {
    // The files are closed after a fault, which must not come while they are read.
    await Promise.allSettled(reads)
  }
}

/** Rows that are read at a time, and what takes them. */
interface Part {
  readonly tensors: Job['tensors']
  /** The first row of the job; `row` counts from it. */
  readonly from: number
  readonly row: number
  readonly rows: number
  readonly bytes: number
  readonly take: TakeRows
}

function partsOf({ tensors, row: from, rows: all, group, whole }: Job, take: TakeRows): Part[] {
  const rowBytes = tensors.reduce((sum, tensor) => sum + storedRowBytes(tensor), 0)
  const step = whole ? all : Math.max(1, Math.floor(pieceBytes / rowBytes / group)) * group
  const parts: Part[] = []
  for (let row = 0; row < all; row += step) {
    const rows = Math.min(step, all - row)
    parts.push({ tensors, from, row, rows, bytes: rows * rowBytes, take })
  }
  return parts
}

async function readPart(
  checkpoint: Checkpoint,
  { tensors: [first, ...others], from, row, rows }: Part,
): Promise<Pieces> {
  const read = (tensor: TensorInfo) => {
    const bytes = storedRowBytes(tensor)
    return checkpoint.read(tensor, (from + row) * bytes, (from + row + rows) * bytes)
  }
  const pieces: [Bytes, ...Bytes[]] = [await read(first)]
  for (const tensor of others) pieces.push(await read(tensor))
  return pieces
}

/** Bytes of a row of a tensor in the file; a vector is one row. */
const storedRowBytes = ({ shape, bytes }: TensorInfo): number =>
  shape.length > 1 ? bytes / (shape[0] as number) : bytes
