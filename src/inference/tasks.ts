/** Where the tasks of one call are begun. */
export interface Tasks<R> {
  /** Aborted when the call is to end: by its own signal, or because a task failed. */
  readonly stop: AbortSignal
  /**
   * Begins a task, and waits until fewer than `width` of them run.
   *
   * @throws the reason of {@link stop}, once that is aborted
   */
  add(task: () => Promise<R>): Promise<void>
}

/**
 * Runs the tasks that `plan` adds, up to `width` side by side. The first failure, or an abort of `signal`, stops the
 * others. Settles only when no task runs any more: what they used may then be freed.
 *
 * @returns the results in the order in which the tasks were added
 * @throws the first failure, or the signal's reason
 */
export async function runTasks<R>(
  signal: AbortSignal | undefined,
  width: number,
  plan: (tasks: Tasks<R>) => Promise<void>,
): Promise<R[]> {
  signal?.throwIfAborted()
  const failed = new AbortController()
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  const fail = (error: unknown) => failed.abort(error)
  const running: Promise<R>[] = []
  const add = async (task: () => Promise<R>) => {
    stop.throwIfAborted()
    const promise = task()
    promise.catch(fail)
    running.push(promise)
    await running.at(-width)
  }
  await plan({ stop, add }).catch(fail)
  const settled = await Promise.allSettled(running)
  stop.throwIfAborted()
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}
