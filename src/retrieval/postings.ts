/** Bytes of one piece of the pool. */
const pieceBytes = 1 << 20
/** A slice holds as many bytes as the one before it twice, up to the last of these. */
const sliceBytes = [16, 32, 64, 128, 256, 512] as const
/** At the end of a full slice: where the next one starts. */
const linkBytes = 4

/**
 * Lists of whole numbers that all grow at once, in memory that holds little else (Lucene's `ByteBlockPool`): 7 bits to a
 * byte, in slices of one pool, each linked to the next. Together they hold up to 4 GiB.
 */
export class NumberLists {
  readonly #pieces: Uint8Array[] = []
  /** Where the next slice of the pool starts. */
  #end = 0
  readonly #lists = new Grown(4)

  /** Bytes that the pool takes. */
  get bytes(): number {
    return this.#pieces.length * pieceBytes + this.#lists.bytes
  }

  /** Appends a whole number below 2 ** 32 to a list; the first of a list makes it. Lists are numbered from 0 on. */
  append(list: number, value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#put(list, (rest % 0x80) | 0x80)
    this.#put(list, rest)
  }

  #put(list: number, byte: number): void {
    const lists = this.#lists
    const at = 4 * list
    if (lists.length <= at) {
      const start = this.#slice(0)
      lists.set(at, start)
      lists.set(at + 1, start)
      lists.set(at + 2, start + sliceBytes[0] - linkBytes)
      lists.set(at + 3, 0)
    }
    let next = lists.get(at + 1)
    const end = lists.get(at + 2)
    if (next === end) {
      const level = Math.min(lists.get(at + 3) + 1, sliceBytes.length - 1)
      next = this.#slice(level)
      for (let i = 0; i < linkBytes; i++) this.#write(end + i, (next >>> (8 * i)) & 0xff)
      lists.set(at + 2, next + (sliceBytes[level] as number) - linkBytes)
      lists.set(at + 3, level)
    }
    this.#write(next, byte)
    lists.set(at + 1, next + 1)
  }

  /** Takes a slice of the pool, which lies in one piece. */
  #slice(level: number): number {
    const bytes = sliceBytes[level] as number
    const room = pieceBytes - (this.#end % pieceBytes)
    const start = this.#end + (room < bytes ? room : 0)
    this.#end = start + bytes
    while (this.#pieces.length * pieceBytes < this.#end) {
      this.#pieces.push(new Uint8Array(pieceBytes))
    }
    return start
  }

  #write(at: number, byte: number): void {
    const piece = this.#pieces[Math.floor(at / pieceBytes)] as Uint8Array
    piece[at % pieceBytes] = byte
  }

  /** Calls `take` with the numbers of a list, two at a time. */
  pairs(list: number, take: (first: number, second: number) => void): void {
    const lists = this.#lists
    const last = lists.get(4 * list + 1)
    let at = lists.get(4 * list)
    let level = 0
    let end = at + sliceBytes[0] - linkBytes
    let piece = this.#pieces[Math.floor(at / pieceBytes)] as Uint8Array
    let value = 0
    let scale = 1
    let first = -1
    while (at !== last) {
      if (at === end) {
        const link = end % pieceBytes
        at = 0
        for (let i = linkBytes - 1; i >= 0; i--) at = at * 256 + (piece[link + i] as number)
        level = Math.min(level + 1, sliceBytes.length - 1)
        end = at + (sliceBytes[level] as number) - linkBytes
        piece = this.#pieces[Math.floor(at / pieceBytes)] as Uint8Array
      }
      const byte = piece[at++ % pieceBytes] as number
      value += (byte & 0x7f) * scale
      scale *= 0x80
      if (byte >= 0x80) continue
      if (first < 0) first = value
      else {
        take(first, value)
        first = -1
      }
      value = 0
      scale = 1
    }
  }
}

/** Numbers of 32 bits whose count is not known before. */
export class Grown {
  #numbers = new Uint32Array(1024)
  length = 0

  /** @param together how many numbers more there are once the first of them is set */
  constructor(readonly together = 1) {}

  get bytes(): number {
    return this.#numbers.byteLength
  }

  get(at: number): number {
    return this.#numbers[at] as number
  }

  set(at: number, value: number): void {
    if (at >= this.length) this.length = at + this.together - (at % this.together)
    if (this.length > this.#numbers.length) {
      const more = new Uint32Array(Math.max(this.length, Math.ceil(1.5 * this.#numbers.length)))
      more.set(this.#numbers)
      this.#numbers = more
    }
    this.#numbers[at] = value
  }

  push(value: number): void {
    this.set(this.length, value)
  }
}
