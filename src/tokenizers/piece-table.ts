import { unitsOf } from './buffers.ts'
import { TokenizerError } from './errors.ts'
import { collision, hashUnits, maxProbes, slotOfHash } from './hashing.ts'

/** The longest piece that is taken, in UTF-16 code units. */
export const maxPiece = 1024

/** Pieces by their UTF-16 code units: a hash table, much faster to fill and to ask than a Map of strings. */
export class PieceTable {
  /** The id of a piece + 1; 0 where the slot is free. */
  readonly #slots: Int32Array
  readonly #bits: number
  readonly #units: Uint16Array
  /** Piece i is `#units[#starts[i]]` up to `#units[#starts[i + 1]]`, exclusive. */
  readonly #starts: Int32Array

  /** The id of a piece is its index, where there is one; of equal pieces the last one counts. */
  constructor(pieces: readonly (string | undefined)[]) {
    const starts = new Int32Array(pieces.length + 1)
    for (let id = 0; id < pieces.length; id++) {
      const length = pieces[id]?.length ?? 0
      if (length > maxPiece)
        throw new TokenizerError(
          'tokenizer-invalid',
          `piece ${id} is ${length} UTF-16 code units long; expected at most ${maxPiece}`,
        )
      starts[id + 1] = starts[id]! + length
    }
    const units = new Uint16Array(starts[pieces.length]!)
    const bits = Math.ceil(Math.log2(2 * pieces.length + 1))
    this.#slots = new Int32Array(2 ** bits)
    this.#bits = bits
    this.#starts = starts
    this.#units = units
    for (let id = 0; id < pieces.length; id++) {
      const piece = pieces[id]
      if (piece === undefined) continue
      const start = starts[id]!
      const end = start + piece.length
      for (let i = start; i < end; i++) units[i] = piece.charCodeAt(i - start)
      const slot = this.#slotOf(units, start, end, hashUnits(units, start, end))
      if (slot < 0) throw collision('pieces')
      this.#slots[slot] = id + 1
    }
  }

  /** The slot of a piece, or the free one where it belongs; -1 where both are too far away. */
  #slotOf(data: Uint16Array, start: number, end: number, hash: number): number {
    const slots = this.#slots
    let slot = slotOfHash(hash, this.#bits)
    for (let probes = 0; probes <= maxProbes; probes++) {
      const id = slots[slot]! - 1
      if (id < 0 || this.#is(id, data, start, end)) return slot
      slot = (slot + 1) & (slots.length - 1)
    }
    return -1
  }

  #is(id: number, data: Uint16Array, start: number, end: number): boolean {
    const units = this.#units
    let at = this.#starts[id]!
    if (this.#starts[id + 1]! - at !== end - start) return false
    for (let i = start; i < end; i++) if (units[at++] !== data[i]) return false
    return true
  }

  /** The id of the piece `data[start]` to `data[end - 1]`, of which `hash` is {@link hashUnits}, or -1. */
  find(data: Uint16Array, start: number, end: number, hash: number): number {
    const slot = this.#slotOf(data, start, end, hash)
    return slot < 0 ? -1 : this.#slots[slot]! - 1
  }

  /** The id of a piece, or -1. */
  idOf(piece: string): number {
    const units = unitsOf(piece)
    return this.find(units, 0, units.length, hashUnits(units, 0, units.length))
  }
}
