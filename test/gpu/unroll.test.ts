import { expect, it } from 'vitest'
import { unroll } from '../../src/gpu/unroll.ts'

it.each([
  ['let a = 1; // # no mark', {}, 'let a = 1; // # no mark'],
  ['//# r < 2\nvar s_$r = $ru;', {}, 'var s_0 = 0u;\nvar s_1 = 1u;'],
  ['//# r < 2, c < 2\ns_$r_$c;', {}, 's_0_0;\ns_0_1;\ns_1_0;\ns_1_1;'],
  [
    '//# r < N / 4 {\n{\n//# c < 2\n  $r$c;\n}\n//# }\nend',
    { N: 8 },
    '{\n  00;\n  01;\n}\n{\n  10;\n  11;\n}\nend',
  ],
  ['//# r < 2\n//# c < 2\n$r$c', {}, '00\n01\n10\n11'],
  ['a\n//# r < NONE {\n$r\n//# }\nb', { NONE: 0 }, 'a\nb'],
])('writes out %j', (code, sizes, expected) => expect(unroll(code, sizes)).toBe(expected))

it.each([
  ['//# r < N\n$r', 'r < N'],
  ['//# r < 6 / 4\n$r', 'r < 6 / 4'],
  ['//# row < 2\n$r', 'row < 2'],
  ['//# r < 2', 'no line follows'],
  ['//# r < 2 {\n$r', 'ends the last block'],
  ['a\n//# }', '}'],
])('refuses %j', (code, named) => expect(() => unroll(code)).toThrow(named))
