/** At which end a text is cut. */
export type Side = 'left' | 'right'

/** The ids of a text, without those beyond `length` on a side. */
export function cutIds(ids: Uint32Array, length: number, side: Side): Uint32Array {
  if (ids.length <= length) return ids
  return side === 'left' ? ids.subarray(ids.length - length) : ids.subarray(0, length)
}

/**
 * The ids of two texts, cut to the room for them as Hugging Face's tokenizers does it (`truncate_encodings` with
 * `LongestFirst`): the longer text is cut, or both to half of the room.
 *
 * @param room how many tokens of the two texts may stay: the limit without the special tokens
 */
export function truncatePair(
  first: Uint32Array,
  second: Uint32Array,
  room: number,
  side: Side,
): [first: Uint32Array, second: Uint32Array] {
  const [a, b] = [first.length, second.length]
  if (a + b <= room) return [first, second]
  // Where the shorter one has more than half of the room, the longer one gets the odd token; of equal ones the second.
  const short = Math.min(a, b, Math.floor(room / 2))
  const [firstLength, secondLength] = a <= b ? [short, room - short] : [room - short, short]
  return [cutIds(first, firstLength, side), cutIds(second, secondLength, side)]
}
