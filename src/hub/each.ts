/** Downloads at once. */
const atOnce = 4

/**
 * Works on items, a few at a time. The first fault stops the others by the signal that they are given, and is thrown once all
 * have settled.
 */
export async function forEach<T>(
  items: readonly T[],
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  signal?.throwIfAborted()
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort)
  const faults: unknown[] = []
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) {
      if (stop.signal.aborted) return
      try {
        await work(item, stop.signal)
      } catch (fault) {
        faults.push(fault)
        stop.abort(fault)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  signal?.removeEventListener('abort', onAbort)
  signal?.throwIfAborted()
  if (faults.length > 0) throw faults[0]
}
