import { codePointAt, type Normalizer, Units, unitsOf, width } from './buffers.ts'
import { chinese, mark, nonspacingMark, normalized, removed } from './code-points.ts'

/** What becomes of a text. */
type Change = (text: string) => string

/** The forms of Unicode, and the first code unit that each may change. */
const firstChanged = { NFC: 0x300, NFD: 0xc0, NFKC: 0xa0, NFKD: 0xa0 } as const

/** NFC, NFD, NFKC or NFKD. */
export function unicodeForm(form: keyof typeof firstChanged): Normalizer {
  const change = normalize(form)
  const first = firstChanged[form]
  return (text) => {
    const { data, length } = text
    let at = 0
    while (at < length && data[at]! < first) at++
    if (at < length) text.assign(change(text.toString()))
    return text
  }
}

/** Every character in lower case, by itself. */
export const lowercase = (): Normalizer => byCharacter(lower)

/** Marks go. They are not taken off a letter that has them within. */
export const stripAccents = (): Normalizer => byCharacter((text) => text.replace(mark(), ''))

/** What a BertNormalizer does. */
export interface BertOptions {
  /** Control characters go, white space becomes spaces. */
  readonly cleanText: boolean
  /** Chinese characters get spaces around them. */
  readonly handleChineseChars: boolean
  readonly stripAccents: boolean
  readonly lowercase: boolean
}

/** The normalizer of BERT (`BasicTokenizer` in google-research/bert), as Hugging Face's tokenizers have it. */
export function bertNormalizer(options: BertOptions): Normalizer {
  const changes: Change[] = []
  if (options.cleanText) changes.push((text) => text.replace(removed(), '').replace(/\s/g, ' '))
  if (options.handleChineseChars) changes.push((text) => text.replace(chinese(), ' $& '))
  if (options.stripAccents)
    changes.push(normalize('NFD'), (text) => text.replace(nonspacingMark(), ''))
  if (options.lowercase) changes.push(lower)
  return byCharacter((text) => changes.reduce((changed, change) => change(changed), text))
}

const normalize =
  (form: keyof typeof firstChanged): Change =>
  (text) =>
    text.replace(normalized(), (run) =>
      run.replace(/\p{M}+/gu, (marks) => sortMarks(marks)).normalize(form),
    )

/** Above this many marks one after another, the quadratic time that engines take to sort them counts. */
const manyMarks = 128

/** Long runs of marks in their canonical order (UAX #15), in linear time. */
function sortMarks(run: string): string {
  if (run.length <= manyMarks) return run
  const marks = Array.from(run, (mark) => mark.normalize('NFD')).join('')
  const distinct = [...new Set(marks)]
  const movable = distinct
    .filter((mark) => isSwapped('\u0345', mark) || mark === '\u0345')
    .sort(compare)
  const places = new Map<string, number>()
  let place = 0
  movable.forEach((mark, i) => {
    if (i > 0 && compare(movable[i - 1]!, mark) !== 0) place++
    places.set(mark, place)
  })
  let sorted = ''
  let classes: string[] = []
  for (const mark of marks) {
    const place = places.get(mark)
    if (place === undefined) {
      sorted += classes.join('') + mark
      classes = []
    } else classes[place] = (classes[place] ?? '') + mark
  }
  return sorted + classes.join('')
}

const isSwapped = (first: string, second: string): boolean =>
  (first + second).normalize('NFD') !== first + second

/** Compares the combining classes of two marks, which are over 0. That of U+0345 is the highest. */
const compare = (a: string, b: string): number => (isSwapped(a, b) ? 1 : isSwapped(b, a) ? -1 : 0)

// A sigma at the end of a word is no other than elsewhere.
const lower: Change = (text) => text.replaceAll('Σ', 'σ').toLowerCase()

// Of the marks that `nonspacingMark` leaves, one of the lowest combining class, and one of the highest.
const lowMark = '\u{1E94A}'
const highMark = '\u08D4'

// The entry of a character whose place may change.
const orderedFlag = -1 << 31

/**
 * A change that treats each character by itself, but that it may put marks in order. It is asked for a character once; from
 * then on a table decides. A text with marks that have an order is changed as a whole.
 */
function byCharacter(change: Change): Normalizer {
  // By code point: the one code unit it becomes + 1, or where its text stands: -1 - place; 0 where that is not known yet.
  const entries = new Int32Array(0x110000)
  // The length of a text, and the text.
  const texts = new Units()
  const isOrdered = (character: string): boolean =>
    change(character + lowMark) !== change(character) + change(lowMark) ||
    change(highMark + character) !== change(highMark) + change(character)

  const learn = (point: number): number => {
    const character = String.fromCodePoint(point)
    const changed = change(character)
    let entry = -1 - texts.length
    if (isOrdered(character)) entry = orderedFlag
    else if (changed.length === 1) entry = changed.charCodeAt(0) + 1
    else for (const unit of [changed.length, ...unitsOf(changed)]) texts.push(unit)
    entries[point] = entry
    return entry
  }

  return (text, spare) => {
    const { data, length } = text
    spare.length = 0
    spare.reserve(length)
    let out = spare.data
    let to = 0
    for (let i = 0; i < length; i += width(data, i)) {
      const point = codePointAt(data, i)
      const entry = entries[point] || learn(point)
      if (entry > 0) {
        out[to++] = entry - 1
        continue
      }
      if (entry === orderedFlag) {
        text.assign(change(text.toString()))
        return text
      }
      const start = -entry
      const end = start + texts.data[start - 1]!
      spare.length = to
      spare.reserve(to + end - start + length - i)
      out = spare.data
      for (let at = start; at < end; at++) out[to++] = texts.data[at]!
    }
    spare.length = to
    return spare
  }
}
