/** One row of the profile: all dispatches of a kernel under one name. */
export interface ProfileRow {
  readonly kernel: string
  readonly operation: string
  calls: number
  milliseconds: number
  flops: number
}

/** What the dispatches of a label are summed under: labels that differ only in the number of a layer share an entry. */
export const operationOf = (label: string): string => label.replace(/\.\d+\./g, '.*.')

/** Dispatches timed in one batch; timestamp query sets hold at most 4,096 entries. */
const capacity = 2048

/** Time of every dispatch by timestamp queries, summed by kernel and operation. */
export class Profile {
  readonly rows = new Map<string, ProfileRow>()
  readonly #queries: GPUQuerySet
  readonly #resolved: GPUBuffer
  readonly #staging: GPUBuffer
  #pending: { kernel: string; operation: string; flops: number }[] = []

  constructor(device: GPUDevice) {
    const size = 16 * capacity
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * capacity })
    this.#resolved = device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    })
    this.#staging = device.createBuffer({
      size,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    })
  }

  /** Where the next dispatch writes its times; past the capacity a batch's dispatches share the last entry. */
  next(kernel: string, label: string, flops: number): GPUComputePassTimestampWrites {
    if (this.#pending.length < capacity) {
      this.#pending.push({ kernel, operation: operationOf(label), flops })
    }
    const at = 2 * (this.#pending.length - 1)
    return { querySet: this.#queries, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 }
  }

  resolve(encoder: GPUCommandEncoder): void {
    const count = 2 * this.#pending.length
    encoder.resolveQuerySet(this.#queries, 0, count, this.#resolved, 0)
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 8 * count)
  }

  /** Adds the times of the batch that has just run. */
  async collect(mapForReading: (times: GPUBuffer) => Promise<void>): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    await mapForReading(this.#staging)
    const times = new BigUint64Array(this.#staging.getMappedRange().slice(0, 16 * pending.length))
    this.#staging.unmap()
    pending.forEach(({ kernel, operation, flops }, index) => {
      const key = `${kernel} ${operation}`
      const row = this.rows.get(key) ?? { kernel, operation, calls: 0, milliseconds: 0, flops: 0 }
      const [start = 0n, end = 0n] = times.subarray(2 * index)
      row.calls++
      row.milliseconds += Number(end - start) / 1e6
      row.flops += flops
      this.rows.set(key, row)
    })
  }

  /** Leaves out the dispatches of a batch that does not run to its end. */
  forget(): void {
    this.#pending = []
  }

  /** The rows as a table, the longest first. */
  table(): string {
    const rows = [...this.rows.values()].sort((a, b) => b.milliseconds - a.milliseconds)
    const total = rows.reduce((sum, row) => sum + row.milliseconds, 0)
    const lines = rows.map(({ kernel, operation, calls, milliseconds, flops }) =>
      [
        kernel.padEnd(20),
        operation.padEnd(52),
        String(calls).padStart(6),
        milliseconds.toFixed(2).padStart(10),
        (flops / milliseconds / 1e6 || 0).toFixed(1).padStart(9),
        `${((100 * milliseconds) / total).toFixed(1)}%`.padStart(7),
      ].join(' '),
    )
    const head = `${'kernel'.padEnd(20)} ${'operation'.padEnd(52)}  calls         ms   GFLOP/s   share`
    return [head, ...lines].join('\n')
  }

  destroy(): void {
    this.#queries.destroy()
    this.#resolved.destroy()
    this.#staging.destroy()
  }
}
