/** HTML as text. The browser's parser runs no script and loads nothing. */

/** What is not read. */
const silent = 'script, style, noscript, template, svg, canvas, iframe, nav, head, [hidden]'

/** Elements that text flows across. */
const inline = new Set(
  'A ABBR B BDI BDO CITE CODE DATA DEL DFN EM FONT I INS KBD LABEL MARK Q RUBY S SAMP SMALL SPAN STRONG SUB SUP TIME U VAR WBR'.split(
    ' ',
  ),
)

/** The text of a page, its blocks apart by empty lines, and its title. */
export function htmlText(source: string): { readonly title: string; readonly text: string } {
  const page = new DOMParser().parseFromString(source, 'text/html')
  const title = page.title.trim()
  for (const element of page.querySelectorAll(silent)) {
    // A page may be hidden until its script has run.
    if (element !== page.documentElement && element !== page.body) element.remove()
  }
  const parts: string[] = []
  write(page.body ?? page.documentElement, parts)
  const text = parts
    .join('')
    .replace(/[ \t]*\n[ \t]*/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
  return { title, text }
}

function write(node: Node, parts: string[]): void {
  if (node.nodeType === Node.TEXT_NODE) {
    const isKept = node.parentElement?.closest('pre, textarea')
    const text = node.textContent ?? ''
    parts.push(isKept ? text : text.replace(/[ \t\r\n\f]+/g, ' '))
    return
  }
  if (!(node instanceof Element)) return
  const name = node.tagName
  if (name === 'BR') parts.push('\n')
  const ends = inline.has(name) ? '' : /^(TD|TH)$/.test(name) ? ' ' : breakOf(name)
  parts.push(ends)
  for (const child of node.childNodes) write(child, parts)
  parts.push(ends)
}

/** Lines of a list or a table belong together. */
const breakOf = (name: string) => (/^(LI|TR|DT|DD|OPTION)$/.test(name) ? '\n' : '\n\n')

/** The encoding that a page names in its first bytes. */
export function htmlCharset(bytes: Uint8Array): string | undefined {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 2048))
  const name = /<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)/i.exec(start)?.[1]
  try {
    return name && new TextDecoder(name).encoding
  } catch {
    return undefined
  }
}
