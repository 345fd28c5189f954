import { GpuError } from '../gpu/errors.ts'
import type { ScoreProgress, ScoreStats } from '../rerankers/index.ts'
import { DevicesError } from './errors.ts'
import type { Method } from './messages.ts'
import { withIndex } from './split.ts'
import type { CallReport, DeviceThread } from './thread.ts'

/** A part of a call, for one device. */
export interface Piece {
  readonly method: Method
  readonly args: readonly unknown[]
  /** Index of its first pair in the call, and its pairs. */
  readonly first: number
  readonly count: number
  /** Tokens, as estimated from the length of its texts. */
  readonly tokens: number
}

/** A device, its threads one after the other. */
interface Slot {
  readonly open: () => Promise<DeviceThread>
  thread: DeviceThread | undefined
  /** Set while a thread is opened in place of one that was lost. */
  opening: Promise<void> | undefined
  /** What the thread was given and has not answered, in order. */
  parts: Part[]
  /** Whether the present thread has answered: one that is lost before is not opened again. */
  hasAnswered: boolean
  /** Faults of the GPU since the last answer. */
  faults: number
}

interface Part {
  readonly piece: Piece
  progress: ScoreProgress
  stats: ScoreStats | undefined
  result: unknown
  /** Devices that were lost as they ran it. */
  losses: number
}

interface Call {
  readonly parts: readonly Part[]
  readonly waiting: Part[]
  readonly report: CallReport
  readonly stop: AbortController
  readonly begun: number
  running: number
  fault: { readonly error: unknown } | undefined
  settle(): void
}

/** A device with so many faults in a row is lost: some faults stay, and it would fail whatever it is given. */
const mostFaults = 2

/** Batches that a device is given ahead: one computes, the next waits. */
const batchesAhead = 2

/** A part that has lost so many devices is not given to another: it may be what they fail at. */
const mostLosses = 2

/**
 * Gives the pieces of calls to devices as these have room, calls in turn. A lost device's pieces go to another one. Only the
 * piece that it ran counts this as a failure, and only if the call began before the loss: a reset of the driver can take
 * several devices at once.
 */
export class Scheduler {
  readonly #slots: Slot[]
  readonly #calls = new Set<Call>()
  #disposed: Error | undefined
  #lastFault: Error | undefined
  #loseAll: (why: Error) => void = () => {}
  /** Resolves when no device is left. */
  readonly lost = new Promise<Error>((resolve) => {
    this.#loseAll = resolve
  })

  /** @param devices open threads, each with what opens another in its place */
  constructor(devices: readonly { thread: DeviceThread; open: () => Promise<DeviceThread> }[]) {
    this.#slots = devices.map(({ thread, open }) => ({
      thread,
      open,
      opening: undefined,
      parts: [],
      hasAnswered: false,
      faults: 0,
    }))
  }

  /** The threads that are open. */
  get threads(): readonly DeviceThread[] {
    return this.#slots.flatMap(({ thread }) => thread ?? [])
  }

  /** How many devices it was given. */
  get size(): number {
    return this.#slots.length
  }

  /**
   * Runs the pieces of a call; their results in order. Settles when none of them is on a device any more.
   *
   * @throws what a piece throws; DevicesError `device-lost`, `disposed`; the signal's reason
   */
  run(pieces: readonly Piece[], report: CallReport): Promise<unknown[]> {
    const { signal } = report
    if (this.#disposed) return Promise.reject(this.#disposed)
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const parts = pieces.map(
        (piece): Part => ({
          piece,
          progress: { done: 0, total: piece.count },
          stats: undefined,
          result: undefined,
          losses: 0,
        }),
      )
      const abort = () => this.#end(call, signal?.reason)
      const call: Call = {
        parts,
        waiting: [...parts],
        report,
        stop: new AbortController(),
        begun: performance.now(),
        running: 0,
        fault: undefined,
        settle: () => {
          if (call.waiting.length > 0 || call.running > 0) return
          this.#calls.delete(call)
          signal?.removeEventListener('abort', abort)
          try {
            if (!call.fault) report.onStats?.(statsOf(call))
          } catch (error) {
            call.fault = { error }
          }
          if (call.fault) reject(call.fault.error)
          else resolve(parts.map(({ result }) => result))
        },
      }
      signal?.addEventListener('abort', abort)
      this.#calls.add(call)
      this.#serve()
    })
  }

  /** Ends all threads; pending calls reject, and so do later ones. */
  async dispose(): Promise<void> {
    this.#disposed ??= new DevicesError('disposed', 'the devices were disposed of; open them again')
    for (const call of [...this.#calls]) this.#end(call, this.#disposed)
    const ends = this.threads.map((thread) => thread.end(this.#disposed as Error))
    const openings = this.#slots.map(({ opening }) => opening)
    for (const slot of this.#slots) slot.thread = undefined
    await Promise.all([...ends, ...openings])
  }

  /** Starts pieces as long as there is one that waits, and a device with room. */
  #serve(): void {
    for (const slot of this.#slots) {
      if (slot.thread?.fault) this.#replace(slot, slot.thread, slot.thread.fault)
    }
    for (;;) {
      const call = [...this.#calls].find(({ waiting }) => waiting.length > 0)
      if (!call) return
      const part = call.waiting[0] as Part
      const slot = this.#roomFor(part.piece)
      if (!slot?.thread) {
        if (this.#hasDevices) return
        this.#end(call, this.#noneLeft())
        continue
      }
      call.waiting.shift()
      // Calls take turns.
      this.#calls.delete(call)
      this.#calls.add(call)
      this.#start(slot, slot.thread, call, part)
    }
  }

  /** The least loaded device, if it has room. */
  #roomFor({ tokens }: Piece): Slot | undefined {
    const open = this.#slots.filter(({ thread }) => thread)
    const [least] = open.sort((a, b) => tokensOf(a) - tokensOf(b))
    if (!least?.thread) return undefined
    const most = batchesAhead * least.thread.info.limits.maxBatchTokens
    return least.parts.length === 0 || tokensOf(least) + tokens <= most ? least : undefined
  }

  async #start(slot: Slot, thread: DeviceThread, call: Call, part: Part): Promise<void> {
    const { method, args } = part.piece
    const onProgress =
      call.report.onProgress && ((now: ScoreProgress) => this.#note(call, part, now))
    const wait = performance.now() - call.begun
    slot.parts.push(part)
    call.running++
    try {
      const onStats = (stats: ScoreStats) => {
        part.stats = { ...stats, queue: stats.queue + wait }
      }
      const report = { signal: call.stop.signal, onProgress, onStats }
      part.result = await thread.call(method, args, report)
      if (slot.thread === thread) Object.assign(slot, { hasAnswered: true, faults: 0 })
    } catch (error) {
      if (error instanceof GpuError) slot.faults++
      if (isLost(error, thread) || slot.faults >= mostFaults) {
        this.#replace(slot, thread, error as Error)
        if (part.losses >= mostLosses) this.#end(call, error)
        else if (!call.fault) call.waiting.unshift(part)
      } else if (!call.fault) this.#end(call, withIndex(error, part.piece.first))
    }
    slot.parts = slot.parts.filter((other) => other !== part)
    call.running--
    call.settle()
    this.#serve()
  }

  /** Reports the progress of all parts. A part that is done over does not take progress back. */
  #note(call: Call, part: Part, { done, total }: ScoreProgress): void {
    part.progress = { done: Math.max(done, part.progress.done), total }
    const sum = (key: keyof ScoreProgress) =>
      call.parts.reduce((total, { progress }) => total + progress[key], 0)
    try {
      if (!call.fault) call.report.onProgress?.({ done: sum('done'), total: sum('total') })
    } catch (error) {
      this.#end(call, error)
    }
  }

  /** Ends a call before its last piece; it rejects with its first fault. */
  #end(call: Call, error: unknown): void {
    call.fault ??= { error }
    call.waiting.length = 0
    call.stop.abort(call.fault.error)
    call.settle()
  }

  /** Takes a lost device out of use, and opens it again if it worked before. */
  #replace(slot: Slot, thread: DeviceThread, why: Error): void {
    this.#lastFault = why
    if (slot.thread !== thread) return
    const [running] = slot.parts
    if (running && !wasLostBefore(why)) running.losses++
    slot.parts = []
    slot.thread = undefined
    const ended = thread.end(why)
    if (!slot.hasAnswered || this.#disposed) {
      this.#noteLoss()
      return
    }
    Object.assign(slot, { hasAnswered: false, faults: 0 })
    slot.opening = ended
      .then(slot.open)
      .then(
        (opened) => {
          if (this.#disposed) return opened.end(this.#disposed)
          slot.thread = opened
        },
        (error: Error) => {
          this.#lastFault = error
        },
      )
      .finally(() => {
        slot.opening = undefined
        this.#noteLoss()
        this.#serve()
      })
  }

  get #hasDevices(): boolean {
    return this.#slots.some(({ thread, opening }) => thread || opening)
  }

  #noteLoss(): void {
    if (!this.#hasDevices && !this.#disposed) this.#loseAll(this.#noneLeft())
  }

  #noneLeft(): DevicesError {
    const cause = this.#lastFault
    const count = this.#slots.length
    return new DevicesError(
      'device-lost',
      `${count === 1 ? 'the only device is' : `all ${count} devices are`} lost (${cause?.message}); open the devices again`,
      { cause },
    )
  }
}

/** What a call took: the texts of all pieces, the wait until the first of them began, and the rest. */
function statsOf({ parts, begun }: Call): ScoreStats {
  const all = parts.flatMap(({ stats }) => stats ?? [])
  const sum = (key: keyof ScoreStats) => all.reduce((total, stats) => total + stats[key], 0)
  const tokenization = sum('tokenization')
  const queue = all.length > 0 ? Math.min(...all.map((stats) => stats.queue)) : 0
  const inference = Math.max(0, performance.now() - begun - tokenization - queue)
  return { tokens: sum('tokens'), tokenization, queue, inference }
}

const tokensOf = ({ parts }: Slot): number =>
  parts.reduce((sum, { piece }) => sum + piece.tokens, 0)

/** Whether the device was gone before the call came. */
const wasLostBefore = (error: unknown): boolean =>
  error instanceof DevicesError && error.code === 'device-lost'

/** Whether the device is gone, not only the call. */
const isLost = (error: unknown, thread: DeviceThread): boolean =>
  error === thread.fault || (error as { code?: unknown } | undefined)?.code === 'device-lost'
