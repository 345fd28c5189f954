import { expect, test } from 'vitest'
import { parseJson } from '../src/json.ts'

// What Python's json.loads gives (3.11), and whether it takes the text at all.

test('NaN and Infinity are numbers outside strings, and text inside them', () => {
  const text = String.raw`{"NaN": NaN, "a": [Infinity, -Infinity, 1e30], "b": "NaN \"Infinity\" \\", "c": {"d": NaN}}`
  expect(parseJson(text)).toEqual({
    NaN: Number.NaN,
    a: [Infinity, -Infinity, 1e30],
    b: 'NaN "Infinity" \\',
    c: { d: Number.NaN },
  })
  expect(parseJson('NaN')).toBeNaN()
  expect(parseJson('-Infinity')).toBe(-Infinity)
  expect(parseJson('1e400')).toBe(Infinity)
})

test('lists beside NaN stay what they are', () => {
  const lists = '[["\\u0000NaN", 1], [5], ["\\u0000NaN"], [], 0'
  expect(parseJson(`${lists}, NaN]`)).toEqual([['\0NaN', 1], [5], Number.NaN, [], 0, Number.NaN])
  // The same list where no constant is beside it.
  expect(parseJson(`${lists}]`)).toEqual([['\0NaN', 1], [5], ['\0NaN'], [], 0])
})

test('a byte order mark at the start is named as such, and is text elsewhere', () => {
  expect(() => parseJson('\ufeff{}')).toThrow('it begins with a byte order mark')
  expect(parseJson('"\ufeff"')).toBe('\ufeff')
  expect(() => parseJson('{}\ufeff')).not.toThrow('it begins with')
})

test('names that objects inherit are keys like others', () => {
  const parsed = parseJson('{"__proto__": NaN, "constructor": 1}') as object
  expect(Object.keys(parsed)).toEqual(['__proto__', 'constructor'])
  expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
})

test.each([
  '',
  '{"a": -NaN}',
  '{"a": +Infinity}',
  '{"a": nan}',
  '{"a": NaNa}',
  '{"a": NaN1}',
  '{"a": Infinity2}',
  '{NaN: 1}',
  '{"a": NaN,}',
  "{'a': 1}",
  '{"a": "NaN}',
  '{"a": NaN} x',
  '\ufeff{"a": 1}',
])('%j is no JSON', (text) => {
  expect(() => parseJson(text)).toThrow(SyntaxError)
})

test('reads hostile text in linear time', () => {
  const began = performance.now()
  for (const unit of ['"NaN', '\\"', 'NaN', '-Infinity,', '[NaN,'])
    expect(() => parseJson(unit.repeat(200_000))).toThrow()
  expect(performance.now() - began).toBeLessThan(3000)
})
