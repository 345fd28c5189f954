import { constants, gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { gunzip } from '../../src/eval/gunzip.ts'

const fault = (what: string) => new Error(what)

async function* inBites(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** What is unpacked, and the error that ends it. */
async function unpack(bytes: Uint8Array, bite = 1 << 16) {
  const parts: Uint8Array[] = []
  try {
    for await (const part of gunzip(inBites(bytes, bite), fault)) parts.push(part)
  } catch (error) {
    return { data: Buffer.concat(parts), error: (error as Error).message }
  }
  return { data: Buffer.concat(parts) }
}

/** A generator of whole numbers below a bound, the same in each run. */
function dice(seed: number) {
  let state = seed
  return (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

const words = Buffer.from('some words and some more words\n'.repeat(5000))
const roll = dice(1)
const noise = Buffer.from(Array.from({ length: 70_000 }, () => roll(256)))
/** Repeats from far back, of many lengths. */
const mixed = Buffer.alloc(300_000)
for (let i = 0; i < mixed.length; i++) {
  mixed[i] = i > 33_000 && roll(50) > 0 ? mixed[i - 32_768 + (i >> 12)]! : roll(256)
}
const empty = Buffer.alloc(0)

describe('gunzip', () => {
  it.each<[string, Buffer[], Buffer[]]>([
    ['one member', [gzipSync(words)], [words]],
    ['two members, as cat makes them', [gzipSync(words), gzipSync(mixed)], [words, mixed]],
    ['many members, as bgzip and pigz make them', [...Array(40).fill(gzipSync('a\n')), gzipSync('')], [Buffer.from('a\n'.repeat(40))]], // biome-ignore format: one line
    ['an empty member between others', [gzipSync('a'), gzipSync(''), gzipSync('b')], [Buffer.from('ab')]], // biome-ignore format: one line
    ['zeros behind it, as tar pads', [gzipSync(words), Buffer.alloc(10_240)], [words]],
    ['zeros between members', [gzipSync('a'), Buffer.alloc(512), gzipSync('b')], [Buffer.from('ab')]], // biome-ignore format: one line
    ['nothing', [gzipSync('')], [empty]],
    ['blocks that are stored', [gzipSync(noise, { level: 0 })], [noise]],
    ['what does not pack', [gzipSync(noise)], [noise]],
    ['the fixed codes', [gzipSync(mixed, { strategy: constants.Z_FIXED })], [mixed]],
    ['no matches', [gzipSync(words, { strategy: constants.Z_HUFFMAN_ONLY })], [words]],
    ['a single symbol', [gzipSync(Buffer.alloc(100_000, 97))], [Buffer.alloc(100_000, 97)]],
    ['many small blocks', [gzipSync(mixed, { memLevel: 1, level: 9 })], [mixed]],
  ])('unpacks %s, wherever chunks end', async (_, packed, want) => {
    const bytes = Buffer.concat(packed)
    for (const bite of [bytes.length < 20_000 ? 1 : 997, 4096, bytes.length]) {
      const { data, error } = await unpack(bytes, bite)
      expect({ error, same: data.equals(Buffer.concat(want)) }).toEqual({ same: true })
    }
  })

  it('takes all parts of a header, and checks its checksum', async () => {
    // Of Python's zlib: flags for a header's checksum, an extra field, a name and a comment.
    const member = Buffer.from(
      'H4sIHgECAwQAAwIAQUJuYW1lAGEgY29tbWVudAB8TstIzcnJ5wIAIDA6NgYAAAA=',
      'base64',
    )
    expect(await unpack(member, 1)).toEqual({ data: Buffer.from('hello\n') })
    member[5]! ^= 1
    expect((await unpack(member)).error).toContain('checksum of a header')
  })

  it.each([1, 100, 1 << 16])('gives what comes before a fault, in chunks of %i', async (bite) => {
    const first = gzipSync('first\n')
    const second = gzipSync(noise)
    const spoiled = (at: number, bytes = second) => {
      const copy = Buffer.from(bytes)
      copy[at]! ^= 0x10
      return copy
    }
    const size = second.length
    const cases: [Buffer, string][] = [
      [second.subarray(0, size - 20), 'too early'],
      [second.subarray(0, size - 1), 'too early'],
      [second.subarray(0, 5), 'too early'],
      [second.subarray(0, 1), 'too early'],
      [spoiled(size - 8), 'checksum'],
      [spoiled(size - 1), 'length'],
      [spoiled(2), 'method'],
      [spoiled(1), 'not gzip'],
      [Buffer.from('junk'), 'not gzip'],
      [Buffer.from('\0\0junk'), 'not gzip'],
    ]
    for (const [rest, message] of cases) {
      const { data, error } = await unpack(Buffer.concat([first, rest]), bite)
      expect(error).toContain(message)
      expect(data.subarray(0, 6).toString()).toBe('first\n')
      expect(data.subarray(6).equals(noise.subarray(0, data.length - 6))).toBe(true)
    }
  })

  it('never takes damaged data for other data', async () => {
    const random = dice(7)
    for (const packed of [gzipSync('hello hello hello'), gzipSync(words, { memLevel: 1 })]) {
      const want = gunzipSync(packed)
      for (let i = 0; i < 300; i++) {
        const copy = Buffer.from(packed)
        copy[random(copy.length)]! ^= 1 << random(8)
        const { data, error } = await unpack(copy, 1 + random(500))
        // The time and the system in a header mean nothing here; all else is noticed.
        if (error === undefined) expect(data.equals(want)).toBe(true)
      }
    }
  })
})
