import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectFreshBuild, root } from '../portability/cases.ts'
import { type Block, type Fault, faultText, partsOf, readPages } from './markdown.ts'
import { checkTypes, readPrograms } from './programs.ts'
import { agrees, type Bench, isRun, makeBench, outcomeFaults, runProgram } from './run.ts'

// The programs in Markdown, against the library as built: their types, and what the complete ones state and do.

const programs = readPrograms(readPages(root).flatMap((page) => partsOf(page).blocks))
const complete = programs.filter((program) => isRun(root, program))

/** Blocks of a page that is not there; each starts ten lines below the one before. */
const pageOf = (...codes: string[]): Block[] =>
  codes.map((code, i) => {
    const [, language = 'ts'] = /^\/\/ (js)\n/.exec(code) ?? []
    return { file: 'docs/bad.md', line: 10 * (i + 1), language, code: `${code}\n`, note: '' }
  })

const bad = readPrograms(
  pageOf(
    "import { Rerank } from 'dawnrank'",
    "import { Reranker } from 'dawnrank'\nconst model = await Reranker.load('a', { maxLen: 3 })",
    "const rows = await model.rank('a', ['b'])\nrows[0].scores",
    'await other.rank(query, passages)',
    "import { rerank } from 'nothing'",
    '// js\n/** @param {number} count */\nconst twice = (count) => count.length',
    'const shown: string = rows[0].passage + query + passages[0]',
  ),
)

let faults: Fault[] = []
let bench: Bench | undefined
beforeAll(() => {
  expectFreshBuild()
  faults = checkTypes(root, [...programs, ...bad])
  bench = makeBench(root)
  // The compiler takes seconds, and minutes on a machine that does much else.
}, 600_000)
afterAll(() => bench?.remove())

it(`${programs.length} programs have the right types`, () => {
  expect(faults.filter(({ file }) => file !== 'docs/bad.md').map(faultText)).toEqual([])
  expect(programs.length).toBeGreaterThan(10)
})

it('wrong programs do not', () => {
  const found = faults.filter(({ file }) => file === 'docs/bad.md').map(faultText)
  for (const [i, expected] of [
    /^docs\/bad.md:10: .*no exported member.* 'Rerank'/,
    /^docs\/bad.md:21: .*'maxLen' does not exist/,
    /^docs\/bad.md:31: Property 'scores' does not exist/,
    /^docs\/bad.md:40: Cannot find name 'other'/,
    /^docs\/bad.md:50: Cannot find module 'nothing'/,
    /^docs\/bad.md:62: Property 'length' does not exist on type 'number'/,
  ].entries()) {
    expect(found[i]).toMatch(expected)
  }
  expect(found).toHaveLength(6)
})

it.each(
  complete.map((program) => [`${program.block.file}:${program.block.line}`, program] as const),
)(`${complete.length} complete programs run: %s`, async (_, program) => {
  const outcomes = await runProgram(bench!, program)
  expect(outcomeFaults(program, outcomes).map(faultText)).toEqual([])
})

describe('a program that runs', () => {
  const [wrong, throws] = readPrograms(
    pageOf(
      [
        "import { DawnrankError } from 'dawnrank'",
        '1 + 1 // 3',
        'const list: number[] = [1, 2] // [1, 2]',
        'console.log(list.length) // 2 numbers',
        "console.log('a')",
        "// 'b'",
        'DawnrankError.name // "DawnrankError"',
      ].join('\n'),
      "import { Tokenizer } from 'dawnrank'\nawait Tokenizer.load('nowhere')",
    ),
  )

  it('must state what comes out', async () => {
    const found = outcomeFaults(wrong!, await runProgram(bench!, wrong!)).map(faultText)
    expect(found).toEqual([
      'docs/bad.md:11: states 3, but it is 2',
      "docs/bad.md:15: states 'b', but it is 'a'",
    ])
  })

  it('must not fail', async () => {
    await expect(runProgram(bench!, throws!)).rejects.toThrow(/nowhere/)
  })
})

describe('a value is as stated', () => {
  it.each<[stated: string, actual: string, expected: boolean]>([
    ['2', '2', true],
    ['2', '3', false],
    ['2', 'NaN', false],
    ['0.110…', '0.11017714', true],
    ['0.110…', '0.1145', false],
    ['[0.5, -1.25…]', '[ 0.5, -1.2544 ]', true],
    ['[0.5]', '[ 0.5, 1 ]', false],
    ["[{ id: 'a', score: … }]", "[ { id: 'a', score: 0.64 } ]", true],
    ["[{ id: 'b', score: … }]", "[ { id: 'a', score: 0.64 } ]", false],
    ["{\n  text: 'The tower …',\n}", "{ text: 'The tower was' }", true],
    ['{ isCut: false }', '{ isCut: true }', false],
    ['[1, 2]', 'Float32Array(2) [ 1, 2 ]', true],
  ])('%s for %s: %s', (stated, actual, expected) => {
    expect(agrees(stated, actual)).toBe(expected)
  })
})
