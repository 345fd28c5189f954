/** A field of a JSON object. */
export interface Member {
  readonly key: string
  /** Key and value as they were written, white space between them left out. */
  readonly text: string
}

const quote = 0x22
const backslash = 0x5c

/**
 * The fields of a JSON object in their order, as they were written: numbers keep digits that no number of JavaScript
 * has, and keys that repeat are all there.
 *
 * @param object what `parseJson` has found to be an object
 */
export function membersOf(object: string): Member[] {
  const members: Member[] = []
  let at = object.indexOf('{') + 1
  for (;;) {
    const start = object.indexOf('"', at)
    if (start < 0) return members
    const keyEnd = afterString(object, start)
    const colon = object.indexOf(':', keyEnd)
    const end = afterValue(object, colon + 1)
    const key = object.slice(start, keyEnd)
    members.push({ key: JSON.parse(key), text: `${key}:${object.slice(colon + 1, end).trim()}` })
    at = end + 1
  }
}

/** Where a string ends that starts here. */
function afterString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const code = text.charCodeAt(at)
    if (code === backslash) at++
    else if (code === quote) return at + 1
  }
}

/** Where the comma or bracket is that ends a value which starts here. */
function afterValue(text: string, start: number): number {
  let depth = 0
  for (let at = start; ; ) {
    const mark = text[at]!
    if (mark === '"') {
      at = afterString(text, at)
      continue
    }
    if (depth === 0 && (mark === ',' || mark === '}')) return at
    if (mark === '{' || mark === '[') depth++
    if (mark === '}' || mark === ']') depth--
    at++
  }
}
