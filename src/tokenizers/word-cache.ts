import type { Ids } from './buffers.ts'
import { slotOfHash } from './hashing.ts'

const slotBits = 16
const slotCount = 2 ** slotBits
// A slot holds the word's length and units, and the number of its ids and these.
const wordUnits = 32
const idsPerSlot = 16

/**
 * The ids of words met lately, in 8 MiB. A word has two slots by its hash: it takes a free one, or the first from the word
 * that has it. With it English texts are encoded two to three times as fast.
 */
export class WordCache {
  readonly #words = new Uint16Array(slotCount * wordUnits)
  readonly #ids = new Uint32Array(slotCount * idsPerSlot)

  /** Appends the ids of the word `data[start]` to `data[end - 1]`, or reports that they are not cached. */
  append(data: Uint16Array, start: number, end: number, hash: number, ids: Ids): boolean {
    let slot = slotOfHash(hash, slotBits)
    if (!this.#holds(slot, data, start, end)) {
      slot ^= 1
      if (!this.#holds(slot, data, start, end)) return false
    }
    const known = this.#ids
    const first = slot * idsPerSlot
    const last = first + known[first]!
    for (let i = first + 1; i <= last; i++) ids.push(known[i]!)
    return true
  }

  #holds(slot: number, data: Uint16Array, start: number, end: number): boolean {
    const words = this.#words
    let at = slot * wordUnits
    if (words[at] !== end - start) return false
    for (let i = start; i < end; i++) if (words[++at] !== data[i]) return false
    return true
  }

  /** Keeps the ids from place `from` on as those of the word, where there is room for them. */
  keep(data: Uint16Array, start: number, end: number, hash: number, ids: Ids, from: number): void {
    const length = end - start
    const count = ids.length - from
    if (length >= wordUnits || count >= idsPerSlot) return
    const words = this.#words
    let slot = slotOfHash(hash, slotBits)
    if (words[slot * wordUnits] !== 0 && words[(slot ^ 1) * wordUnits] === 0) slot ^= 1
    let at = slot * wordUnits
    words[at] = length
    for (let i = start; i < end; i++) words[++at] = data[i]!
    at = slot * idsPerSlot
    this.#ids[at] = count
    for (let i = from; i < ids.length; i++) this.#ids[++at] = ids.data[i]!
  }
}
