import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from '@typescript/typescript6'
import { type Block, type Fault, isLeftOut } from './markdown.ts'

/** A block of TypeScript or JavaScript. */
export interface Program {
  readonly block: Block
  readonly source: ts.SourceFile
  /** Names that it declares at its top level. */
  readonly declares: readonly string[]
  /** Names that it takes from earlier blocks of its page, by the block. */
  readonly takes: ReadonlyMap<Block, readonly string[]>
  /** Whether it is whole: it takes nothing from earlier blocks or context.d.ts, and imports the library. */
  readonly isComplete: boolean
}

const options: ts.CompilerOptions = {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: [
    'lib.es2023.d.ts',
    'lib.esnext.disposable.d.ts',
    'lib.dom.d.ts',
    'lib.dom.asynciterable.d.ts',
  ],
  types: ['node'],
  allowJs: true,
  checkJs: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  skipLibCheck: true,
}

const isJavaScript = ({ language }: Block) => /^(js|javascript|mjs)$/.test(language)

/** Whether a block is a program that {@link checkTypes} checks. */
export const isProgram = (block: Block): boolean =>
  isJavaScript(block) || /^(ts|typescript)$/.test(block.language)

/** Reads the programs of pages, in order, and finds what each takes from those before it. */
export function readPrograms(blocks: readonly Block[]): Program[] {
  const programs: Program[] = []
  for (const block of blocks.filter((one) => isProgram(one) && !isLeftOut(one))) {
    const source = ts.createSourceFile('block.ts', block.code, options.target!, true)
    const declares = source.statements.flatMap(declaredBy)
    const used = namesIn(source).filter((name) => !declares.includes(name))
    const takes = new Map<Block, string[]>()
    const outside: string[] = []
    for (const name of used) {
      const from = programs.findLast(
        (one) => one.block.file === block.file && one.declares.includes(name),
      )
      if (from) takes.set(from.block, [...(takes.get(from.block) ?? []), name])
      else if (contextNames.includes(name)) outside.push(name)
    }
    const isComplete = takes.size === 0 && outside.length === 0 && importsOf(source).some(isLibrary)
    programs.push({ block, source, declares, takes, isComplete })
  }
  return programs
}

/** The program in examples/ that a block shows, which test/adapters runs. */
export const exampleOf = (root: string, { code }: Block): string | undefined =>
  readdirSync(join(root, 'examples')).find(
    (file) =>
      file.endsWith('.mjs') && readFileSync(join(root, 'examples', file), 'utf8').endsWith(code),
  )

/** The packages that a program imports at its top. */
const importsOf = (source: ts.SourceFile): string[] =>
  source.statements
    .filter(ts.isImportDeclaration)
    .map(({ moduleSpecifier }) => (moduleSpecifier as ts.StringLiteral).text)

const isLibrary = (name: string) => name === 'dawnrank' || name.startsWith('dawnrank/')

const contextFile = fileURLToPath(new URL('context.d.ts', import.meta.url))
const contextNames = [...readFileSync(contextFile, 'utf8').matchAll(/const (\w+):/g)].map(
  ([, name]) => name!,
)

/** The names that a statement declares. */
export function declaredBy(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => namesOf(name))
  }
  if (ts.isImportDeclaration(statement)) {
    const { name, namedBindings } = statement.importClause ?? {}
    const named =
      namedBindings &&
      (ts.isNamedImports(namedBindings) ? namedBindings.elements : [namedBindings]).map(
        (one) => one.name.text,
      )
    return [...(name ? [name.text] : []), ...(named ?? [])]
  }
  const { name } = statement as ts.DeclarationStatement
  return name && ts.isIdentifier(name) ? [name.text] : []
}

const namesOf = (name: ts.BindingName): string[] =>
  ts.isIdentifier(name)
    ? [name.text]
    : name.elements.flatMap((element) =>
        ts.isBindingElement(element) ? namesOf(element.name) : [],
      )

/** Names that a program may refer to: its identifiers, without those that name a property or declare a parameter. */
function namesIn(source: ts.SourceFile): string[] {
  const found = new Set<string>()
  const own = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isParameter(node)) for (const name of namesOf(node.name)) own.add(name)
    if (ts.isIdentifier(node) && !isProperty(node)) found.add(node.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return [...found].filter((name) => !own.has(name))
}

const isProperty = ({ parent, ...node }: ts.Identifier): boolean =>
  (ts.isPropertyAccessExpression(parent) && parent.name.pos === node.pos) ||
  (ts.isPropertyAssignment(parent) && parent.name.pos === node.pos) ||
  (ts.isBindingElement(parent) && parent.propertyName?.pos === node.pos)

/**
 * Checks the types of programs, all at once, each as a module of its own. What a block takes from earlier ones it imports.
 *
 * @param root the repository, built: its packages are resolved as in a program that lies there
 */
export function checkTypes(root: string, programs: readonly Program[]): Fault[] {
  const files = new Map<string, Program>()
  const fileOf = (block: Block) => {
    const ending = isJavaScript(block) ? 'mjs' : 'mts'
    return join(root, `${block.file.replaceAll('/', '+')}.${block.line}.${ending}`)
  }
  const texts = new Map<string, string>()
  for (const program of programs) {
    const { block, declares, takes } = program
    const imports = [...takes].map(
      ([from, names]) =>
        `import { ${names.join(', ')} } from ${JSON.stringify(importable(fileOf(from)))}`,
    )
    files.set(fileOf(block), program)
    // Below the code, so that lines stay as they are.
    texts.set(
      fileOf(block),
      `${block.code}${imports.join('\n')}\nexport { ${declares.join(', ')} }\n`,
    )
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (file) => texts.has(file) || fileExists(file)
  host.readFile = (file) => texts.get(file) ?? readFile(file)
  host.getSourceFile = (file, ...rest) =>
    texts.has(file)
      ? ts.createSourceFile(file, texts.get(file)!, options.target!, true)
      : getSourceFile(file, ...rest)
  host.getCurrentDirectory = () => root
  const checked = ts.createProgram([...texts.keys(), stubFile, contextFile], options, host)
  return ts.getPreEmitDiagnostics(checked).map((found) => {
    const message = ts.flattenDiagnosticMessageText(found.messageText, ' ')
    const program = files.get(found.file?.fileName ?? '')
    if (!program) return { file: found.file?.fileName ?? '', line: 0, message }
    const { block } = program
    const { line } = ts.getLineAndCharacterOfPosition(found.file!, found.start ?? 0)
    const last = block.code.split('\n').length - 2
    return { file: block.file, line: block.line + Math.min(line, last), message }
  })
}

const importable = (file: string) => file.replace(/\.mts$/, '.mjs')

/** Types of what is not installed here. */
const stubFile = fileURLToPath(new URL('stubs.d.ts', import.meta.url))
