/** One command of a shell block: its words as the shell passes them, without redirections and settings of variables. */
export interface ShellCommand {
  /** From 0, in the block. */
  readonly line: number
  readonly words: readonly string[]
}

const operators = /^(&&|\|\||;|\||&)/
/** What readers replace: `<folder>`. */
const placeholder = /^<[a-z]+>/
const redirection = /^(\d*>>?&?\d?|\d*<)\s*/

/**
 * Reads the part of a shell's language that guides use: words, quotes, comments, continued lines, pipes, lists, redirections,
 * and variables in front of a command. `$NAME`, `<name>` and `…` stay as written; `<(…)` and `$(…)` are one word, and so are their
 * commands, which are read too.
 *
 * @throws Error if a quote or a bracket has no end
 */
export function readShell(text: string, firstLine = 0): ShellCommand[] {
  const commands: ShellCommand[] = []
  let words: string[] = []
  let word: string | undefined
  let start = firstLine
  let line = firstLine
  let skips = false
  const endWord = () => {
    if (word !== undefined && !skips) {
      if (words.length === 0) start = line
      if (words.length > 0 || !/^\w+=/.test(word)) words.push(word)
    }
    if (word !== undefined) skips = false
    word = undefined
  }
  const endCommand = () => {
    endWord()
    if (words.length > 0) commands.push({ line: start, words })
    words = []
  }
  for (let i = 0; i < text.length; ) {
    const rest = text.slice(i)
    const char = rest[0]!
    if (rest.startsWith('\\\n')) {
      endWord()
      line++
      i += 2
    } else if (char === '\n') {
      endCommand()
      line++
      i++
    } else if (/\s/.test(char)) {
      endWord()
      i++
    } else if (char === '#' && word === undefined) {
      i += rest.indexOf('\n') < 0 ? rest.length : rest.indexOf('\n')
    } else if (/^[<$]\(/.test(rest)) {
      const inner = enclosed(rest.slice(1))
      commands.push(...readShell(inner.slice(1, -1), line))
      word = (word ?? '') + char + inner
      i += 1 + inner.length
    } else if (placeholder.test(rest)) {
      const name = placeholder.exec(rest)![0]
      word = (word ?? '') + name
      i += name.length
    } else if (word === undefined && redirection.test(rest)) {
      const sign = redirection.exec(rest)![0]
      skips = !/&\d$/.test(sign)
      i += sign.length
    } else if (operators.test(rest)) {
      endCommand()
      i += operators.exec(rest)![0].length
    } else if (char === "'" || char === '"') {
      const end = closingQuote(rest)
      const quoted = rest.slice(1, end)
      word = (word ?? '') + (char === '"' ? quoted.replace(/\\(["\\$`])/g, '$1') : quoted)
      line += quoted.split('\n').length - 1
      i += end + 1
    } else {
      word = (word ?? '') + (char === '\\' ? (rest[1] ?? '') : char)
      i += char === '\\' ? 2 : 1
    }
  }
  endCommand()
  return commands
}

/** Where the quote that the text starts with ends. */
function closingQuote(text: string): number {
  for (let i = 1; i < text.length; i++) {
    if (text[i] === '\\' && text[0] === '"') i++
    else if (text[i] === text[0]) return i
  }
  throw new Error(`a quote without an end: ${text.slice(0, 40)}`)
}

/** What the brackets that the text starts with enclose, with them. */
function enclosed(text: string): string {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++
    if (text[i] === ')' && --depth === 0) return text.slice(0, i + 1)
  }
  throw new Error(`a bracket without an end: ${text.slice(0, 40)}`)
}
