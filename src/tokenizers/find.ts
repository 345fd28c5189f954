import { unitsOf } from './buffers.ts'
import type { Field } from './field.ts'
import type { Kinds } from './kinds.ts'

/** Appends to `found` the start and end of each match in `data[start]` to `data[end - 1]`, in order. */
export type Find = (data: Uint16Array, start: number, end: number, found: number[]) => void

/** Finds a text that is not empty. */
export function findText(text: string): Find {
  const sought = unitsOf(text)
  const isAt = (data: Uint16Array, at: number): boolean => {
    for (let i = 0; i < sought.length; i++) if (data[at + i] !== sought[i]) return false
    return true
  }
  return (data, start, end, found) => {
    for (let at = start; at + sought.length <= end; ) {
      if (isAt(data, at)) {
        found.push(at, at + sought.length)
        at += sought.length
      } else at++
    }
  }
}

/** The regular expression that SentencePiece models are converted with. */
export const spacesPattern = ' {2,}'

/** Finds the matches of {@link spacesPattern}. */
export const findSpaces: Find = (data, start, end, found) => {
  for (let at = start; at < end; at++) {
    if (data[at] !== 32) continue
    const first = at
    while (at + 1 < end && data[at + 1] === 32) at++
    if (at > first) found.push(first, at + 1)
  }
}

/** The `pattern` of a Split or a Replace: `{"String": literal}` or `{"Regex": expression}`. */
export function parseFind(field: Field, { regex }: Kinds): Find {
  const literal = field.at('String')
  if (!literal.absent) {
    if (literal.string() === '') literal.fail('a string that is not empty')
    return findText(literal.string())
  }
  const expression = field.at('Regex')
  if (expression.value === spacesPattern) return findSpaces
  return expression.absent || !regex
    ? field.unsupported('{"String": literal}, {"Regex": expression}')
    : regex.parseExpression(expression)
}
