import { type CharSet, classSet } from './char-sets.ts'
import {
  consonantClass,
  controlClass,
  extendClass,
  linkerClass,
  pictographClass,
  prependClass,
  spacingMarkClass,
} from './grapheme-data.ts'

// Classes of code points in UAX #29, Unicode 17. Linkers and the non-joiner are extending characters.
const Other = 0
const Control = 1
const Cr = 2
const Lf = 3
const Extend = 4
const NonJoiner = 5
const Linker = 6
const Joiner = 7
const SpacingMark = 8
const Prepend = 9
const Leading = 10 // Hangul jamo L, V, T, and syllables LV, LVT
const Vowel = 11
const Trailing = 12
const SyllableLV = 13
const SyllableLVT = 14
const Regional = 15
const Consonant = 16
const Pictograph = 17

/** Planes 0 and 1, then the first 4096 code points of plane 14; all others are `Other`. */
let classes: Uint8Array | undefined

function makeClasses(): Uint8Array {
  const table = new Uint8Array(0x21000)
  const mark = (set: CharSet, kind: number) => {
    for (let i = 0; i < set.length; i += 2)
      table.fill(kind, indexOf(set[i]!), indexOf(set[i + 1]!) + 1)
  }
  mark(classSet(controlClass), Control)
  mark(classSet(extendClass), Extend)
  mark(classSet(linkerClass), Linker)
  mark(classSet(spacingMarkClass), SpacingMark)
  mark(classSet(prependClass), Prepend)
  mark(classSet(consonantClass), Consonant)
  mark(classSet(pictographClass), Pictograph)
  mark([0xd, 0xd], Cr)
  mark([0xa, 0xa], Lf)
  mark([0x200c, 0x200c], NonJoiner)
  mark([0x200d, 0x200d], Joiner)
  mark([0x1f1e6, 0x1f1ff], Regional)
  mark([0x1100, 0x115f, 0xa960, 0xa97c], Leading)
  mark([0x1160, 0x11a7, 0xd7b0, 0xd7c6, 0x16d63, 0x16d63, 0x16d67, 0x16d6a], Vowel)
  mark([0x11a8, 0x11ff, 0xd7cb, 0xd7fb], Trailing)
  mark([0xac00, 0xd7a3], SyllableLVT)
  for (let point = 0xac00; point <= 0xd7a3; point += 28) table[point] = SyllableLV
  return table
}

const indexOf = (point: number) => (point < 0x20000 ? point : point - 0xe0000 + 0x20000)

function classOf(point: number): number {
  classes ??= makeClasses()
  if (point >= 0x20000 && point < 0xe0000) return Other
  return classes[indexOf(point)] ?? Other
}

/**
 * Whether a code unit may share a cluster with whatever stands beside it. Two units of which neither may
 * are in two clusters: consonants, pictographs and Hangul syllables only join through one that may.
 */
export function mayJoin(unit: number): boolean {
  if ((unit & 0xf800) === 0xd800) return true
  const kind = classOf(unit)
  return kind === Cr || (kind >= Extend && kind <= Trailing)
}

/** The end of the extended grapheme cluster (UAX #29) that starts at `start` in well-formed UTF-16. */
export function clusterEnd(data: Uint16Array, start: number, end: number): number {
  let at = start
  let before = -1
  let conjunct = 0 // 1: after a consonant, 2: after a consonant and a linker (GB9c)
  let pictograph = 0 // 1: after a pictograph, 2: after a pictograph and a joiner (GB11)
  let regionals = 0
  while (at < end) {
    const high = data[at]!
    const pair = (high & 0xfc00) === 0xd800
    const kind = classOf(pair ? ((high & 0x3ff) << 10) + (data[at + 1]! & 0x3ff) + 0x10000 : high)
    const joined =
      before < 0 ||
      joins(before, kind) ||
      (kind === Consonant && conjunct === 2) ||
      (kind === Pictograph && pictograph === 2) ||
      (kind === Regional && regionals % 2 === 1)
    if (!joined) break
    const extending = kind === Extend || kind === Linker || kind === NonJoiner
    if (kind === Consonant) conjunct = 1
    else if (kind === Linker && conjunct > 0) conjunct = 2
    else if (kind !== Extend && kind !== Joiner) conjunct = 0
    if (kind === Pictograph) pictograph = 1
    else if (kind === Joiner && pictograph === 1) pictograph = 2
    else if (!extending || pictograph === 2) pictograph = 0
    regionals = kind === Regional ? regionals + 1 : 0
    before = kind
    at += pair ? 2 : 1
  }
  return at
}

/** The rules of UAX #29 that look at two neighbours alone: GB3 to GB9b. */
function joins(before: number, after: number): boolean {
  if (before === Cr) return after === Lf
  if (before === Control || before === Lf) return false
  if (after === Control || after === Cr || after === Lf) return false
  if (after >= Extend && after <= SpacingMark) return true
  if (before === Prepend) return true
  if (after === Vowel) return before === Leading || before === SyllableLV || before === Vowel
  if (after === Trailing) return before >= Vowel && before <= SyllableLVT
  return before === Leading && (after === Leading || after === SyllableLV || after === SyllableLVT)
}
