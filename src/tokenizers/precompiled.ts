import { type Units, width } from './buffers.ts'
import type { Charsmap } from './charsmap.ts'
import { clusterEnd, mayJoin } from './graphemes.ts'
import type { Normalizer } from './normalizers.ts'

/** Clusters of more bytes are not looked up whole. */
const MAX_BYTES = 5

const MAPPED = 1
const MAY_JOIN = 2

/**
 * The normalizer `Precompiled`, as Hugging Face's tokenizers run a SentencePiece charsmap: by extended
 * grapheme cluster, not by longest match. A cluster under 6 bytes of UTF-8 is looked up whole, and the shortest
 * key that it begins with replaces all of it; of other clusters each code point is looked up alone.
 */
export function precompiled(charsmap: Charsmap): Normalizer {
  const bytes = new Uint8Array(MAX_BYTES)
  const match = (data: Uint16Array, start: number, end: number): Uint16Array | undefined => {
    const length = toUtf8(data, start, end, bytes)
    return length > MAX_BYTES ? undefined : charsmap.match(bytes, length)
  }

  // What a code unit needs: nothing where it is neither replaced nor able to share a cluster with a neighbour.
  const needs = new Uint8Array(65536)
  const unit = new Uint16Array(1)
  for (let i = 0; i < 65536; i++) {
    unit[0] = i
    if (mayJoin(i)) needs[i] = MAY_JOIN
    if (match(unit, 0, 1)) needs[i]! |= MAPPED
  }

  return (text: Units, spare: Units): Units => {
    const { data, length } = text
    let at = 0
    while (at < length && needs[data[at]!] === 0) at++
    if (at === length) return text
    spare.length = 0
    let done = 0
    while (at < length) {
      // The unit before one that may join opens their cluster.
      const start = at > done && needs[data[at]!]! & MAY_JOIN ? at - 1 : at
      spare.append(data, done, start)
      const end = clusterEnd(data, start, length)
      const whole = match(data, start, end)
      if (whole) spare.append(whole, 0, whole.length)
      else {
        for (let point = start; point < end; ) {
          const next = point + width(data, point)
          const replacement = match(data, point, next)
          if (replacement) spare.append(replacement, 0, replacement.length)
          else spare.append(data, point, next)
          point = next
        }
      }
      done = at = end
      while (at < length && needs[data[at]!] === 0) at++
    }
    spare.append(data, done, length)
    return spare
  }
}

/** Writes well-formed UTF-16 as UTF-8 and gives its length; where it does not fit, a length over that of `bytes`. */
function toUtf8(data: Uint16Array, start: number, end: number, bytes: Uint8Array): number {
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
