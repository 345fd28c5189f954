import type { Passage } from './first-stage.ts'

/**
 * A corpus without the passages that a later one of their id replaces: of an id that is there several times, the last passage
 * counts, as BEIR reads it.
 *
 * @param passages the corpus from its start; read twice
 */
export async function* uniquePassages(
  passages: () => AsyncIterable<Passage>,
): AsyncGenerator<Passage> {
  const last = new Map<string, number>()
  const replaced = new Set<number>()
  let count = 0
  for await (const { id } of passages()) {
    const before = last.get(id)
    if (before !== undefined) replaced.add(before)
    last.set(id, count++)
  }
  last.clear()
  let place = 0
  for await (const passage of passages()) if (!replaced.has(place++)) yield passage
}
