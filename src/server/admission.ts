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
}

const maxRetrySeconds = 60

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
    const { maxConcurrentRequests, maxWaitingDocuments } = this.limits
    if (this.#requests >= maxConcurrentRequests) {
      const ahead = this.#waiting / this.#requests
      throw this.#overloaded(`${this.#requests} requests`, ahead)
    }
    const excess = this.#waiting + documents - maxWaitingDocuments
    if (this.#waiting > 0 && excess > 0) {
      throw this.#overloaded(`${this.#waiting} documents`, excess)
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

  /** Whole seconds until so many documents are done, by the speed so far. */
  #overloaded(found: string, documents: number): ServerError {
    const seconds = (performance.now() - this.#busySince) / 1000
    const wait = this.#doneSince > 0 ? (documents * seconds) / this.#doneSince : 1
    const retryAfter = Math.min(maxRetrySeconds, Math.max(1, Math.ceil(wait)))
    return new ServerError(
      'overloaded',
      `the queue is full: ${found} wait; retry after ${retryAfter} s`,
      { retryAfter },
    )
  }
}
