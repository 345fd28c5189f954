import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { OpenAPIHono } from '@hono/zod-openapi'
import { type Command, CommanderError } from 'commander'
import { makeProgram } from '../../src/cli/program.ts'
import { endpoints } from '../../src/server/endpoints.ts'
import { describeEndpoints, describeState, documentOf } from '../../src/server/openapi.ts'
import { session } from '../cli/helpers.ts'
import type { Block, Fault, Piece } from './markdown.ts'
import { readShell, type ShellCommand } from './shell.ts'

/** Where a command stands. */
interface Place {
  /** The repository. */
  readonly root: string
  /** The page's folder in it. */
  readonly folder: string
  /** Whether the command stands in a sentence, which may leave out arguments. */
  readonly isMention: boolean
}

/** Says what is wrong with the words after the name of a program. */
type Check = (words: readonly string[], place: Place) => string[]

/** What guides write where readers put something of their own. */
const omission = '…'

const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8'))

/** Checks the words after `dawnrank` by the options of the command line, without running the command. */
const checkDawnrank: Check = (words, { isMention }) => {
  const { io, stderr } = session()
  const program = makeProgram(io)
  parseOnly(program)
  try {
    program.parse([...words], { from: 'user' })
    return []
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const { code, exitCode } = error
    if (exitCode === 0) return []
    if (lacking.includes(code) && (isMention || words.includes(omission))) return []
    return [`dawnrank ${words.join(' ')}: ${stderr.text.split('\n')[0] || error.message}`]
  }
}

/** Errors of a command that is not written whole. */
const lacking = [
  'commander.missingArgument',
  'commander.missingMandatoryOptionValue',
  'commander.help',
]

/** Leaves of a program only its reading of arguments. */
function parseOnly(command: Command): void {
  command.exitOverride()
  if (command.commands.length === 0) command.action(() => {})
  for (const one of command.commands) parseOnly(one)
}

/** Packages of npm that guides install, besides those of the repository and what these depend on. */
const otherPackages: readonly string[] = []

function knownPackages(root: string): Set<string> {
  const files = ['.', 'cli', 'test/clients', 'test/packages', 'bench/peers', 'tools/api']
    .map((folder) => join(root, folder, 'package.json'))
    .filter((file) => existsSync(file))
  const manifests = files.map(readJson)
  const kinds = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies']
  const depended = manifests.flatMap((manifest) =>
    kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {})),
  )
  return new Set([...manifests.map(({ name }) => name), ...depended, ...otherPackages])
}

const checkPackages: Check = (words, { root }) => {
  const known = knownPackages(root)
  return words
    .filter((word) => !word.startsWith('-') && !known.has(nameOf(word)))
    .map((word) => `the package "${word}" is none of this repository's; see otherPackages`)
}

/** A package's name without its version, or its prefix in Deno. */
const nameOf = (word: string) => word.replace(/^(npm|jsr):/, '').replace(/(?<=.)@.*$/, '')

const npmCommands = ['pack', 'publish', 'view', 'ls', 'config', 'audit']

const checkNpm: Check = (words, place) => {
  const { scripts } = readJson(join(place.root, 'package.json'))
  const [command = '', ...rest] = words.filter((word) => word !== '--silent')
  if (command === 'run' || command in { start: 1, test: 1 }) {
    const name = command === 'run' ? (rest[0] ?? '') : command
    return name in scripts || (name === '' && place.isMention)
      ? []
      : [`npm run ${name}: package.json has no such script`]
  }
  if (['ci', 'i', 'install', 'add', 'exec'].includes(command)) {
    const folder = rest[rest.indexOf('--prefix') + 1]
    if (rest.includes('--prefix')) {
      return existsSync(join(place.root, folder ?? '', 'package.json'))
        ? []
        : [`npm --prefix ${folder}: no package.json there`]
    }
    return checkPackages(rest, place)
  }
  return npmCommands.includes(command) ? [] : [`npm ${command}: unknown to this test`]
}

const checkNpx: Check = (words, place) => {
  const [name = '', ...rest] = words.filter((word) => !/^(-y|--yes)$/.test(word))
  const plain = nameOf(name)
  if (plain === 'dawnrank' || plain === '@dawnrank/cli') return checkDawnrank(rest, place)
  const bins = ['vitest', 'tsc', 'biome', 'deno', 'bun', 'esbuild']
  return bins.includes(plain) ? [] : [`npx ${name}: unknown to this test`]
}

const checkNode: Check = (words, place) => {
  const at = words.findIndex((word) => /\.[cm]?[jt]s$/.test(word))
  if (at < 0) return []
  if (/(^|\/)cli(\/dist)?\/(cli|bin)\.js$/.test(words[at]!)) {
    return checkDawnrank(words.slice(at + 1), place)
  }
  return checkScript(words[at]!, place)
}

/** A script that a command names: seen from a folder of the page or above it, or one with a name that readers give to theirs. */
function checkScript(script: string, { root, folder }: Place): string[] {
  const ofReaders = ['program.ts', 'program.js', 'program.mjs', 'main.ts', 'index.ts']
  const parts = folder.split('/')
  const isThere = [...parts.keys(), parts.length].some((depth) =>
    existsSync(join(root, ...parts.slice(0, depth), script)),
  )
  return isThere || ofReaders.includes(script) ? [] : [`"${script}": no such file`]
}

const checkPython: Check = (words, place) => {
  const module = words[words.indexOf('-m') + 1] ?? ''
  if (words.includes('-m')) {
    const isKnown = ['venv', 'pip', 'http.server'].includes(module)
    return isKnown ? [] : checkScript(`${module.replaceAll('.', '/')}.py`, place)
  }
  return words.filter((word) => word.endsWith('.py')).flatMap((word) => checkScript(word, place))
}

/** Deno and Bun: their programs, and the packages that they add. */
const checkRuntime: Check = ([command = '', ...rest], place) => {
  if (command === 'add' || command === 'install') return checkPackages(rest, place)
  return rest
    .filter((word) => /\.[mc]?[jt]s$/.test(word))
    .flatMap((word) => checkScript(word, place))
}

let described: Record<string, object> | undefined

/** The paths of the server with their methods, from its own description. */
function serverRoutes(): Record<string, object> {
  if (described) return described
  const app = new OpenAPIHono()
  describeEndpoints(app.openAPIRegistry, endpoints)
  describeState(app.openAPIRegistry)
  const { paths } = documentOf(app, false) as { paths: Record<string, object> }
  described = paths
  return paths
}

/** Pages that the server has besides what its description lists. */
const pages = ['/', '/docs']

/** Checks a request to the server: its path, its method, and its body by the schemas of the path. */
export function checkRequest(method: string, path: string, body: string | undefined): string[] {
  const route = serverRoutes()[path]
  const isPage = method === 'get' && pages.includes(path)
  if (!isPage && !(route && method in route)) {
    return [`${method.toUpperCase()} ${path}: the server has no such route`]
  }
  if (body === undefined) return []
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    return [`${path}: the body is not JSON: ${(error as Error).message}`]
  }
  const schemas = endpoints.find((endpoint) => endpoint.path === path)?.requests ?? []
  const results = schemas.map((schema) => schema.safeParse(value))
  if (results.some(({ success }) => success)) return []
  return [`${path}: the server rejects the body: ${results[0]?.error?.issues[0]?.message}`]
}

const checkCurl: Check = (words) => {
  const optionOf = (...names: string[]) => {
    const at = words.findIndex((word) => names.includes(word))
    return at < 0 ? undefined : words[at + 1]
  }
  const body = optionOf('-d', '--data', '--json', '--data-binary')
  const method = optionOf('-X', '--request') ?? (body === undefined ? 'get' : 'post')
  const address = words.find((word) => /^(https?:\/\/)?(localhost|127\.0\.0\.1)/.test(word))
  if (address === undefined) return []
  const path = address.replace(/^(https?:\/\/)?[^/]+/, '').replace(/\?.*/, '') || '/'
  return checkRequest(method.toLowerCase(), path, body?.startsWith('@') ? undefined : body)
}

const checkPathsAlone: Check = () => []

/** What is checked of the programs that guides call. Each word that is a path of the repository must exist besides. */
const programs: Readonly<Record<string, Check>> = {
  dawnrank: checkDawnrank,
  npm: checkNpm,
  npx: checkNpx,
  node: checkNode,
  deno: checkRuntime,
  bun: checkRuntime,
  bunx: checkNpx,
  python: checkPython,
  curl: checkCurl,
  ...Object.fromEntries(
    ['apt-get', 'bash', 'cat', 'cd', 'docker', 'export', 'git', 'kubectl', 'mkdir', 'pip', 'sudo']
      .concat(['redis-server', 'zcat', 'gunzip', 'unzip', 'vulkaninfo', 'source', 'wget', 'jq'])
      .map((name) => [name, checkPathsAlone]),
  ),
}

const madeFolders = /(^|\/)(dist|out|venv|node_modules)(\/|$)|^docs\/api/
const ourFolders =
  /^(\.\/)?(\.ci|\.github|bench|cli|deploy|docs|examples|shaders|src|test|tools|web|weights)\/[\w./@+-]*$/

/** Whether a word that names a path of the repository names one that is there. */
export const isMissing = (word: string, root: string): boolean =>
  ourFolders.test(word) &&
  !madeFolders.test(word) &&
  !existsSync(join(root, word.replace(/:\d+$/, '')))

function checkCommand({ words }: ShellCommand, place: Place): string[] {
  const [path = '', ...rest] = words
  if (path === omission || /^[$<]/.test(path)) return []
  // Of a virtual environment too, and of a version: venv/bin/python, python3.11.
  const name = posix.basename(path).replace(/^python3?(\.\d+)?$/, 'python')
  const check = programs[name]
  if (!check) return [`"${name}" is no program that this test knows; see programs`]
  const paths = rest
    .map((word) => word.replace(/^[\w-]+=/, '').replace(/@\d+$/, ''))
    .filter((word) => isMissing(word, place.root))
    .map((word) => `"${word}": no such file`)
  return [...check(rest, place), ...paths]
}

function checkText(text: string, place: Place): { line: number; message: string }[] {
  try {
    return readShell(text).flatMap((command) =>
      checkCommand(command, place).map((message) => ({ line: command.line, message })),
    )
  } catch (error) {
    return [{ line: 0, message: (error as Error).message }]
  }
}

/** Checks the commands of a shell block. */
export const checkShell = (root: string, { file, line, code }: Block): Fault[] =>
  checkText(code, { root, folder: posix.dirname(file), isMention: false }).map((found) => ({
    file,
    line: line + found.line,
    message: found.message,
  }))

/** How many commands a shell block has. */
export const countCommands = ({ code }: Block): number => readShell(code).length

/** Whether code in a sentence is a command that can be checked. */
export const isCommand = ({ text }: Piece): boolean =>
  /^(npx (dawnrank|@dawnrank\/cli)|dawnrank|npm run|node \S+\.m?js)( |$)/.test(text)

/** Checks a command in a sentence. */
export const checkMention = (root: string, { file, line, text }: Piece): Fault[] =>
  // Of `list|verify|remove` the first.
  checkText(text.replace(/(\w)(\|\w+)+/g, '$1'), {
    root,
    folder: posix.dirname(file),
    isMention: true,
  }).map(({ message }) => ({
    file,
    line,
    message,
  }))
