import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import ts from '@typescript/typescript6'
import type { Fault } from './markdown.ts'
import { declaredBy, exampleOf, type Program } from './programs.ts'

const execute = promisify(execFile)

/** What stands for published models, in the cache of the hub: an embedded one of the same kind. */
const published: Readonly<Record<string, string>> = {
  'BAAI/bge-reranker-base': 'xlm-roberta-6x384',
  'BAAI/bge-reranker-v2-m3': 'xlm-roberta-6x384',
  'maidalun1020/bce-reranker-base_v1': 'xlm-roberta-6x384',
  'cross-encoder/ms-marco-MiniLM-L6-v2': 'minilm-cross-6x384',
  'sentence-transformers/all-MiniLM-L6-v2': 'all-minilm-l6-v2',
}

/**
 * Whether a program is run: it is complete, the models that it names have a stand-in, and test/adapters does not run it as one
 * of the examples.
 */
export function isRun(root: string, program: Program): boolean {
  const { isComplete, block, source } = program
  if (!isComplete || block.note.startsWith('types only') || exampleOf(root, block)) return false
  const imports = source.statements.filter(ts.isImportDeclaration)
  const code = source.text.slice(imports.at(-1)?.end ?? 0).replace(/\/\/.*$/gm, '')
  const texts = [...code.matchAll(/(['"`])(.*?)\1/g)].map(([, , text = '']) => text)
  return texts.every((text) => text in published || !/^\S+\/\S+$|^[\da-f]{40}$/.test(text))
}

/** A value that a comment of a program states. */
export interface Stated {
  /** In the block, from 0. */
  readonly line: number
  readonly text: string
}

/** A value as stated, and as it came out. */
export interface Outcome extends Stated {
  readonly actual: string
}

/**
 * The values that a program states: in the comment behind an expression or the variable that it defines, or in the lines of
 * comment below. A comment states a value if it is an expression that starts with a bracket, a quote or a number; `…` stands
 * for what is left out.
 */
export function statedIn({ source }: Program): { statement: ts.Statement; stated: Stated }[] {
  return source.statements.flatMap((statement) => {
    const isValue = ts.isExpressionStatement(statement) || ts.isVariableStatement(statement)
    if (!isValue) return []
    const lines = source.text.slice(statement.end).split('\n')
    const comments = [lines[0]!, ...lines.slice(1)].map((line) => /^\s*\/\/ ?(.*)$/.exec(line)?.[1])
    const first = comments[0] === undefined && lines[0]!.trim() === '' ? 1 : 0
    const end = comments.findIndex((comment, i) => i >= first && comment === undefined)
    const text = comments.slice(first, end < 0 ? undefined : end).join('\n')
    if (!isExpression(text)) return []
    const { line } = source.getLineAndCharacterOfPosition(statement.end)
    return [{ statement, stated: { line: line + first, text } }]
  })
}

function isExpression(text: string): boolean {
  if (!/^\s*([[{'"]|-?\d)/.test(text)) return false
  const whole = text
    .replace(/(\d)…/g, '$1')
    .replace(/(['"])…|…(['"])/g, '$1$2')
    .replaceAll('…', 'omitted')
  const { parseDiagnostics } = ts.createSourceFile(
    'value.ts',
    `(${whole})`,
    ts.ScriptTarget.ES2022,
  ) as unknown as {
    parseDiagnostics: unknown[]
  }
  return parseDiagnostics.length === 0
}

/** A program as JavaScript that reports, by `__stated`, the values which it states. */
function instrumented(program: Program): string {
  const { source } = program
  let code = source.text
  for (const { statement, stated } of statedIn(program).toReversed()) {
    const { line } = stated
    if (ts.isExpressionStatement(statement)) {
      const { expression } = statement
      // What is printed is stated, too.
      const isPrint =
        ts.isCallExpression(expression) && expression.expression.getText() === 'console.log'
      const value = isPrint ? (expression.arguments[0]?.getText() ?? '') : expression.getText()
      const start = statement.getStart()
      code = `${code.slice(0, start)};__stated(${line}, ${value})${code.slice(statement.end)}`
    } else if (ts.isVariableStatement(statement)) {
      const [name] = declaredBy(statement)
      code = `${code.slice(0, statement.end)};__stated(${line}, ${name})${code.slice(statement.end)}`
    }
  }
  const target = ts.ScriptTarget.ES2022
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target, module: ts.ModuleKind.ESNext },
  })
  return `${prelude}\n${outputText}`
}

const prelude = `import { inspect as __inspect } from 'node:util'
const __stated = (line, value) => {
  const text = __inspect(value, { depth: null, breakLength: Infinity, compact: true, maxArrayLength: null, maxStringLength: null })
  console.log('__stated ' + JSON.stringify({ line, actual: text }))
}`

/** A folder in which programs find the library and the models that they name. */
export interface Bench {
  readonly folder: string
  readonly home: string
  remove(): void
}

/** Makes a folder in which programs run, as a project that has installed the repository's packages. */
export function makeBench(root: string): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-docs-'))
  const home = join(folder, 'home')
  const commit = '0'.repeat(40)
  for (const [name, weights] of Object.entries(published)) {
    const cached = join(home, 'hub', `models--${name.replace('/', '--')}`)
    link(join(root, 'weights', weights), join(cached, 'snapshots', commit))
    mkdirSync(join(cached, 'refs'), { recursive: true })
    writeFileSync(join(cached, 'refs', 'main'), commit)
  }
  link(root, join(folder, 'node_modules', 'dawnrank'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  return { folder, home, remove: () => rmSync(folder, { recursive: true }) }
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, 'dir')
}

/**
 * Runs a program, and compares the values that it states.
 *
 * @throws Error if the program fails
 */
export async function runProgram(bench: Bench, program: Program): Promise<Outcome[]> {
  const { file: page, line } = program.block
  const file = join(bench.folder, `${page.replaceAll('/', '+')}.${line}.mjs`)
  writeFileSync(file, instrumented(program))
  const { stdout } = await execute(process.execPath, [file], {
    cwd: bench.folder,
    env: { ...process.env, HF_HOME: bench.home, HF_HUB_OFFLINE: '1' },
  })
  const reports = [...stdout.matchAll(/^__stated (.*)$/gm)].map(
    ([, text = '']): { line: number; actual: string } => JSON.parse(text),
  )
  return statedIn(program).map(({ stated }) => ({
    ...stated,
    actual: reports.find(({ line }) => line === stated.line)?.actual ?? 'nothing',
  }))
}

/** What is wrong with the values that a program states. */
export const outcomeFaults = ({ block }: Program, outcomes: readonly Outcome[]): Fault[] =>
  outcomes
    .filter(({ text, actual }) => !agrees(text, actual))
    .map(({ line, text, actual }) => ({
      file: block.file,
      line: block.line + line,
      message: `states ${text}, but it is ${actual}`,
    }))

const number = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g

/**
 * Whether a value is as stated. White space does not count, `…` stands for anything, and a number with decimals may be off by
 * two of its last digit, since adapters round differently.
 */
export function agrees(stated: string, actual: string): boolean {
  const compact = (text: string) =>
    text
      .replace(/"([^"\\]*)"/g, "'$1'")
      .replace(/(Float32|Uint16|Uint32|Int32|Float64)?Array\(\d+\) \[/g, '[')
      .replace(/\s+/g, '')
      .replace(/,(?=[\]}])/g, '')
  const wanted = compact(stated)
  const numbers: string[] = []
  const pattern = wanted
    .split(new RegExp(`(${number.source}…?|…)`, 'g'))
    .map((part) => {
      if (part === '…') return '.*?'
      if (!new RegExp(`^${number.source}…?$`).test(part))
        return part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
      numbers.push(part.replace('…', ''))
      return `(${number.source})`
    })
    .join('')
  const match = new RegExp(`^${pattern}$`, 's').exec(compact(actual))
  return match !== null && numbers.every((text, i) => isNear(text, match[i + 1]!))
}

function isNear(stated: string, actual: string): boolean {
  const decimals = /\.(\d+)/.exec(stated)?.[1]?.length ?? 0
  const tolerance = decimals === 0 ? 0 : 2 * 10 ** -decimals
  return Math.abs(Number(stated) - Number(actual)) <= tolerance
}
