import { TokenizerError } from './errors.ts'

/**
 * The hash functions and the limit of the open-addressing tables: `Merges` (pair of ids -> rank), `Trie` (node and code
 * unit -> node) and `PieceTable` (code units -> id). Each probes its own slots: one class for the first two makes BPE 17 to
 * 27% slower.
 */

/**
 * The slots that a search probes at most. The longest probe over Gemma's 580,604 merges is 64 slots, over its 256,000
 * pieces 34; a longer one means a crafted file.
 */
export const maxProbes = 1024

/** The error for keys that need more probes. */
export const collision = (what: string): TokenizerError =>
  new TokenizerError('tokenizer-invalid', `the ${what} are crafted to collide`)

/** A hash of two whole numbers, 32 bits. */
export function hashPair(first: number, second: number): number {
  const mixed = Math.imul(first, 0x9e3779b1) ^ Math.imul(second + 1, 0x85ebca6b)
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
}

/** A hash of `data[start]` to `data[end - 1]`, or, with the hash of what comes before, of both. */
export function hashUnits(data: Uint16Array, start: number, end: number, before = 0): number {
  let hash = before
  for (let i = start; i < end; i++) hash = growHash(hash, data[i]!)
  return hash
}

/** The hash of a text that is one unit longer. */
export const growHash = (hash: number, unit: number): number =>
  Math.imul(hash ^ (hash >>> 15) ^ unit, 0x9e3779b1)

/** The top `bits` bits of {@link hashUnits}, mixed: the slot in a table of 2^bits. */
export const slotOfHash = (hash: number, bits: number): number =>
  Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> (32 - bits)
