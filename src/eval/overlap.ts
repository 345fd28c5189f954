/**
 * Calls `start` for each item and yields the results in the order of the items. Up to `width` calls run at a
 * time, so that one can prepare its work while the device runs another's.
 */
export async function* overlap<T, R>(
  items: Iterable<T>,
  start: (item: T) => Promise<R>,
  width = 2,
): AsyncGenerator<R> {
  const begun: Promise<R>[] = []
  for (const item of items) {
    const call = start(item)
    // Its error is thrown in its turn, unless an earlier call fails first.
    call.catch(() => {})
    begun.push(call)
    if (begun.length >= width) yield await begun.shift()!
  }
  for (const call of begun) yield await call
}
