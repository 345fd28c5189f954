import { unitsOf } from './buffers.ts'
import { TokenizerError } from './errors.ts'

/**
 * The rules of a SentencePiece `precompiled_charsmap`, left in the form they come in: a double-array trie over
 * the bytes of the keys, of the Darts-clone kind. A unit holds its label in bits 0 to 7, "a key ends here" in
 * bit 8, and in bits 10 to 30 the offset to its children, in steps of 256 where bit 9 is set.
 */
export class Charsmap {
  readonly #units: Uint32Array
  /** The replacements by their offset in the file, which is the value of a key. */
  readonly #texts = new Map<number, Uint16Array>()

  /**
   * Reads a charsmap: a little-endian u32 (size of the trie in bytes), the trie, and the replacements in UTF-8,
   * each ended by a NUL. Everything that can be reached in the trie is checked.
   */
  constructor(bytes: Uint8Array, where: string) {
    const fault = (message: string): never => {
      throw new TokenizerError('tokenizer-invalid', `${where}: the charsmap ${message}`)
    }
    if (bytes.length < 8) fault(`has ${bytes.length} bytes; expected at least 8`)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const size = view.getUint32(0, true)
    if (size < 4 || size % 4 !== 0 || size > bytes.length - 4)
      fault(`says its trie has ${size} bytes; expected a multiple of 4 up to ${bytes.length - 4}`)
    const units = new Uint32Array(size / 4)
    for (let i = 0; i < units.length; i++) units[i] = view.getUint32(4 + 4 * i, true)
    this.#units = units
    const texts = bytes.subarray(4 + size)

    // A child is stored at its parent's base XOR its label, so every unit shows which base it may be a child of.
    const firstChild = new Int32Array(units.length).fill(-1)
    const sibling = new Int32Array(units.length).fill(-1)
    for (let i = 0; i < units.length; i++) {
      const label = labelOf(units[i]!)
      const base = i ^ label
      if (label <= 0 || base >= units.length) continue
      sibling[i] = firstChild[base]!
      firstChild[base] = i
    }
    // Keys share their tails, so a unit may be reached in many ways; it is checked once.
    const seen = new Uint8Array(units.length)
    const pending = [0]
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      const base = at ^ offsetOf(units[at]!)
      if (base >= units.length) fault('has a trie that points outside itself')
      if (at > 0 && endsKey(units[at]!)) this.#addText(texts, units[base]! & 0x7fffffff, fault)
      for (let child = firstChild[base]!; child >= 0; child = sibling[child]!) {
        if (seen[child] === 0) pending.push(child)
        seen[child] = 1
      }
    }
  }

  #addText(texts: Uint8Array, start: number, fault: (message: string) => never): void {
    if (this.#texts.has(start)) return
    if (start > texts.length) fault('has a trie that points outside its replacements')
    const rest = texts.subarray(start, start + maxTextBytes)
    const length = rest.indexOf(0)
    if (length < 0 && rest.length === maxTextBytes)
      fault(`has a replacement of ${maxTextBytes} bytes or more`)
    try {
      const text = utf8.decode(length < 0 ? rest : rest.subarray(0, length))
      this.#texts.set(start, unitsOf(text))
    } catch {
      fault('has a replacement that is not UTF-8')
    }
  }

  /** What replaces the shortest key that `bytes[0]` to `bytes[length - 1]` begins with. */
  match(bytes: Uint8Array, length: number): Uint16Array | undefined {
    const units = this.#units
    let base = offsetOf(units[0]!)
    for (let i = 0; i < length; i++) {
      const at = base ^ bytes[i]!
      const unit = units[at]
      if (unit === undefined || bytes[i] === 0 || labelOf(unit) !== bytes[i]) return undefined
      base = at ^ offsetOf(unit)
      if (endsKey(unit)) return this.#texts.get(units[base]! & 0x7fffffff)
    }
    return undefined
  }
}

// The longest replacement of Unicode's compatibility mappings has 33 bytes.
const maxTextBytes = 1024

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The label of a unit; negative where the unit is no node but a value. */
const labelOf = (unit: number) => unit & 0x800000ff
const endsKey = (unit: number) => (unit & 0x100) !== 0
const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6)
