import { TokenizerError } from './errors.ts'
import { collision, hashPair, maxProbes } from './hashing.ts'

// A slot is three integers: parent node + 1 (0: the slot is free), code unit, value + 1 (0: no key ends here).
const slotWidth = 3
// Longer keys would let a crafted vocabulary make the work on a text quadratic.
const maxKey = 1024
// XLM-R has 1.4 million code units in all its pieces.
const maxUnits = 1 << 24

/**
 * Strings by their UTF-16 code units: a hash table of edges in which a node is the number of its slot,
 * so that a step is one hash and, mostly, one cache line. The root is node 0.
 */
export class Trie {
  readonly #slots: Int32Array
  readonly #shift: number

  /** The value of a key is its index; of equal keys the last one counts, and empty ones are left out. */
  constructor(keys: readonly string[]) {
    let units = 0
    for (let i = 0; i < keys.length; i++) {
      const { length } = keys[i]!
      if (length > maxKey)
        throw new TokenizerError(
          'tokenizer-invalid',
          `piece ${i} is ${length} UTF-16 code units long; expected at most ${maxKey}`,
        )
      units += length
    }
    if (units > maxUnits)
      throw new TokenizerError(
        'tokenizer-invalid',
        `the pieces have ${units} UTF-16 code units in all; expected at most ${maxUnits}`,
      )
    // Real vocabularies share prefixes: XLM-R's 1.4 million code units make 0.5 million nodes.
    let bits = Math.max(4, Math.ceil(Math.log2(units * 0.7 + 1)))
    let slots = fill(keys, bits)
    while (!slots) slots = fill(keys, ++bits)
    this.#slots = slots
    this.#shift = 32 - bits
  }

  /** The node that `unit` leads to from `node`, or 0. */
  child(node: number, unit: number): number {
    const slots = this.#slots
    const last = slots.length / slotWidth - 1
    let slot = slotOf(node, unit, this.#shift)
    for (;;) {
      const parent = slots[slotWidth * slot]!
      if (parent === 0) return 0
      if (parent === node + 1 && slots[slotWidth * slot + 1] === unit) return slot
      slot = slot === last ? 1 : slot + 1
    }
  }

  /** The index of the key that ends at `node`, or -1. */
  value(node: number): number {
    return this.#slots[slotWidth * node + 2]! - 1
  }

  /** The index of the key that is `data[start]` to `data[end - 1]`, or -1. */
  find(data: ArrayLike<number>, start: number, end: number): number {
    let node = 0
    for (let i = start; i < end; i++) {
      node = this.child(node, data[i]!)
      if (node === 0) return -1
    }
    return this.value(node)
  }
}

/** The slot of an edge; slot 0 is the root's. */
const slotOf = (node: number, unit: number, shift: number): number =>
  (hashPair(node, unit) >>> shift) + 1

/** The table with 2^bits slots after the root's, or `undefined` where the keys would fill over half of it. */
function fill(keys: readonly string[], bits: number): Int32Array | undefined {
  const last = 2 ** bits
  const slots = new Int32Array(slotWidth * (last + 1))
  let nodes = 0
  for (let key = 0; key < keys.length; key++) {
    const text = keys[key]!
    let node = 0
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      let slot = slotOf(node, unit, 32 - bits)
      let probes = 0
      while (
        slots[slotWidth * slot] !== 0 &&
        (slots[slotWidth * slot] !== node + 1 || slots[slotWidth * slot + 1] !== unit)
      ) {
        slot = slot === last ? 1 : slot + 1
        if (++probes > maxProbes) throw collision('pieces')
      }
      if (slots[slotWidth * slot] === 0) {
        if (++nodes > last / 2) return undefined
        slots[slotWidth * slot] = node + 1
        slots[slotWidth * slot + 1] = unit
      }
      node = slot
    }
    if (node !== 0) slots[slotWidth * node + 2] = key + 1
  }
  return slots
}
