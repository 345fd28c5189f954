import type { Normalizer, PreTokenizer, Units } from './buffers.ts'

/** The expression with which GPT-2 cuts texts (`encoder.py` in openai/gpt-2), that of `use_regex`. */
export const gpt2Pattern =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/** The expression with which Qwen2 cuts texts. */
export const qwen2Pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** Whether a byte stands for itself as a character of Latin-1: it is visible. */
const isVisible = (byte: number): boolean =>
  (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)

/** The character that stands for each byte (`bytes_to_unicode` of GPT-2); invisible bytes have those from U+0100 on. */
const byteUnits = new Uint16Array(256)
for (let byte = 0, next = 256; byte < 256; byte++) byteUnits[byte] = isVisible(byte) ? byte : next++

/** Writes the bytes of `data[start]` to `data[end - 1]` in UTF-8 to `out`, as characters, from `at` on; gives their end. */
export function writeBytes(
  data: Uint16Array,
  start: number,
  end: number,
  out: Uint16Array,
  at: number,
): number {
  for (let i = start; i < end; i++) {
    let point = data[i]!
    if (point < 0x80) {
      out[at++] = byteUnits[point]!
      continue
    }
    if (point < 0x800) out[at++] = byteUnits[0xc0 | (point >> 6)]!
    else {
      if ((point & 0xfc00) === 0xd800) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (data[++i]! & 0x3ff)
        out[at++] = byteUnits[0xf0 | (point >> 18)]!
        out[at++] = byteUnits[0x80 | ((point >> 12) & 0x3f)]!
      } else out[at++] = byteUnits[0xe0 | (point >> 12)]!
      out[at++] = byteUnits[0x80 | ((point >> 6) & 0x3f)]!
    }
    out[at++] = byteUnits[0x80 | (point & 0x3f)]!
  }
  return at
}

/** Makes room for the bytes of a text: a code unit has three at most. */
const reserveBytes = (units: Units, length: number): void => units.reserve(3 * length)

/** Every byte of a text in UTF-8 becomes a character. */
export const bytePreTokenizer: PreTokenizer = (from, to) => {
  reserveBytes(to.units, from.units.length)
  let at = 0
  for (let word = 0; word < from.count; word++) {
    const start = at
    at = writeBytes(
      from.units.data,
      from.bounds[2 * word]!,
      from.bounds[2 * word + 1]!,
      to.units.data,
      at,
    )
    to.add(start, at)
  }
  to.units.length = at
}

/** The same as a normalizer. */
export const byteNormalizer: Normalizer = (text, spare) => {
  reserveBytes(spare, text.length)
  spare.length = writeBytes(text.data, 0, text.length, spare.data, 0)
  return spare
}

/** Puts a space before each word that does not begin with one. */
export const prefixSpace: PreTokenizer = (from, to) => {
  const { data } = from.units
  const { units } = to
  units.reserve(from.units.length + from.count)
  for (let word = 0; word < from.count; word++) {
    const first = from.bounds[2 * word]!
    const start = units.length
    if (data[first] !== 32) units.push(32)
    units.append(data, first, from.bounds[2 * word + 1]!)
    to.add(start, units.length)
  }
}
