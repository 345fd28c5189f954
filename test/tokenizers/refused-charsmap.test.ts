/** Damaged charsmaps of a tokenizer.json: a TokenizerError that names what is wrong. */
import { describe, expect, it } from 'vitest'
import { faultOf, readVariants, Tokenizer, withCharsmap } from './helpers.ts'

const { plain } = readVariants()

/** A charsmap of the given trie units and replacements. */
function charsmapOf(units: number[], texts = 'x\0'): unknown {
  const blob = new TextEncoder().encode(texts)
  const bytes = new Uint8Array(4 + 4 * units.length + blob.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 4 * units.length, true)
  units.forEach((unit, i) => {
    view.setUint32(4 + 4 * i, unit, true)
  })
  bytes.set(blob, 4 + 4 * units.length)
  return withCharsmap(plain!.tokenizer, bytes)
}

describe('a charsmap is refused by what is wrong in it', () => {
  const fault = (units: number[], texts?: string) =>
    faultOf(() => Tokenizer.from(charsmapOf(units, texts)))
  // The root's children start at 256; "a" is a key whose value lies at 512.
  const units = new Array<number>(768).fill(0)
  units[0] = 256 << 10
  units[256 ^ 0x61] = 0x61 | 0x100 | ((512 ^ 256 ^ 0x61) << 10)
  units[512] = 0x80000000

  it('or works where nothing is', () => {
    expect(fault(units)).toBe('no error')
    const tokenizer = Tokenizer.from(charsmapOf(units))
    expect(tokenizer.encode('aba')).toEqual(tokenizer.encode('xbx'))
  })

  it.each<[string, (units: number[]) => void, string?]>([
    ['has a trie that points outside itself', (u) => (u[0] = 0x1fffff << 10)],
    ['has a trie that points outside itself', (u) => (u[256 ^ 0x61] = 0x161 | (0x1ff00 << 10))],
    ['has a trie that points outside its replacements', (u) => (u[512] = 0x80000003)],
    ['has a replacement that is not UTF-8', (u) => (u[512] = 0x80000001), 'é\0'],
    ['has a replacement of 1024 bytes or more', () => {}, 'x'.repeat(2000)],
  ])('%s', (message, damage, texts) => {
    const damaged = units.slice()
    damage(damaged)
    expect(fault(damaged, texts)).toBe(
      `tokenizer-invalid: tokenizer.json: normalizer: the charsmap ${message}`,
    )
  })

  it('whose size is wrong', () => {
    for (const size of [0, 2, 6, 100, 2 ** 32 - 1]) {
      const bytes = new Uint8Array(20)
      new DataView(bytes.buffer).setUint32(0, size, true)
      expect(faultOf(() => Tokenizer.from(withCharsmap(plain!.tokenizer, bytes)))).toBe(
        `tokenizer-invalid: tokenizer.json: normalizer: the charsmap says its trie has ${size} bytes; expected a multiple of 4 up to 16`,
      )
    }
  })

  it('but may run in circles, since only five bytes are ever looked up', () => {
    const round = units.slice()
    round[256 ^ 0x61] = 0x61 | (0x61 << 10) // back to the base of the root
    const tokenizer = Tokenizer.from(charsmapOf(round))
    expect(tokenizer.encode('aaaa')).toEqual(Tokenizer.from(plain!.tokenizer).encode('aaaa'))
  })
})
