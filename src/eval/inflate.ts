/** A Huffman code as a table: by the next `width` bits, `symbol << 4 | length`; 0 where no code begins so. */
interface Code {
  readonly table: Uint16Array
  readonly width: number
}

/** A block of DEFLATE data: so many bytes as they are, or symbols in a code of literals and lengths and one of distances. */
interface Block {
  readonly last: boolean
  readonly stored?: number
  readonly codes?: readonly [Code, Code]
}

const longestCode = 15
const endOfBlock = 256
const longestMatch = 258
const historySize = 1 << 15
const outputSize = historySize + (1 << 17)
/** Zeros behind the input, so that a block's header may be read beyond it before that is noticed. */
const padding = 1024
/** The order in which a header lists the lengths of the code that its lengths are in. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** The first value of each symbol, where a symbol has so many bits beside it. */
function bases(first: number, extraBits: Uint8Array): Uint16Array {
  let next = first
  return Uint16Array.from(extraBits, (extra) => {
    const base = next
    next += 1 << extra
    return base
  })
}

// Symbols 257 to 284 are matches of 3 to 257 bytes, four for each number of extra bits; 285 is the longest match.
const lengthExtra = Uint8Array.from({ length: 29 }, (_, i) =>
  i < 28 ? Math.max(0, (i >> 2) - 1) : 0,
)
const lengthBase = bases(3, lengthExtra).fill(longestMatch, 28)
const distanceExtra = Uint8Array.from({ length: 30 }, (_, i) => Math.max(0, (i >> 1) - 1))
const distanceBase = bases(1, distanceExtra)

function reversed(bits: number, count: number): number {
  let result = 0
  for (let i = 0; i < count; i++) result = (result << 1) | ((bits >> i) & 1)
  return result
}

/** The canonical code with these lengths, one for each symbol; `undefined` where there is none. */
function codeOf(lengths: Uint8Array): Code | undefined {
  const counts = new Uint16Array(longestCode + 1)
  for (const length of lengths) counts[length]!++
  counts[0] = 0
  const width = Math.max(
    1,
    counts.findLastIndex((count) => count > 0),
  )
  const next = new Uint16Array(longestCode + 2)
  let free = 1
  for (let length = 1; length <= width; length++) {
    free = free * 2 - counts[length]!
    if (free < 0) return undefined
    next[length + 1] = (next[length]! + counts[length]!) << 1
  }
  // Only a code of a single bit, or of none, may leave bits without a meaning.
  if (free > 0 && width > 1) return undefined
  const table = new Uint16Array(1 << width)
  lengths.forEach((length, symbol) => {
    if (length === 0) return
    const step = 1 << length
    for (let at = reversed(next[length]!++, length); at < table.length; at += step) {
      table[at] = (symbol << 4) | length
    }
  })
  return { table, width }
}

const fixedLengths = Uint8Array.from({ length: 288 }, (_, i) =>
  i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8,
)
const fixedCodes = [codeOf(fixedLengths)!, codeOf(new Uint8Array(32).fill(5))!] as const

/**
 * Takes a stream of bytes apart that holds DEFLATE data (RFC 1951) between other bytes. DecompressionStream does not say
 * where such data ends, and refuses what follows it.
 */
export class Inflater {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #fault: (what: string) => Error
  // What is read and not used yet: the low bits of `#bits`, then `#input` from `#at` to `#end`. Bits are taken in whole
  // bytes, also from the padding: `#isShort` is set when some of these were used.
  #input = new Uint8Array(padding)
  #end = 0
  #at = 0
  #bits = 0
  #count = 0
  // What is unpacked: the history that matches refer to, and behind `#given` what is to be given.
  readonly #output = new Uint8Array(outputSize)
  #size = 0
  #given = 0

  /** @param fault makes the error of data that cannot be unpacked */
  constructor(chunks: AsyncIterable<Uint8Array>, fault: (what: string) => Error) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#fault = fault
  }

  /** Gives back what the stream holds. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  /** The next byte; `undefined` at the end of the stream. */
  async byte(): Promise<number | undefined> {
    while (this.#at === this.#end) if (!(await this.#read())) return undefined
    return this.#input[this.#at++]
  }

  /** A whole number of so many bytes, 4 at most, lowest byte first. */
  async number(bytes: number): Promise<number> {
    let value = 0
    for (let i = 0; i < bytes; i++) {
      const byte = await this.byte()
      if (byte === undefined) throw this.#fault('the data ends too early')
      value |= byte << (8 * i)
    }
    return value >>> 0
  }

  /** Unpacks DEFLATE data up to its end; what follows it can be read then. */
  async *inflate(): AsyncGenerator<Uint8Array> {
    this.#size = 0
    this.#given = 0
    for (let last = false; !last; ) {
      const block = this.#header()
      if (!block) {
        yield* this.#next()
        continue
      }
      last = block.last
      const { codes, stored = 0 } = block
      if (codes) while (!this.#symbols(...codes)) yield* this.#next()
      for (let left = stored - this.#copy(stored); left > 0; left -= this.#copy(left)) {
        yield* this.#next()
      }
    }
    yield* this.#give()
    this.#giveBack()
    this.#bits = 0
    this.#count = 0
  }

  /** Gives what is unpacked, and makes room for more, or reads on where there is room. */
  async *#next(): AsyncGenerator<Uint8Array> {
    yield* this.#give()
    if (this.#hasRoom()) {
      if (!(await this.#read())) throw this.#fault('the data ends too early')
      return
    }
    this.#output.copyWithin(0, this.#size - historySize, this.#size)
    this.#size = historySize
    this.#given = historySize
  }

  *#give(): Generator<Uint8Array> {
    if (this.#size > this.#given) yield this.#output.slice(this.#given, this.#size)
    this.#given = this.#size
  }

  #hasRoom(): boolean {
    return this.#size <= outputSize - longestMatch
  }

  /** Reads one chunk more; false at the end of the stream. */
  async #read(): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done) return false
    this.#giveBack()
    const rest = this.#input.subarray(this.#at, this.#end)
    const input = new Uint8Array(rest.length + value.length + padding)
    input.set(rest)
    input.set(value, rest.length)
    this.#input = input
    this.#at = 0
    this.#end = rest.length + value.length
    return true
  }

  /** Gives whole bytes back that were taken ahead. */
  #giveBack(): void {
    this.#at -= this.#count >> 3
    this.#count &= 7
    this.#bits &= (1 << this.#count) - 1
  }

  /** Whether more was used than there is. */
  #isShort(): boolean {
    return this.#at - (this.#count >> 3) > this.#end
  }

  /** The next bits, 16 at most, which stay. */
  #peek(count: number): number {
    while (this.#count < count) {
      this.#bits |= this.#input[this.#at++]! << this.#count
      this.#count += 8
    }
    return this.#bits & ((1 << count) - 1)
  }

  #take(count: number): number {
    const taken = this.#peek(count)
    this.#bits >>>= count
    this.#count -= count
    return taken
  }

  /** Reads how the next block is packed; `undefined` where not all of that is there. */
  #header(): Block | undefined {
    const [at, bits, count] = [this.#at, this.#bits, this.#count]
    const block = this.#block()
    if (this.#isShort()) {
      this.#at = at
      this.#bits = bits
      this.#count = count
      return undefined
    }
    if (!block) throw this.#fault('a block has no valid header')
    return block
  }

  #block(): Block | undefined {
    const last = this.#take(1) === 1
    const type = this.#take(2)
    if (type === 0) {
      this.#take(this.#count & 7)
      const stored = this.#take(16)
      return (stored ^ this.#take(16)) === 0xffff ? { last, stored } : undefined
    }
    if (type === 3) return undefined
    const codes = type === 1 ? fixedCodes : this.#codes()
    return codes && { last, codes }
  }

  /** Reads the codes of a block; `undefined` where they make no sense. */
  #codes(): [Code, Code] | undefined {
    const literals = this.#take(5) + 257
    const distances = this.#take(5) + 1
    const written = this.#take(4) + 4
    if (literals > 286 || distances > 30) return undefined
    const lengthLengths = new Uint8Array(lengthOrder.length)
    for (const symbol of lengthOrder.slice(0, written)) lengthLengths[symbol] = this.#take(3)
    const code = codeOf(lengthLengths)
    if (!code) return undefined

    const lengths = new Uint8Array(literals + distances)
    for (let i = 0; i < lengths.length; ) {
      const symbol = this.#symbol(code)
      if (symbol === undefined || (symbol === 16 && i === 0)) return undefined
      if (symbol < 16) lengths[i++] = symbol
      else {
        const value = symbol === 16 ? lengths[i - 1]! : 0
        const stop =
          i + (symbol === 18 ? 11 + this.#take(7) : 3 + this.#take(symbol === 16 ? 2 : 3))
        if (stop > lengths.length) return undefined
        lengths.fill(value, i, stop)
        i = stop
      }
    }
    const literalCode = codeOf(lengths.subarray(0, literals))
    const distanceCode = codeOf(lengths.subarray(literals))
    return literalCode && distanceCode && lengths[endOfBlock]! > 0
      ? [literalCode, distanceCode]
      : undefined
  }

  #symbol({ table, width }: Code): number | undefined {
    const entry = table[this.#peek(width)]!
    this.#take(entry & 15)
    return entry === 0 ? undefined : entry >> 4
  }

  /** Copies bytes of a stored block, as many as there are and as there is room for. */
  #copy(most: number): number {
    this.#giveBack()
    const count = Math.min(most, this.#end - this.#at, outputSize - this.#size)
    this.#output.set(this.#input.subarray(this.#at, this.#at + count), this.#size)
    this.#at += count
    this.#size += count
    return count
  }

  /** Unpacks symbols: true at the end of the block, false where input or room is short. */
  #symbols(literals: Code, distances: Code): boolean {
    // Variables in place of fields: this loop is nearly all of the work.
    const [input, end, output] = [this.#input, this.#end, this.#output]
    const [literalTable, literalMask] = [literals.table, (1 << literals.width) - 1]
    const [distanceTable, distanceMask] = [distances.table, (1 << distances.width) - 1]
    let [at, bits, count, size] = [this.#at, this.#bits, this.#count, this.#size]
    let ended = false
    let valid = true
    while (!ended && size <= outputSize - longestMatch) {
      // One symbol, which counts only where all of it was there.
      let nextAt = at
      let nextBits = bits
      let nextCount = count
      let nextSize = size
      for (; nextCount <= 24; nextCount += 8) nextBits |= input[nextAt++]! << nextCount
      const entry = literalTable[nextBits & literalMask]!
      const symbol = entry >> 4
      nextBits >>>= entry & 15
      nextCount -= entry & 15
      if (symbol < endOfBlock) {
        valid = entry !== 0
        output[nextSize++] = symbol
      } else if (symbol > endOfBlock) {
        const extra = lengthExtra[symbol - 257]!
        const length = lengthBase[symbol - 257]! + (nextBits & ((1 << extra) - 1))
        nextBits >>>= extra
        nextCount -= extra
        for (; nextCount <= 24; nextCount += 8) nextBits |= input[nextAt++]! << nextCount
        const far = distanceTable[nextBits & distanceMask]!
        nextBits >>>= far & 15
        nextCount -= far & 15
        for (; nextCount <= 24; nextCount += 8) nextBits |= input[nextAt++]! << nextCount
        const farExtra = distanceExtra[far >> 4]!
        const distance = distanceBase[far >> 4]! + (nextBits & ((1 << farExtra) - 1))
        nextBits >>>= farExtra
        nextCount -= farExtra
        // Symbols that stand for nothing give NaN.
        valid = far !== 0 && length > 0 && distance <= size
        if (valid) {
          for (const stop = size + length; nextSize < stop; nextSize++) {
            output[nextSize] = output[nextSize - distance]!
          }
        }
      }
      if (nextAt - (nextCount >> 3) > end) break
      if (!valid) throw this.#fault('a symbol stands for nothing')
      ended = symbol === endOfBlock
      at = nextAt
      bits = nextBits
      count = nextCount
      size = nextSize
    }
    this.#at = at
    this.#bits = bits
    this.#count = count
    this.#size = size
    return ended
  }
}
