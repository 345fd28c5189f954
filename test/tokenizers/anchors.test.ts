/**
 * Replace with a Regex that has anchors: what tokenizers 0.20.3 and 0.23.3 give (`normalizers.Replace(Regex(pattern),
 * '_').normalize_str(text)`), and that no pattern takes more than linear time.
 */
import { describe, expect, it } from 'vitest'
import { Units } from '../../src/tokenizers/buffers.ts'
import { Field } from '../../src/tokenizers/field.ts'
import { parseNormalizer } from '../../src/tokenizers/normalizers.ts'
import { fixtureJson, Tokenizer } from './helpers.ts'

function replaced(pattern: string, text: string): string {
  const field = new Field({ type: 'Replace', pattern: { Regex: pattern }, content: '_' }, 'json: ')
  let units = new Units()
  units.assign(text)
  for (const normalizer of parseNormalizer(field)) units = normalizer(units, new Units())
  return units.toString()
}

it.each([
  ['\\Aa', 'aab', '_ab'],
  ['\\Aa', '\na', '\na'],
  ['\\A▁', '▁▁a', '_▁a'],
  ['\\A +', '  a  b', '_a  b'],
  ['\\A +\\z', '   ', '_'],
  ['^a', 'aab\naab\r\na\u2028a', '_ab\n_ab\r\n_\u2028a'],
  ['^ +', '  a\n  b', '_a\n_b'],
  ['^ +$', '  \n  a\n  ', '_\n  a\n_'],
  ['^\n', 'a\n\n', 'a\n_'],
  ['^[\n ]+', 'a\n\n b', 'a\n_b'],
  ['a$', 'ba\na\r\na\u2028aa', 'b_\na\r\na\u2028a_'],
  ['a$', 'aa\n\n', 'a_\n\n'],
  [' +$', 'a  \n  b', 'a_\n  b'],
  ['[\n ]+$', ' \n \nx', '_\nx'],
  ['\n$', '\n\n', '__'],
  ['a\\z', 'a\na', 'a\n_'],
  ['a\\z', 'aa\n', 'aa\n'],
  ['a\\Z', 'a\na\n', 'a\n_\n'],
  ['a\\Z', 'aa\n\n', 'aa\n\n'],
  [' {2,}\\z', 'a  b   ', 'a  b_'],
  ['a{1,2}$', 'aaa', 'a_'],
  ['\\-+\\z', '--a--', '--a_'],
  ['[a😀]+$', '😀b😀a', '😀b_'],
])('%j in %j', (pattern, text, want) => {
  expect(replaced(pattern, text)).toBe(want)
})

describe('linear time', () => {
  it.each([
    '\\A +',
    '^\n+',
    ' +$',
    '[\n ]+\\z',
    '^ +\\Z',
    '\n{2,}$',
    '\n{1,64}\\z',
    ' {99}',
    '^ {64,64}$',
    '( +)+$',
    '\\s+x|\\s',
    '(?: | \\n)+\\n\\n\\n',
    '\\s*\\n(?=x)',
  ])('%j', (pattern) => {
    const began = performance.now()
    for (const unit of [' ', '\n', ' \n', '  a', '\n\na'])
      for (const end of ['', 'x']) replaced(pattern, unit.repeat(100_000) + end)
    // Quadratic time would be minutes.
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

describe('a tokenizer as transformers 5 writes it of a Llama SentencePiece model', () => {
  const json = fixtureJson('mistral/model/tokenizer.json')
  const replace = (pattern: object, content: string) => ({ type: 'Replace', pattern, content })
  const tokenizer = Tokenizer.from({
    ...json,
    normalizer: {
      type: 'Sequence',
      normalizers: [replace({ String: ' ' }, '▁'), replace({ Regex: '\\A▁' }, '▁▁')],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false },
      ],
    },
  })

  // transformers 5.24.0 (tokenizers 0.23.3); tokenizers 0.20.3 gives the same.
  it.each([
    ['what is panda?', [666, 318, 383, 635, 1152]],
    ['', []],
    [' ', [1128, 1128]],
    ['?', [1128, 1152]],
    ['a</s>b', [262, 2, 275]],
    ['</s></s>', [2, 2]],
    [
      '  zwei  Leerzeichen ',
      [
        1128, 1128, 1128, 1420, 1148, 1129, 1137, 1128, 684, 1129, 263, 1420, 1129, 1137, 834, 1134,
        1128,
      ],
    ],
    ['\u3000x \u00a0 y', [1128, 230, 131, 131, 1159, 1128, 197, 163, 367]],
    [
      'x <mask> y<pad><unk><s>z',
      [1128, 1159, 1127, 1141, 662, 1158, 1415, 367, 1414, 1143, 431, 1415, 0, 1, 1128, 1420],
    ],
    ['a  b\tc\nd', [262, 1128, 275, 12, 1139, 13, 1138]],
  ])('%j', (text, ids) => {
    expect([...tokenizer.encode(text)]).toEqual(ids)
  })
})
