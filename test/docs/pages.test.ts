import { describe, expect, it } from 'vitest'
import { root } from '../portability/cases.ts'
import { checkMention, countCommands, isCommand, isMissing } from './commands.ts'
import { checkBlock } from './languages.ts'
import {
  anchorsOf,
  checkLink,
  codesOf,
  faultText,
  isLeftOut,
  linksOf,
  type Page,
  partsOf,
  readPages,
} from './markdown.ts'

// All Markdown of the repository. The code of programs is checked in programs.test.ts.

const pages = readPages(root).map((page) => ({ ...page, ...partsOf(page) }))
const blocks = pages.flatMap((page) => page.blocks)
const shell = blocks.filter(({ language }) => /^(sh|bash)$/.test(language))
const commands = shell.reduce((sum, block) => sum + countCommands(block), 0)
const codes = pages.flatMap(({ file, prose }) => codesOf(file, prose))
const links = pages.flatMap(({ file, prose }) => linksOf(file, prose))
const anchors = new Map(pages.map(({ file, prose }) => [file, anchorsOf(prose)]))

/** How many blocks there are of each language: `27 sh, 22 ts`. */
function tally(): string {
  const counts = new Map<string, number>()
  for (const { language } of blocks) counts.set(language, (counts.get(language) ?? 0) + 1)
  return [...counts].map(([language, count]) => `${count} ${language}`).join(', ')
}

it(`the ${blocks.length} code blocks of ${pages.length} pages (${tally()}), of them ${shell.length} with ${commands} commands, are right`, () => {
  const faults = [
    ...pages.flatMap((page) => page.faults),
    ...blocks.flatMap((block) => checkBlock(root, block)),
  ]
  expect(faults.map(faultText)).toEqual([])
  expect(Math.min(pages.length, shell.length, commands)).toBeGreaterThan(10)
})

it(`the commands and paths in sentences, of ${codes.length} pieces of code there, are right`, () => {
  const faults = codes.flatMap((code) => {
    if (isCommand(code)) return checkMention(root, code)
    return isMissing(code.text, root) ? [{ ...code, message: `"${code.text}": no such file` }] : []
  })
  expect(faults.map(faultText)).toEqual([])
})

it(`${links.length} links lead to files and headings that are there`, () => {
  expect(links.flatMap((link) => checkLink(root, anchors, link)).map(faultText)).toEqual([])
})

it('few blocks are left out, each with a reason', () => {
  expect(blocks.filter((block) => isLeftOut(block)).length).toBeLessThan(blocks.length / 10)
})

describe('the checks find', () => {
  const page = (text: string): Page => ({ file: 'docs/bad.md', text })
  const blocksOf = (text: string) => partsOf(page(text)).blocks
  const fenced = (language: string, ...lines: string[]) =>
    blocksOf(`\`\`\`${language}\n${lines.join('\n')}\n\`\`\`\n`)

  it.each<[what: string, language: string, code: string, expected: RegExp]>([
    ['a command that is not there', 'sh', 'dawnrank rank "a" "b"', /unknown command 'rank'/],
    [
      'an option that is not there',
      'sh',
      'npx dawnrank rerank --topk 3',
      /unknown option '--topk'/,
    ],
    ['a wrong value', 'sh', 'dawnrank rerank --top few --file a', /'few' is invalid/],
    ['a value that is none of the choices', 'sh', 'dawnrank quantize a b --dtype int3', /int3/],
    ['a wrong command in a pipe', 'sh', 'zcat a.gz | dawnrank rerrank', /unknown command/],
    [
      'a wrong command on a second line',
      'sh',
      'npm start\nnode cli/dist/cli.js ev',
      /bad.md:3: .*ev/,
    ],
    [
      'a wrong option after a continued line',
      'sh',
      'dawnrank eval --data a \\\n  --rum b',
      /--rum/,
    ],
    ['an argument too many', 'sh', 'dawnrank doctor me', /too many arguments/],
    ['an option without its value', 'sh', 'dawnrank rerank --file', /argument missing/],
    ['a script of npm', 'sh', 'npm run webb', /no such script/],
    [
      'a file of the repository',
      'sh',
      'npx vitest run test/nothing',
      /test\/nothing": no such file/,
    ],
    ['a file behind an option', 'sh', 'docker build -f deploy/Dockerfil .', /no such file/],
    ['a program of Python', 'sh', 'venv/bin/python rank.py', /rank.py": no such file/],
    ['a module of Python', 'sh', 'python -m tools.nothing', /no such file/],
    ['a package', 'sh', 'npm install dawnrnk', /the package "dawnrnk"/],
    ['a program', 'sh', 'dawnrerank "a" "b"', /no program that this test knows/],
    ['a route', 'sh', 'curl http://127.0.0.1:8000/v3/rerank', /no such route/],
    ['a method', 'sh', 'curl http://localhost:8000/v1/rerank', /GET .* no such route/],
    ['a body', 'sh', 'curl localhost:8000/v1/rerank -d \'{"query": 1}\'', /rejects the body/],
    ['a body of no JSON', 'sh', "curl localhost:8000/score -d '{'", /is not JSON/],
    ['a quote without an end', 'sh', 'dawnrank rerank "a', /a quote without an end/],
    ['JSON', 'json', '{ "a": 1, }', /no JSON/],
    ['lines of JSON', 'jsonl', '{ "a": 1 }\n{ a: 1 }', /bad.md:3: no line of JSON/],
    ['a request', 'http', 'POST /v9/rerank', /no such route/],
    ['a body of a request', 'http', 'POST /score\n\n{ "text_1": 1 }', /rejects the body/],
    ['a shader', 'wgsl', 'fn nothing() {}', /no file of shaders/],
    ['a language', 'cobol', 'DISPLAY 1', /"cobol" has no check/],
    ['no language', '', 'a', /without a language/],
  ])('%s', (_, language, code, expected) => {
    const found = fenced(language, code).flatMap((block) => checkBlock(root, block))
    expect(found.map(faultText).join('\n')).toMatch(expected)
  })

  it.each<[language: string, code: string]>([
    ['sh', 'A=1 dawnrank rerank -q "a # b" --file <(zcat a.gz | head) > out.jsonl 2> log & # end'],
    ['sh', 'dawnrank eval --data … --run … --first-stage bm25 && npm test -- test/gpu'],
    ['sh', 'dawnrank --version; dawnrank eval --help'],
    ['sh', 'curl http://127.0.0.1:8000/health\ncurl localhost:8000/docs'],
    ['http', 'POST /score HTTP/1.1\nHost: a\n\n{ "text_1": "a", "text_2": ["b"] }'],
    ['python', 'from a import b\nb(c=[1])'],
  ])('nothing in %s: %s', (language, code) => {
    const words = code.replace('| head', '')
    expect(fenced(language, words).flatMap((block) => checkBlock(root, block))).toEqual([])
  })

  it.each<[text: string, expected: RegExp]>([
    ['a\n\n    dawnrank doctor\n', /bad.md:3: an indented code block/],
    ['```sh\nnpm start\n', /bad.md:1: a code block without an end/],
  ])('in %j a block that is none', (text, expected) => {
    expect(partsOf(page(text)).faults.map(faultText).join('\n')).toMatch(expected)
  })

  it.each<[note: string, expected: RegExp | undefined]>([
    ['excerpt: src/error.ts', undefined],
    ['excerpt: src/json.ts', /has no such lines/],
    ['excerpt: src/none.ts', /no such file/],
    ['not checked: an idea', undefined],
    ['not checked:', /"rust" has no check/],
  ])('by the note "%s" %s', (note, expected) => {
    const text = `<!-- ${note} -->\n\`\`\`rust\nexport class DawnrankError …\n\`\`\`\n`
    const found = blocksOf(text).flatMap((block) => checkBlock(root, block))
    if (expected) expect(found.map(faultText).join('\n')).toMatch(expected)
    else expect(found).toEqual([])
  })

  it.each<[text: string, expected: RegExp | undefined]>([
    ['`dawnrank layers --topp 20`', /unknown option '--topp'/],
    ['`dawnrank\nevaluate`', /unknown command/],
    ['`dawnrank cache list|verify`', undefined],
    ['`dawnrank quantize`', undefined],
    ['`npm run nothing`', /no such script/],
  ])('in the sentence %j %s', (text, expected) => {
    const { prose } = partsOf(page(text))
    const found = codesOf('docs/bad.md', prose).flatMap((code) => checkMention(root, code))
    if (expected) expect(found.map(faultText).join('\n')).toMatch(expected)
    else expect(found).toEqual([])
  })

  it.each<[target: string, expected: RegExp | undefined]>([
    ['nothing.md', /names no file/],
    ['server.md#nothing', /no heading/],
    ['#nothing', /no heading/],
    ['#what-is-it', undefined],
    ['#what-is-it-1', undefined],
    ['../src/index.ts#L1', undefined],
    ['../src/index.ts#L99999', /lines/],
    ['../../elsewhere.md', /out of the repository/],
    ['https://example.com/x', undefined],
  ])('of the link to %s %s', (target, expected) => {
    const { prose } = partsOf(page(`# What is *it*?\n\n## What is it\n\n[a](${target})\n`))
    const known = new Map([...anchors, ['docs/bad.md', anchorsOf(prose)]])
    const found = linksOf('docs/bad.md', prose).flatMap((link) => checkLink(root, known, link))
    expect(linksOf('docs/bad.md', prose)).toHaveLength(1)
    if (expected) expect(found.map(faultText).join('\n')).toMatch(expected)
    else expect(found).toEqual([])
  })
})
