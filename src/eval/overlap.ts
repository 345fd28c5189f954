/**
 * Starts one call for each item and gives the results in the items' order, with up to `width` calls
 * begun at a time: while one call's work is on the device, the next can prepare its own.
 */
export async function* overlap<T, R>(
  items: Iterable<T>,
  start: (item: T) => Promise<R>,
  width = 2,
): AsyncGenerator<R> {
  const begun: Promise<R>[] = []
  for (const item of items) {
    const call = start(item)
    // Its error is met when its turn comes. If an earlier call fails, that error is the one told.
    call.catch(() => {})
    begun.push(call)
    if (begun.length >= width) yield await begun.shift()!
  }
  for (const call of begun) yield await call
}
