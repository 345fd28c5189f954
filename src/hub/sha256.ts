/** SHA-256 piece by piece (FIPS 180-4), for browsers, whose `crypto.subtle` takes whole files alone. */

/** The first 32 bits of the fractional parts of roots of the first primes. */
function rootBits(count: number, exponent: number): Uint32Array {
  const bits = new Uint32Array(count)
  for (let n = 2, found = 0; found < count; n++) {
    let isPrime = true
    for (let d = 2; d * d <= n; d++) if (n % d === 0) isPrime = false
    if (isPrime) bits[found++] = Math.floor((n ** exponent % 1) * 2 ** 32)
  }
  return bits
}

const roundConstants = rootBits(64, 1 / 3)
const start = rootBits(8, 1 / 2)

export class Sha256 {
  readonly #state = Uint32Array.from(start)
  readonly #words = new Uint32Array(64)
  readonly #block = new Uint8Array(64)
  readonly #view = new DataView(this.#block.buffer)
  #filled = 0
  #length = 0

  update(bytes: Uint8Array): this {
    this.#length += bytes.length
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + 64 - this.#filled)
      this.#block.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === 64) this.#compress()
    }
    return this
  }

  /** The hash in hexadecimal digits. Nothing can be added afterwards. */
  digest(): string {
    const length = this.#length
    this.update(Uint8Array.of(0x80))
    this.update(new Uint8Array((120 - this.#filled) % 64))
    const bits = new DataView(new ArrayBuffer(8))
    bits.setBigUint64(0, BigInt(length) * 8n)
    this.update(new Uint8Array(bits.buffer))
    return Array.from(this.#state, (word) => word.toString(16).padStart(8, '0')).join('')
  }

  #compress(): void {
    const w = this.#words
    const state = this.#state
    for (let i = 0; i < 16; i++) w[i] = this.#view.getUint32(4 * i)
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15] as number
      const y = w[i - 2] as number
      const s0 = rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3)
      const s1 = rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10)
      w[i] = (w[i - 16] as number) + s0 + (w[i - 7] as number) + s1
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as Eight
    for (let i = 0; i < 64; i++) {
      const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
      const choice = (e & f) ^ (~e & g)
      const t1 = (h + s1 + choice + (roundConstants[i] as number) + (w[i] as number)) | 0
      const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
      const majority = (a & b) ^ (a & c) ^ (b & c)
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + s0 + majority) | 0
    }
    const added: Eight = [a, b, c, d, e, f, g, h]
    for (let i = 0; i < 8; i++) state[i] = (state[i] as number) + (added[i] as number)
    this.#filled = 0
  }
}

type Eight = [number, number, number, number, number, number, number, number]

const rotated = (x: number, n: number): number => (x >>> n) | (x << (32 - n))
