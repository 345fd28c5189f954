/** Device time of one submit: longer work stops a desktop from drawing, and a driver's watchdog may end it. */
const submitMs = 80
/** Floating-point operations in a millisecond until measured: those of a small integrated GPU. */
const firstRate = 2e8
/** Passes that take less say little about the rate: fixed costs weigh too much. */
const leastMs = 20

/** How much work one submit holds on a device: estimated first, then from the times that passes took. */
export class Pace {
  #rate = firstRate
  #lastDone = 0

  /** Floating-point operations for one submit. */
  get submitFlops(): number {
    return this.#rate * submitMs
  }

  /** Notes a pass of so many operations, by when it was submitted and when it was seen to be done, in milliseconds. */
  note(flops: number, submitted: number, done: number): void {
    // Work that was submitted before it held the device until then.
    const ms = done - Math.max(submitted, this.#lastDone)
    this.#lastDone = done
    if (ms >= leastMs) this.#rate = flops / ms
  }
}
