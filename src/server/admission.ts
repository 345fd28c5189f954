import { ServerError } from './errors.ts'

/** The place of an accepted request. */
export interface Ticket {
  /** Notes how many of its documents have their scores. */
  progress(done: number): void
  /** Frees the place. */
  leave(): void
}

/** How much may be accepted and not answered yet. */
export interface AdmissionLimits {
  readonly maxConcurrentRequests: number
  readonly maxWaitingDocuments: number
  /** Milliseconds that a request may take, the wait included. */
  readonly maxWaitMs: number
}

const maxRetrySeconds = 60

/** Documents by which the speed is known well enough to refuse what would take too long. */
const measuredDocuments = 100

/** The bounded queue: the requests that are accepted, and their documents without a score. */
export class Admission {
  #requests = 0
  #waiting = 0
  #busySince = 0
  #doneSince = 0
  #empty: (() => void)[] = []

  constructor(readonly limits: AdmissionLimits) {}

  /** Requests that are accepted and not answered. */
  get requests(): number {
    return this.#requests
  }

  /** Documents of accepted requests that have no score yet. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Takes a place for a request with so many documents.
   *
   * @throws ServerError `overloaded`
   */
  enter(documents: number): Ticket {
    const { maxConcurrentRequests, maxWaitingDocuments, maxWaitMs } = this.limits
    if (this.#requests >= maxConcurrentRequests) {
      const ahead = this.#waiting / this.#requests
      throw this.#overloaded(`${this.#requests} requests`, ahead)
    }
    const excess = this.#waiting + documents - maxWaitingDocuments
    if (this.#waiting > 0 && excess > 0) {
      throw this.#overloaded(`${this.#waiting} documents`, excess)
    }
    const wait = this.#msFor(this.#waiting + documents)
    if (this.#doneSince >= measuredDocuments && wait > maxWaitMs) {
      const late = (documents * (wait - maxWaitMs)) / wait
      throw this.#overloaded(`${this.#waiting} documents`, Math.max(1, late))
    }
    if (this.#requests === 0) {
      this.#busySince = performance.now()
      this.#doneSince = 0
    }
    this.#requests++
    this.#waiting += documents
    return this.#ticket(documents)
  }

  /** Resolves when no accepted request is left. */
  async whenEmpty(): Promise<void> {
    if (this.#requests === 0) return
    await new Promise<void>((resolve) => this.#empty.push(resolve))
  }

  #ticket(documents: number): Ticket {
    let done = 0
    let left = false
    return {
      progress: (now) => {
        if (left) return
        const more = Math.min(documents, Math.max(done, now)) - done
        done += more
        this.#waiting -= more
        this.#doneSince += more
      },
      leave: () => {
        if (left) return
        left = true
        this.#waiting -= documents - done
        this.#requests--
        if (this.#requests > 0) return
        for (const resolve of this.#empty.splice(0)) resolve()
      },
    }
  }

  /** Milliseconds that so many documents take at the speed since the server is busy; 0 where that is unknown. */
  #msFor(documents: number): number {
    if (this.#doneSince === 0) return 0
    return (documents * (performance.now() - this.#busySince)) / this.#doneSince
  }

  /** Tells to come back when so many documents are done. */
  #overloaded(found: string, documents: number): ServerError {
    const seconds = Math.ceil(this.#msFor(documents) / 1000)
    const retryAfter = Math.min(maxRetrySeconds, Math.max(1, seconds))
    return new ServerError(
      'overloaded',
      `the queue is full: ${found} wait; retry after ${retryAfter} s`,
      { retryAfter },
    )
  }
}
