/** Grapheme clusters against the engine's own segmentation. */
import { expect, it } from 'vitest'
import { unitsOf } from '../../src/tokenizers/buffers.ts'
import { clusterEnd, mayJoin } from '../../src/tokenizers/graphemes.ts'
import { Random } from '../mutations.ts'

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

const lengthsOf = (text: string) => Array.from(segmenter.segment(text), (s) => s.segment.length)

function ourLengthsOf(text: string): number[] {
  const units = unitsOf(text)
  const lengths: number[] = []
  for (let at = 0; at < units.length; at += lengths.at(-1)!)
    lengths.push(clusterEnd(units, at, units.length) - at)
  return lengths
}

// One to four of every class, and what the rules of UAX #29 turn on.
const samples = [
  ...[
    'a',
    'é',
    '一',
    '\0',
    '\t',
    '\r',
    '\n',
    '\u00AD',
    '\u200B',
    '\u{E0001}',
    '\u{20000}',
    '\u{C0301}',
  ],
  ...['\u0301', '\u05B0', '\u20E3', '\u{1F3FB}', '\u{E0100}', '\uFE0F', '\u200C', '\u200D'],
  ...['\u0903', '\u0E33', '\u{1D166}', '\u0600', '\u06DD', '\u0D4E', '\u{110BD}'],
  ...['\u1100', '\uA960', '\u1161', '\uD7B0', '\u11A8', '\uD7CB', '가', '각', '힣'],
  ...['\u{1F1E6}', '\u{1F1FF}', '©', '™', '\u2764', '\u{1F600}', '\u{1F469}', '\u{1F9B0}'],
  ...['क', '\u0958', '\u094D', '\u093C', '\u09CD', '\u0995', '\u0D15', '\u0D4D'],
]

it('agrees with Intl.Segmenter on every pair and on 20,000 random texts', () => {
  for (const a of samples)
    for (const b of samples) expect([a + b, ourLengthsOf(a + b)]).toEqual([a + b, lengthsOf(a + b)])
  const random = new Random(1)
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 2 + random.below(8) }, () => random.pick(samples)).join('')
    if (String(ourLengthsOf(text)) !== String(lengthsOf(text)))
      expect([codesOf(text), ourLengthsOf(text)]).toEqual([codesOf(text), lengthsOf(text)])
  }
})

it('two units of which neither may join are never in one cluster', () => {
  const still = samples.filter((text) => text.length === 1 && !mayJoin(text.charCodeAt(0)))
  expect(still.length).toBeGreaterThan(10)
  for (const a of still) for (const b of still) expect(ourLengthsOf(a + b)).toEqual([1, 1])
})

// Only where the engine knows the same version of Unicode as the table.
it.skipIf(Number.parseInt(process.versions.unicode ?? '', 10) !== 17)(
  'every code point stands to its neighbours as the engine says',
  () => {
    for (let point = 0; point < 0x30000; point++) {
      if (point >= 0xd800 && point < 0xe000) continue
      const text = `a${String.fromCodePoint(point)}\u0301क`
      if (String(ourLengthsOf(text)) !== String(lengthsOf(text)))
        expect([codesOf(text), ourLengthsOf(text)]).toEqual([codesOf(text), lengthsOf(text)])
    }
  },
)

const codesOf = (text: string) =>
  Array.from(text, (c) => c.codePointAt(0)!.toString(16).toUpperCase()).join(' ')
