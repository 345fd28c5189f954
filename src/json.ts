/**
 * Reads JSON as Python's `json.loads` does: as `JSON.parse`, and NaN, Infinity and -Infinity are numbers, which
 * `json.dumps` writes. As there, a byte order mark is a fault.
 *
 * @throws SyntaxError; RangeError where it is nested as deep as no honest file
 */
export function parseJson(text: string): unknown {
  if (text.startsWith('\ufeff'))
    throw new SyntaxError('it begins with a byte order mark; save it as UTF-8 without one')
  try {
    return JSON.parse(text)
  } catch (fault) {
    const plain = withoutConstants(text)
    if (plain === text) throw fault
    return JSON.parse(plain, (_key, value) => (isStand(value) ? Number.NaN : value))
  }
}

// A list that nobody writes stands for NaN on the way; as a key it would be a fault, as NaN is.
const standIn = '\u0000NaN'
const isStand = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 1 && value[0] === standIn

/** The constants in words that JSON has. White space keeps them apart from what stands beside them. */
const words: Readonly<Record<string, string>> = {
  NaN: ` ${JSON.stringify([standIn])} `,
  Infinity: ' 1e999 ',
  '-Infinity': ' -1e999 ',
}

/** The text with {@link words} for each constant outside a string, in one pass. */
function withoutConstants(text: string): string {
  let plain = ''
  let done = 0
  let inString = false
  const marks = /["\\]|NaN|-?Infinity/g
  for (let found = marks.exec(text); found; found = marks.exec(text)) {
    const [mark] = found
    if (mark === '"') inString = !inString
    else if (mark === '\\') marks.lastIndex++
    else if (!inString) {
      plain += text.slice(done, found.index) + words[mark]
      done = marks.lastIndex
    }
  }
  return plain + text.slice(done)
}
