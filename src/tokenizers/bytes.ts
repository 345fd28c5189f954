/** The piece that stands for a byte where a character has none. */
export const byteName = (byte: number): string =>
  `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`

/** Writes well-formed UTF-16 as UTF-8 and gives its length; where it does not fit, a length over that of `bytes`. */
export function toUtf8(data: Uint16Array, start: number, end: number, bytes: Uint8Array): number {
  let at = 0
  for (let i = start; i < end && at <= bytes.length; i++) {
    const unit = data[i]!
    if (unit < 0x80) bytes[at++] = unit
    else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else if ((unit & 0xfc00) === 0xd800 && i + 1 < end) {
      const point = 0x10000 + ((unit & 0x3ff) << 10) + (data[++i]! & 0x3ff)
      bytes[at++] = 0xf0 | (point >> 18)
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    } else {
      bytes[at++] = 0xe0 | (unit >> 12)
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f)
      bytes[at++] = 0x80 | (unit & 0x3f)
    }
  }
  return at
}
