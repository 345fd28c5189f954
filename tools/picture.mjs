// @ts-check
// node tools/picture.mjs > docs/images/ranking.svg: the README's picture, from what the demo prints. Build first.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

/** Questions of the demo in the picture. */
const questions = 2
const columns = 82
const cell = { width: 8.4, height: 20 }
const margin = 16

/** Attributes of text by the ANSI codes that the demo uses; 22 and 39 end them. */
const styles = new Map([
  [1, ' font-weight="bold"'],
  [2, ' fill="#8b949e"'],
  [32, ' fill="#7ee787"'],
])

/** Characters that SVG needs written in another way. */
const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  // Others collapse.
  [' ', '\u00a0'],
])

const demo = fileURLToPath(new URL('demo.mjs', import.meta.url))
const env = { ...process.env, FORCE_COLOR: '1', NO_COLOR: undefined }
const printed = execFileSync(process.execPath, [demo], { env, encoding: 'utf8' })
// What is printed on load is the first block.
const lines = printed
  .split('\n\n')
  .slice(0, questions + 1)
  .join('\n\n')
  .split('\n')

/**
 * A line of a terminal as a text of SVG.
 * @param {string} line
 * @param {number} row
 */
function textOf(line, row) {
  const code = Number.parseInt(line.split('\u001b[')[1] ?? '', 10)
  const text = stripVTControlCharacters(line).replace(
    /[&<> ]/g,
    (sign) => entities.get(sign) ?? sign,
  )
  const y = margin + 14 + row * cell.height
  return `<text x="${margin}" y="${y}"${styles.get(code) ?? ''}>${text}</text>`
}

const width = Math.round(2 * margin + columns * cell.width)
const height = 2 * margin + lines.length * cell.height
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>A ranking in a terminal</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3">
${lines.map(textOf).join('\n')}
</g>
</svg>`)
