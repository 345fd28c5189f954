import { type Ids, width } from './buffers.ts'
import { byteName, toUtf8 } from './bytes.ts'
import { Field } from './field.ts'
import { growHash, hashUnits } from './hashing.ts'
import { Merges } from './merges.ts'
import { maxPiece, PieceTable } from './piece-table.ts'
import type { Model } from './pipeline.ts'
import { noUnknown, parseVocab } from './vocabulary.ts'
import { WordCache } from './word-cache.ts'

/** How a BPE model treats what it does not know. */
export interface BpeOptions {
  /** What stands for a character without a piece; where there is none, such a character goes. */
  readonly unkToken: string | undefined
  /** Neighbouring unknown characters are one unknown piece. */
  readonly fuseUnk: boolean
  /** A character without a piece becomes those of its bytes, where there are pieces for all of them. */
  readonly byteFallback: boolean
  /** A word that is a piece becomes that piece, whatever the merges would make of it. */
  readonly ignoreMerges: boolean
  /** What pieces have in front that do not begin a word, and behind them that end one. */
  readonly prefix?: string
  readonly suffix?: string
}

/** The merges of a BPE model: merge i, of rank i, makes `made[i]` of `left[i]` and `right[i]`. */
export interface MergeLists {
  readonly left: Int32Array
  readonly right: Int32Array
  readonly made: Int32Array
}

/**
 * Byte-pair encoding of the SentencePiece kind (Sennrich et al. 2016): a word begins as its characters, and
 * neighbours are merged in the order of the merges. Without a pre-tokenizer the word is the whole text. Then, and
 * only for speed, it is cut between two characters where no merge ends with the one and goes on with the other,
 * since no piece can ever reach across such a place.
 */
export class Bpe implements Model {
  readonly pieces: readonly (string | undefined)[]
  readonly size: number
  readonly unkId: number | undefined
  /** The unknown piece is named, but is none. */
  readonly #isUnkMissing: boolean
  readonly #table: PieceTable
  readonly #merges: Merges
  readonly #bytes: Int32Array | undefined
  readonly #fuseUnk: boolean
  /** How long a word may be that is looked up whole: with `ignoreMerges`, the longest piece. */
  readonly #longestWhole: number
  /** The pieces that are one UTF-16 code unit, and those that are two: a surrogate pair. */
  readonly #units = new Int32Array(65536).fill(-1)
  readonly #astral = new Map<number, number>()
  readonly #prefix: string
  readonly #suffix: string
  readonly #joints: Joints | undefined
  readonly #cache = new WordCache()
  readonly #utf8 = new Uint8Array(4)
  #symbols = new Int32Array(256)

  constructor(
    pieces: readonly (string | undefined)[],
    table: PieceTable,
    merges: MergeLists,
    options: BpeOptions,
  ) {
    this.pieces = pieces
    const unkId = options.unkToken === undefined ? -1 : table.idOf(options.unkToken)
    this.unkId = unkId < 0 ? undefined : unkId
    this.#isUnkMissing = options.unkToken !== undefined && unkId < 0
    this.#prefix = options.prefix ?? ''
    this.#suffix = options.suffix ?? ''
    this.#table = table
    this.#merges = new Merges(merges.left, merges.right, merges.made)
    this.#fuseUnk = options.fuseUnk
    this.#longestWhole = options.ignoreMerges
      ? pieces.reduce((most, piece) => Math.max(most, piece?.length ?? 0), 0)
      : 0
    let size = 0
    for (let id = 0; id < pieces.length; id++) {
      const piece = pieces[id]
      if (piece === undefined) continue
      size++
      if (piece.length === 1) this.#units[piece.charCodeAt(0)] = id
      else if (piece.length === 2 && piece.codePointAt(0)! > 0xffff)
        this.#astral.set(piece.codePointAt(0)!, id)
    }
    this.size = size
    if (options.byteFallback)
      this.#bytes = Int32Array.from({ length: 256 }, (_, byte) => this.idOf(byteName(byte)))
    if (this.#mayCut(merges)) this.#joints = new Joints(pieces, merges)
  }

  /**
   * Whether what becomes of a character depends on merges alone, so that {@link Joints} tell where they may meet.
   * It does not where a text may hold unknown pieces, which fuse or wait for each other, or where bytes are merged.
   */
  #mayCut({ left, right }: MergeLists): boolean {
    const bytes = this.#bytes
    if (!bytes || this.#prefix || this.#suffix) return false
    // The ASCII characters that are pieces never fall back to their bytes.
    if (bytes.some((id, byte) => id < 0 && (byte >= 0x80 || this.#units[byte]! < 0))) return false
    const apart = new Set(bytes)
    return !left.some((id) => apart.has(id)) && !right.some((id) => apart.has(id))
  }

  idOf(piece: string): number {
    return this.#table.idOf(piece)
  }

  /** Appends the ids of one word, `data[start]` to `data[end - 1]`. */
  encode(data: Uint16Array, start: number, end: number, ids: Ids): void {
    if (this.#appendWhole(data, start, end, ids)) return
    const joints = this.#joints
    if (!joints) {
      this.#encodeCut(data, start, end, hashUnits(data, start, end), ids)
      return
    }
    let from = start
    let last = data[start]!
    let hash = growHash(0, last)
    for (let i = start + 1; i < end; i++) {
      const unit = data[i]!
      if (joints.between(last, unit)) hash = growHash(hash, unit)
      else {
        this.#encodeCut(data, from, i, hash, ids)
        from = i
        hash = growHash(0, unit)
      }
      last = unit
    }
    this.#encodeCut(data, from, end, hash, ids)
  }

  /** The same, neither cut nor cached. */
  encodeAnew(data: Uint16Array, start: number, end: number, ids: Ids): void {
    if (!this.#appendWhole(data, start, end, ids)) this.#encodeUncut(data, start, end, ids)
  }

  /** Appends the id of a word that is a piece, where merges are ignored then. */
  #appendWhole(data: Uint16Array, start: number, end: number, ids: Ids): boolean {
    if (end - start > this.#longestWhole) return false
    const whole = this.#table.find(data, start, end, hashUnits(data, start, end))
    if (whole >= 0) ids.push(whole)
    return whole >= 0
  }

  /** Appends the ids of what stands between two cuts. */
  #encodeCut(data: Uint16Array, start: number, end: number, hash: number, ids: Ids): void {
    const single = end - start === 1 && this.#suffix === '' ? this.#units[data[start]!]! : -1
    if (single >= 0) {
      ids.push(single)
      return
    }
    if (this.#cache.append(data, start, end, hash, ids)) return
    const from = ids.length
    this.#encodeUncut(data, start, end, ids)
    this.#cache.keep(data, start, end, hash, ids, from)
  }

  #encodeUncut(data: Uint16Array, start: number, end: number, ids: Ids): void {
    const characters = this.#split(data, start, end)
    const count = this.#merges.apply(this.#symbols, characters)
    for (let i = 0; i < count; i++) ids.push(this.#symbols[i]!)
  }

  /**
   * Writes the ids of the characters to `#symbols` and gives their number. An unknown piece is put down when the
   * next known one comes, as in Hugging Face's tokenizers, where the pieces of bytes overtake it.
   */
  #split(data: Uint16Array, start: number, end: number): number {
    // Three bytes of a code unit are the most: a pair of them has four.
    const most = 3 * (end - start) + 1
    if (this.#symbols.length < most) this.#symbols = new Int32Array(2 ** Math.ceil(Math.log2(most)))
    const symbols = this.#symbols
    let count = 0
    let waiting = false
    for (let at = start; at < end; ) {
      const next = at + width(data, at)
      const id =
        this.#prefix || this.#suffix
          ? this.#affixedIdAt(data, at, next, at === start, next === end)
          : this.#idAt(data, at, next)
      if (id >= 0) {
        if (waiting) symbols[count++] = this.unkId!
        waiting = false
        symbols[count++] = id
      } else {
        const bytes = this.#bytes ? this.#splitBytes(data, at, next, count) : 0
        if (bytes === 0 && this.#isUnkMissing) noUnknown(data, at, next)
        if (bytes === 0 && this.unkId !== undefined) {
          if (waiting && !this.#fuseUnk) symbols[count++] = this.unkId
          waiting = true
        }
        count += bytes
      }
      at = next
    }
    if (waiting) symbols[count++] = this.unkId!
    return count
  }

  /** The id of one character, `data[at]` to `data[next - 1]`, or -1. */
  #idAt(data: Uint16Array, at: number, next: number): number {
    if (next - at === 1) return this.#units[data[at]!]!
    const point = 0x10000 + ((data[at]! & 0x3ff) << 10) + (data[at + 1]! & 0x3ff)
    return this.#astral.get(point) ?? -1
  }

  /** The same with what pieces have in front that do not begin a word, and behind them that end one. */
  #affixedIdAt(data: Uint16Array, at: number, next: number, isFirst: boolean, isLast: boolean) {
    const character = String.fromCharCode(...data.subarray(at, next))
    return this.idOf((isFirst ? '' : this.#prefix) + character + (isLast ? this.#suffix : ''))
  }

  /** Writes the pieces of a character's bytes and gives their number: 0 where one of them has none. */
  #splitBytes(data: Uint16Array, at: number, next: number, count: number): number {
    const length = toUtf8(data, at, next, this.#utf8)
    for (let i = 0; i < length; i++) {
      const id = this.#bytes![this.#utf8[i]!]!
      if (id < 0) return 0
      this.#symbols[count + i] = id
    }
    return length
  }
}

// Gemma has 27,575 pairs of code units at which merges take place: 3 % of the bits.
const jointBits = 20

/**
 * Between which code units a merge may take place: those that end the left side of one and begin its right side.
 * There is a bit for the hash of each pair, so that a few other pairs pass too; a text is then cut less.
 */
class Joints {
  readonly #bits = new Int32Array(2 ** jointBits / 32)

  constructor(pieces: readonly (string | undefined)[], { left, right }: MergeLists) {
    for (let i = 0; i < left.length; i++) {
      const before = pieces[left[i]!]!
      const bit = jointOf(before.charCodeAt(before.length - 1), pieces[right[i]!]!.charCodeAt(0))
      this.#bits[bit >>> 5]! |= 1 << (bit & 31)
    }
  }

  /** Whether a merge, or a character of two units, may reach across the place between two code units. */
  between(last: number, first: number): boolean {
    const bit = jointOf(last, first)
    return (this.#bits[bit >>> 5]! & (1 << (bit & 31))) !== 0 || (first & 0xfc00) === 0xdc00
  }
}

const jointOf = (last: number, first: number): number =>
  Math.imul(Math.imul(last, 0x9e3779b1) ^ first, 0x85ebca6b) >>> (32 - jointBits)

/** The `model` of a tokenizer.json, of type BPE. */
export function parseBpe(field: Field): Bpe {
  const dropout = field.at('dropout')
  if (!dropout.absent && dropout.value !== 0) dropout.unsupported('null, 0')
  const text = (name: string) => (field.at(name).absent ? '' : field.at(name).string())
  const flag = (name: string) => !field.at(name).absent && field.at(name).boolean()
  const prefix = text('continuing_subword_prefix')
  const suffix = text('end_of_word_suffix')
  const byteFallback = flag('byte_fallback')
  if (byteFallback && (prefix || suffix))
    field
      .at('byte_fallback')
      .unsupported('false, beside continuing_subword_prefix and end_of_word_suffix')
  const pieces = parseVocab(field.at('vocab'))
  const table = new PieceTable(pieces)
  const unk = field.at('unk_token')
  return new Bpe(pieces, table, parseMerges(field.at('merges'), table, prefix.length), {
    unkToken: unk.absent ? undefined : unk.string(),
    fuseUnk: flag('fuse_unk'),
    byteFallback,
    ignoreMerges: flag('ignore_merges'),
    prefix,
    suffix,
  })
}

/**
 * The merges as they stand in a tokenizer.json: `["a", "b"]` or, in older files, `"a b"`. What they make is without the
 * first `prefixLength` code units of the right side.
 */
function parseMerges(field: Field, table: PieceTable, prefixLength: number): MergeLists {
  const entries = field.array()
  const left = new Int32Array(entries.length)
  const right = new Int32Array(entries.length)
  const made = new Int32Array(entries.length)
  const units = new Uint16Array(2 * maxPiece)
  let count = 0
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]
    // What the merges of old files begin with.
    if (typeof entry === 'string' && entry.startsWith('#version')) continue
    const [before, after] = sidesOf(entry)
    const end = before.length + after.length
    if (end <= units.length && before !== '' && after !== '') {
      const middle = before.length
      for (let at = 0; at < middle; at++) units[at] = before.charCodeAt(at)
      for (let at = middle; at < end; at++) units[at] = after.charCodeAt(at - middle)
      const hash = hashUnits(units, 0, middle)
      left[count] = table.find(units, 0, middle, hash)
      right[count] = table.find(units, middle, end, hashUnits(units, middle, end))
      made[count] =
        prefixLength > 0
          ? table.idOf(before + after.slice(prefixLength))
          : table.find(units, 0, end, hashUnits(units, middle, end, hash))
      if (left[count]! >= 0 && right[count]! >= 0 && made[count]! >= 0) {
        count++
        continue
      }
    }
    new Field(Array.isArray(entry) ? JSON.stringify(entry) : entry, `${field.where}[${i}]`).fail(
      'two pieces of the vocabulary that make a third one',
    )
  }
  return {
    left: left.subarray(0, count),
    right: right.subarray(0, count),
    made: made.subarray(0, count),
  }
}

const noSides: readonly [string, string] = ['', '']

function sidesOf(entry: unknown): readonly [string, string] {
  if (typeof entry === 'string') {
    const space = entry.indexOf(' ')
    const isPair = space >= 0 && !entry.includes(' ', space + 1)
    return isPair ? [entry.slice(0, space), entry.slice(space + 1)] : noSides
  }
  if (!Array.isArray(entry) || entry.length !== 2) return noSides
  const [before, after] = entry
  return typeof before === 'string' && typeof after === 'string' ? [before, after] : noSides
}
