import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

/** A Markdown file by its path in the repository. */
export interface Page {
  readonly file: string
  readonly text: string
}

/** A fenced code block. */
export interface Block {
  readonly file: string
  /** Of the first line of code, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
  /** The HTML comment on the line before the fence, which readers do not see. */
  readonly note: string
}

/** A piece of a page, such as code in a sentence or the target of a link. */
export interface Piece {
  readonly file: string
  readonly line: number
  readonly text: string
}

/** What is wrong, and where. */
export interface Fault {
  readonly file: string
  readonly line: number
  readonly message: string
}

export const faultText = ({ file, line, message }: Fault): string => `${file}:${line}: ${message}`

/** The file that a block shows parts of, by its note. */
export const excerptOf = ({ note }: Block): string | undefined => /^excerpt: (\S+)$/.exec(note)?.[1]

/** Whether a block is not checked as a program or command: its note says what it is an excerpt of, or why nothing is checked. */
export const isLeftOut = (block: Block): boolean =>
  excerptOf(block) !== undefined || /^not checked: \S/.test(block.note)

/** Whether a file has the lines of an excerpt, in their order. Their indent does not count; `…` stands for what is left out. */
export function hasExcerpt(file: string, excerpt: string): boolean {
  const lines = file.split('\n').map((line) => line.trim())
  let at = -1
  return excerpt.split('\n').every((text) => {
    const parts = text.trim().split(/\s*…\s*/)
    if (parts.join('') === '') return true
    at = lines.findIndex((line, i) => i > at && hasParts(line, parts))
    return at >= 0
  })
}

/** Whether a line is the parts with anything between them. */
const hasParts = (line: string, parts: readonly string[]): boolean =>
  parts.length === 1
    ? line === parts[0]
    : line.startsWith(parts[0]!) &&
      line.endsWith(parts.at(-1)!) &&
      parts.every((part) => line.includes(part))

const folders = ['docs', 'weights', 'cli', 'examples', 'deploy', 'bench', 'tools', 'test', 'web']
/** Pages of other publishers, kept as they are, and folders that are made. */
const foreign =
  /(^|\/)(node_modules|dist|out|venv)\/|^docs\/api\/|^weights\/all-minilm-l6-v2\/README/

/** The pages of a repository. */
export function readPages(root: string): Page[] {
  const below = folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => filesBelow(root, folder))
  return [...readdirSync(root), ...below]
    .filter((file) => file.endsWith('.md') && !foreign.test(file))
    .sort()
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))
}

const filesBelow = (root: string, folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (!entry.isDirectory()) return [path]
    return foreign.test(`${path}/`) ? [] : filesBelow(root, path)
  })

/** A page in parts: its code blocks, and its lines without them. */
export interface Parts {
  readonly blocks: readonly Block[]
  /** Lines of prose; those of code blocks and comments are empty. */
  readonly prose: readonly string[]
  readonly faults: readonly Fault[]
}

const fence = /^( *)(`{3,}|~{3,}) *([^\s`]*)/

/** Splits a page. A block that is indented in place of fenced has no language, and is a fault. */
export function partsOf({ file, text }: Page): Parts {
  const blocks: Block[] = []
  const faults: Fault[] = []
  const lines = text.split('\n')
  const prose = lines.map(() => '')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    const [, indent = '', marks = '', language = ''] = fence.exec(line) ?? []
    if (marks) {
      const end = lines.findIndex((one, at) => at > i && one.trim().startsWith(marks))
      if (end < 0) faults.push({ file, line: i + 1, message: 'a code block without an end' })
      const last = end < 0 ? lines.length : end
      const code = lines.slice(i + 1, last).map((one) => one.replace(indent, ''))
      const note = /^ *<!--\s*(.*?)\s*-->$/.exec(lines[i - 1] ?? '')?.[1] ?? ''
      blocks.push({ file, line: i + 2, language, code: `${code.join('\n')}\n`, note })
      i = last
    } else if (/^( {4}|\t)\s*\S/.test(line) && isBreak(lines, prose, i)) {
      faults.push({
        file,
        line: i + 1,
        message: 'an indented code block; put it between ``` with its language',
      })
      while (/^( {4}|\t)|^\s*$/.test(lines[i + 1] ?? '#')) i++
    } else {
      prose[i] = line.replace(/<!--.*?-->/g, '')
    }
  }
  return { blocks, prose, faults }
}

/** Whether an indented line starts a code block: after an empty line that is not inside a list. */
function isBreak(lines: readonly string[], prose: readonly string[], i: number): boolean {
  if (lines[i - 1]?.trim() !== '' && i > 0) return false
  const before = prose.slice(0, i).findLast((line) => /^\S/.test(line)) ?? ''
  return !/^([-*+]|\d+[.)]) /.test(before)
}

/** The code in sentences. */
export const codesOf = (file: string, prose: readonly string[]): Piece[] =>
  paragraphs(prose).flatMap(({ line, text }) =>
    [...text.matchAll(/(`+)(.+?)\1(?!`)/gs)].map(([, , code = ''], _) => ({
      file,
      line,
      text: code.replace(/\s+/g, ' ').trim(),
    })),
  )

/** Lines that belong together, since code in a sentence may go over the end of a line. */
function paragraphs(prose: readonly string[]): { line: number; text: string }[] {
  const found: { line: number; text: string }[] = []
  let isOpen = false
  prose.forEach((text, i) => {
    const starts = /^\s*([-*+|#>]|\d+[.)] )/.test(text)
    if (text.trim() === '') isOpen = false
    else if (isOpen && !starts) found.at(-1)!.text += `\n${text}`
    else {
      found.push({ line: i + 1, text })
      isOpen = !/^\s*[|#]/.test(text)
    }
  })
  return found
}

/** The targets of links and pictures. */
export const linksOf = (file: string, prose: readonly string[]): Piece[] =>
  prose.flatMap((text, i) => {
    const plain = text.replace(/`[^`]*`/g, (code) => code.replace(/[[\]()]/g, '·'))
    const targets = [
      ...plain.matchAll(/\]\(\s*<?([^()\s<>]+)>?(?:\s+"[^"]*")?\s*\)/g),
      ...plain.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/g),
      ...plain.matchAll(/<(?:a|img)\s[^>]*?(?:href|src)="([^"]+)"/g),
    ]
    return targets.map(([, target = '']) => ({ file, line: i + 1, text: target }))
  })

/** The anchors of a page: those that GitHub gives its headings, and those written as HTML. */
export function anchorsOf(prose: readonly string[]): Set<string> {
  const found = new Set<string>()
  for (const line of prose) {
    for (const [, id = ''] of line.matchAll(/<[a-z][^>]*\s(?:id|name)="([^"]+)"/g)) found.add(id)
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const plain = heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/<[^>]+>/g, '')
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\p{Pc}\- ]/gu, '')
      .replaceAll(' ', '-')
    let unique = slug
    for (let i = 1; found.has(unique); i++) unique = `${slug}-${i}`
    found.add(unique)
  }
  return found
}

/** Checks a link to a file, a folder or an anchor of the repository. Addresses elsewhere are not asked. */
export function checkLink(
  root: string,
  anchors: ReadonlyMap<string, Set<string>>,
  { file, line, text }: Piece,
): Fault[] {
  const fault = (message: string) => [{ file, line, message }]
  if (/^(https?:|mailto:)/.test(text)) return []
  const [path = '', anchor] = decodeURI(text).split('#')
  const target = path === '' ? file : posix.join(dirname(file), path)
  if (target.startsWith('..') || path.startsWith('/')) {
    return fault(`the link "${text}" leads out of the repository`)
  }
  if (path !== '' && !existsSync(join(root, target)))
    return fault(`the link "${text}" names no file`)
  if (anchor === undefined) return []
  const known = anchors.get(target)
  if (known) return known.has(anchor) ? [] : fault(`"${target}" has no heading for "#${anchor}"`)
  const lines = /^L(\d+)(?:-L(\d+))?$/.exec(anchor)
  if (!lines || statSync(join(root, target)).isDirectory()) {
    return fault(`"${target}" has no anchor "#${anchor}"`)
  }
  const count = readFileSync(join(root, target), 'utf8').split('\n').length
  return Number(lines[2] ?? lines[1]) <= count ? [] : fault(`"${target}" has ${count} lines`)
}
