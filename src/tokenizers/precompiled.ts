import { type Normalizer, type Units, width } from './buffers.ts'
import { toUtf8 } from './bytes.ts'
import type { Charsmap } from './charsmap.ts'
import { clusterEnd, mayJoin } from './graphemes.ts'

/** Clusters of more bytes are not looked up whole. */
const maxClusterBytes = 5

const mappedFlag = 1
const joinsFlag = 2

/**
 * The normalizer `Precompiled`, as Hugging Face's tokenizers run a SentencePiece charsmap: by extended
 * grapheme cluster, not by longest match. A cluster under 6 bytes of UTF-8 is looked up whole, and the shortest
 * key that it begins with replaces all of it; of other clusters each code point is looked up alone.
 */
export function precompiled(charsmap: Charsmap): Normalizer {
  const bytes = new Uint8Array(maxClusterBytes)
  const match = (data: Uint16Array, start: number, end: number): Uint16Array | undefined => {
    const length = toUtf8(data, start, end, bytes)
    return length > maxClusterBytes ? undefined : charsmap.match(bytes, length)
  }

  // What a code unit needs: nothing where it is neither replaced nor able to share a cluster with a neighbour.
  const needs = new Uint8Array(65536)
  const unit = new Uint16Array(1)
  for (let i = 0; i < 65536; i++) {
    unit[0] = i
    if (mayJoin(i)) needs[i] = joinsFlag
    if (match(unit, 0, 1)) needs[i]! |= mappedFlag
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
      const start = at > done && needs[data[at]!]! & joinsFlag ? at - 1 : at
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
