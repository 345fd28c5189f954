/**
 * Joins calls that are made side by side: while one lot is being answered, the calls that come are kept, and answered as the
 * next.
 *
 * @param answer gives the result of each item
 */
export function together<Item, Result>(
  answer: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  let waiting: { item: Item; resolve: (result: Result) => void; reject: (why: unknown) => void }[] =
    []
  let isRunning = false
  const run = async () => {
    isRunning = true
    // Calls of the same turn come along.
    await Promise.resolve()
    while (waiting.length > 0) {
      const lot = waiting
      waiting = []
      try {
        const results = await answer(lot.map(({ item }) => item))
        for (const [i, { resolve }] of lot.entries()) resolve(results[i] as Result)
      } catch (error) {
        for (const { reject } of lot) reject(error)
      }
    }
    isRunning = false
  }
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!isRunning) run()
    })
}
