import type { Field } from './field.ts'
import { type Find, findSpaces, findText, spacesPattern } from './find.ts'
import type { Kinds } from './kinds.ts'

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
