/** BPE against the plainest way to do it, where texts are long, cut, or seen before. */
import { expect, it } from 'vitest'
import { Random } from '../mutations.ts'
import { readVariants, Tokenizer } from './helpers.ts'

const bytes = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
)

/** The merges one after another, each the lowest in rank and of these the first in the text. */
function slowBpe(pieces: readonly string[], merges: readonly [string, string][], text: string) {
  const ranks = new Map(merges.map(([a, b], rank) => [`${a} ${b}`, rank]))
  const symbols = Array.from(text)
  for (;;) {
    let best = Infinity
    let at = -1
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = ranks.get(`${symbols[i]} ${symbols[i + 1]}`) ?? Infinity
      if (rank >= best) continue
      best = rank
      at = i
    }
    if (at < 0) break
    symbols.splice(at, 2, symbols[at]! + symbols[at + 1]!)
  }
  return symbols.map((symbol) => pieces.indexOf(symbol))
}

/** A model whose merges build on each other, in no order. */
function randomModel(random: Random) {
  const letters = ['a', 'b', 'c', '▁', '\u{1F600}', '\u{1F601}', '\u{20000}', '一'].slice(
    random.below(5),
  )
  const pieces = ['<unk>', ...bytes, ...letters]
  const made = [...letters]
  const merges: [string, string][] = []
  const count = random.below(60)
  for (let tries = 0; tries < 4 * count && merges.length < count; tries++) {
    const [a, b] = [random.pick(made), random.pick(random.below(2) ? letters : made)]
    if (a.length + b.length > 20 || merges.some(([x, y]) => x === a && y === b)) continue
    merges.splice(random.below(merges.length + 1), 0, [a, b])
    if (pieces.includes(a + b)) continue
    made.push(a + b)
    pieces.push(a + b)
  }
  return { letters, pieces, merges }
}

it.each([true, false])('300 random models, byte_fallback %s', (byteFallback) => {
  const random = new Random(byteFallback ? 1 : 2)
  for (let round = 0; round < 300; round++) {
    const { letters, pieces, merges } = randomModel(random)
    const tokenizer = Tokenizer.from({
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
        merges,
        unk_token: '<unk>',
        // Without it nothing is cut or kept.
        byte_fallback: byteFallback,
      },
    })
    for (const most of [1, 4, 10, 10, 10, 48, 49, 50, 200]) {
      const length = 1 + random.below(most)
      const text = Array.from({ length }, () => random.pick(letters)).join('')
      const got = [...tokenizer.encode(text)]
      const want = slowBpe(pieces, merges, text)
      if (String(got) !== String(want)) expect([round, text, got]).toEqual([round, text, want])
    }
  }
})

it('a text gives the same ids the second time, alone and among others', () => {
  const { tokenizer: json, cases } = readVariants()['bpe-llama']!
  const tokenizer = Tokenizer.from(json)
  const first = cases.map(({ text }) => [...tokenizer.encode(text)])
  expect(cases.toReversed().map(({ text }) => [...tokenizer.encode(text)])).toEqual(
    first.toReversed(),
  )
  // More words than are kept, so that each of them is driven out.
  const word = (i: number) =>
    `${'abc'.repeat(1 + (i % 4))}${i.toString(3).replace(/\d/g, (d) => 'abc'[+d]!)}`
  const words = Array.from({ length: 200_000 }, (_, i) => word(i))
  const before = words.slice(0, 1000).map((text) => String(tokenizer.encode(text)))
  for (const text of words) tokenizer.encode(text)
  expect(words.slice(0, 1000).map((text) => String(tokenizer.encode(text)))).toEqual(before)
})
