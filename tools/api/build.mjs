// @ts-check
// npm run docs: makes the API reference in docs/api of the public entries and their comments, and checks its links. What is
// exported without a comment, and a link that leads nowhere, are errors.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const out = join(here, '..', '..', 'docs', 'api')

/** Links of pages to files or anchors that are not there. */
function brokenLinks() {
  const files = readdirSync(out, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.html'))
    .map((file) => join(out, file))
  const pages = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]))
  const anchors = new Map(
    [...pages].map(([file, text]) => [
      file,
      new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)),
    ]),
  )
  let count = 0
  const broken = []
  for (const [file, text] of pages) {
    for (const [, target = ''] of text.matchAll(/\s(?:href|src)="([^"]+)"/g)) {
      if (/^(https?|data|mailto):/.test(target)) continue
      count++
      const [path = '', anchor] = decodeURI(target).split('#')
      const found = path === '' ? file : join(dirname(file), path)
      const isThere = existsSync(found) && (!anchor || (anchors.get(found)?.has(anchor) ?? true))
      if (!isThere) broken.push(`${relative(out, file)}: "${target}"`)
    }
  }
  return { pages: files.length, count, broken }
}

rmSync(out, { recursive: true, force: true })
const typedoc = join(here, 'node_modules', 'typedoc', 'bin', 'typedoc')
const { status } = spawnSync(process.execPath, [typedoc, '--options', join(here, 'typedoc.json')], {
  stdio: 'inherit',
})
if (status !== 0) process.exit(status ?? 1)
const { pages, count, broken } = brokenLinks()
for (const link of broken) console.error(`a link that leads nowhere: ${link}`)
console.log(`docs/api: ${pages} pages, ${count} links, ${broken.length} of them broken`)
process.exit(broken.length === 0 && pages > 0 ? 0 : 1)
