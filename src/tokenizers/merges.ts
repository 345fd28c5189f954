import { collision, hashPair, maxProbes } from './hashing.ts'

/** No merge: greater than every rank. */
export const noMerge = 0x7fffffff

// A slot is three integers: left id + 1 (0: the slot is free), right id, rank.
const slotWidth = 3
// Up to this many symbols, looking through all of them for the next merge is faster than keeping a heap.
const shortWord = 48
// A symbol's place in the low digits of a heap entry, its rank above: the sum stays below 2^53.
const maxSymbols = 2 ** 27

/** The merges of a BPE model by their two sides: a hash table over typed arrays. */
export class Merges {
  readonly #slots: Int32Array
  readonly #shift: number
  /** The id that the merge of a rank makes. */
  readonly #made: Int32Array
  #ranks = new Int32Array(shortWord)

  /** Merge i, of rank i, makes `made[i]` of `left[i]` and `right[i]`; of equal pairs the last one counts. */
  constructor(left: Int32Array, right: Int32Array, made: Int32Array) {
    this.#made = made
    const bits = Math.max(4, Math.ceil(Math.log2(made.length / 0.6)))
    const last = 2 ** bits - 1
    const slots = new Int32Array(slotWidth * (last + 1))
    this.#shift = 32 - bits
    this.#slots = slots
    for (let rank = 0; rank < made.length; rank++) {
      let slot = hashPair(left[rank]!, right[rank]!) >>> this.#shift
      let probes = 0
      for (;;) {
        const at = slotWidth * slot
        if (slots[at] === 0) break
        if (slots[at] === left[rank]! + 1 && slots[at + 1] === right[rank]) break
        slot = slot === last ? 0 : slot + 1
        if (++probes > maxProbes) throw collision('merges')
      }
      slots[slotWidth * slot] = left[rank]! + 1
      slots[slotWidth * slot + 1] = right[rank]!
      slots[slotWidth * slot + 2] = rank
    }
  }

  /** The rank of the merge of two ids, or {@link noMerge}. */
  #rankOf(left: number, right: number): number {
    const slots = this.#slots
    let at = slotWidth * (hashPair(left, right) >>> this.#shift)
    for (let probes = 0; probes <= maxProbes; probes++) {
      const found = slots[at]!
      if (found === left + 1 && slots[at + 1] === right) return slots[at + 2]!
      if (found === 0) break
      at += slotWidth
      if (at === slots.length) at = 0
    }
    return noMerge
  }

  /**
   * Merges `symbols[0]` to `symbols[count - 1]` in place, always the pair of the lowest rank and of these the
   * first (Sennrich et al. 2016), and gives how many symbols are left.
   */
  apply(symbols: Int32Array, count: number): number {
    return count <= shortWord ? this.#applyShort(symbols, count) : this.#applyLong(symbols, count)
  }

  #applyShort(symbols: Int32Array, count: number): number {
    const ranks = this.#ranks
    // The last symbol has no pair.
    let pairs = count - 1
    for (let i = 0; i < pairs; i++) ranks[i] = this.#rankOf(symbols[i]!, symbols[i + 1]!)
    for (;;) {
      let best = noMerge
      let at = 0
      for (let i = 0; i < pairs; i++) {
        if (ranks[i]! >= best) continue
        best = ranks[i]!
        at = i
      }
      if (best === noMerge) return pairs + 1
      symbols[at] = this.#made[best]!
      for (let i = at + 1; i < pairs; i++) {
        symbols[i] = symbols[i + 1]!
        ranks[i] = ranks[i + 1]!
      }
      pairs--
      if (at > 0) ranks[at - 1] = this.#rankOf(symbols[at - 1]!, symbols[at]!)
      if (at < pairs) ranks[at] = this.#rankOf(symbols[at]!, symbols[at + 1]!)
    }
  }

  /** The same in O(n log n): a doubly linked list of symbols, and a heap of their pairs. */
  #applyLong(symbols: Int32Array, count: number): number {
    const next = new Int32Array(count)
    const previous = new Int32Array(count)
    // The rank of the pair that a symbol begins; a heap entry of another rank is out of date.
    const ranks = new Int32Array(count).fill(noMerge)
    // A merge takes one entry out and puts two in at most.
    const heap = new Heap(2 * count)
    const look = (at: number, right: number): void => {
      const rank = right < count ? this.#rankOf(symbols[at]!, symbols[right]!) : noMerge
      ranks[at] = rank
      if (rank !== noMerge) heap.push(rank * maxSymbols + at)
    }
    for (let i = 0; i < count; i++) {
      next[i] = i + 1
      previous[i] = i - 1
      look(i, i + 1)
    }
    for (;;) {
      const top = heap.pop()
      if (top < 0) break
      const rank = Math.floor(top / maxSymbols)
      const at = top - rank * maxSymbols
      if (ranks[at] !== rank) continue
      symbols[at] = this.#made[rank]!
      const gone = next[at]!
      const after = next[gone]!
      ranks[gone] = noMerge
      next[at] = after
      if (after < count) previous[after] = at
      if (previous[at]! >= 0) look(previous[at]!, at)
      look(at, after)
    }
    let left = 0
    for (let i = 0; i < count; i = next[i]!) symbols[left++] = symbols[i]!
    return left
  }
}

/** A binary heap of numbers from 0 on, the least on top. */
class Heap {
  readonly #entries: Float64Array
  #size = 0

  constructor(capacity: number) {
    this.#entries = new Float64Array(capacity)
  }

  push(entry: number): void {
    const entries = this.#entries
    let at = this.#size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (entries[parent]! <= entry) break
      entries[at] = entries[parent]!
      at = parent
    }
    entries[at] = entry
  }

  /** Takes out the least entry; -1 where there is none. */
  pop(): number {
    if (this.#size === 0) return -1
    const entries = this.#entries
    const least = entries[0]!
    const entry = entries[--this.#size]!
    const size = this.#size
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && entries[child + 1]! < entries[child]!) child++
      if (entries[child]! >= entry) break
      entries[at] = entries[child]!
      at = child
    }
    entries[at] = entry
    return least
  }
}
