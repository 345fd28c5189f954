import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkRequest, checkShell } from './commands.ts'
import { type Block, excerptOf, type Fault, hasExcerpt, isLeftOut } from './markdown.ts'
import { isProgram } from './programs.ts'

type Check = (root: string, block: Block) => Fault[]

const faultIn = ({ file, line }: Block, message: string, below = 0): Fault[] => [
  { file, line: line + below, message },
]

const parseFault = (text: string): string | undefined => {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

const checkJson: Check = (_, block) => {
  const message = parseFault(block.code)
  return message === undefined ? [] : faultIn(block, `no JSON: ${message}`)
}

const checkJsonLines: Check = (_, block) =>
  block.code
    .trimEnd()
    .split('\n')
    .flatMap((line, i) => {
      const message = parseFault(line)
      return message === undefined ? [] : faultIn(block, `no line of JSON: ${message}`, i)
    })

/** A request: `POST /v1/rerank`, headers, an empty line, and the body. */
const checkHttp: Check = (_, block) => {
  const [head = '', ...body] = block.code.trim().split(/\n\s*\n/)
  const [, method = '', path = ''] = /^([A-Z]+) (\S+)/.exec(head) ?? []
  const found = checkRequest(method.toLowerCase(), path, body.join('\n\n') || undefined)
  return found.flatMap((message) => faultIn(block, message))
}

const isPythonHere = spawnSync('python3', ['--version']).status === 0

/** Its syntax alone, where there is a Python. */
const checkPython: Check = (_, block) => {
  if (!isPythonHere) return []
  const read = 'import ast, sys; ast.parse(sys.stdin.read())'
  const { status, stderr } = spawnSync('python3', ['-c', read], { input: block.code })
  return status === 0
    ? []
    : faultIn(block, `no Python: ${String(stderr).trim().split('\n').at(-1)}`)
}

/** Shaders are parts of the files in shaders/. */
const checkWgsl: Check = (root, block) => {
  const files = readdirSync(join(root, 'shaders')).filter((file) => file.endsWith('.wgsl'))
  const isPart = files.some((file) =>
    hasExcerpt(readFileSync(join(root, 'shaders', file), 'utf8'), block.code),
  )
  return isPart ? [] : faultIn(block, 'no file of shaders/ has these lines; see "not checked"')
}

const nothing: Check = () => []

/** What is checked of the blocks of a language. Those of programs are checked together, by checkTypes. */
const languages: Readonly<Record<string, Check>> = {
  sh: checkShell,
  bash: checkShell,
  json: checkJson,
  jsonl: checkJsonLines,
  http: checkHttp,
  python: checkPython,
  wgsl: checkWgsl,
  text: nothing,
  mermaid: nothing,
}

const checkExcerpt = (root: string, block: Block, source: string): Fault[] => {
  if (!existsSync(join(root, source))) return faultIn(block, `"${source}": no such file`)
  const text = readFileSync(join(root, source), 'utf8')
  return hasExcerpt(text, block.code) ? [] : faultIn(block, `"${source}" has no such lines`)
}

/** Checks a block by its language, unless it is a program. */
export function checkBlock(root: string, block: Block): Fault[] {
  const source = excerptOf(block)
  if (source !== undefined) return checkExcerpt(root, block, source)
  if (isLeftOut(block) || isProgram(block)) return []
  const check = languages[block.language]
  if (check) return check(root, block)
  return faultIn(
    block,
    block.language === ''
      ? 'a block without a language; name it, or write ```text'
      : `the language "${block.language}" has no check; see languages`,
  )
}
