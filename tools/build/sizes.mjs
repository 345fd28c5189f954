// @ts-check
// How large the bundles are.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { transform } from 'esbuild'
import { shortened } from './shaders.mjs'

/** @param {number} bytes */
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`

/**
 * @param {string} root the repository
 * @param {string} file
 */
const gzipped = (root, file) => gzipSync(readFileSync(join(root, file))).length

/**
 * Prints the size of each bundle.
 * @param {string} root the repository
 * @param {readonly import('esbuild').Metafile[]} metafiles
 */
export function printSizes(root, metafiles) {
  for (const { outputs } of metafiles) {
    const entries = Object.entries(outputs).filter(([, { entryPoint }]) => entryPoint)
    for (const [file] of entries) {
      const all = [...closure(outputs, file)]
      const bytes = all.reduce((sum, one) => sum + (outputs[one]?.bytes ?? 0), 0)
      const packed = all.reduce((sum, one) => sum + gzipped(root, one), 0)
      const imports = all.length > 1 ? ` with the ${all.length - 1} files that it imports` : ''
      console.log(`${file}${imports}: ${kilobytes(bytes)}, gzip ${kilobytes(packed)}`)
    }
  }
}

/**
 * The bundles that are loaded with one.
 * @param {import('esbuild').Metafile['outputs']} outputs
 * @param {string} entry
 */
export function closure(outputs, entry) {
  const files = new Set([entry])
  for (const file of files) {
    for (const { path, kind, external } of outputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && !external) files.add(path)
    }
  }
  return files
}

/** What is imported when an XLM-RoBERTa with a tokenizer.json loads, beyond the entry. */
export const loadsXlmRoberta = ['src/models/xlm-roberta.ts']

/**
 * Prints the modules of what a page loads for one XLM-RoBERTa: their bytes in the bundles, and their share of these gzipped,
 * in proportion to what each takes alone.
 * @param {string} root the repository
 * @param {import('esbuild').Metafile} metafile of the browser's bundles
 */
export async function printTable(root, { outputs }) {
  const rows = []
  let total = 0
  for (const file of loadedFiles(outputs)) {
    const inputs = await Promise.all(
      Object.entries(outputs[file]?.inputs ?? {}).map(async ([module, { bytesInOutput }]) => ({
        module,
        bytes: bytesInOutput,
        alone: await gzippedAlone(root, module),
      })),
    )
    const packed = gzipped(root, file)
    const sum = inputs.reduce((sum, { alone }) => sum + alone, 0)
    rows.push(...inputs.map((row) => ({ ...row, packed: (packed * row.alone) / sum })))
    total += packed
  }
  console.log(
    '\nA page that loads an XLM-RoBERTa:\n\n| module | kB | gzip, kB |\n| --- | ---: | ---: |',
  )
  for (const { module, bytes, packed } of rows.sort((a, b) => b.packed - a.packed)) {
    if (bytes > 0) console.log(`| ${module} | ${inKilobytes(bytes)} | ${inKilobytes(packed)} |`)
  }
  const bytes = rows.reduce((sum, { bytes }) => sum + bytes, 0)
  console.log(`| **all** | **${inKilobytes(bytes)}** | **${inKilobytes(total)}** |`)
}

/** @param {number} bytes */
const inKilobytes = (bytes) => (bytes / 1000).toFixed(1)

/**
 * The bundles of the entry and of {@link loadsXlmRoberta}.
 * @param {import('esbuild').Metafile['outputs']} outputs
 */
export function loadedFiles(outputs) {
  const chunks = Object.entries(outputs).filter(
    ([file, { entryPoint = '' }]) =>
      file.endsWith('/browser.js') || loadsXlmRoberta.includes(entryPoint),
  )
  return new Set(chunks.flatMap(([file]) => [...closure(outputs, file)]))
}

/**
 * @param {string} root
 * @param {string} module
 */
async function gzippedAlone(root, module) {
  const text = readFileSync(join(root, module), 'utf8')
  if (/\.wgsl$/.test(module)) return gzipSync(shortened(text)).length
  const loader = /\.json$/.test(module) ? 'json' : 'ts'
  return gzipSync((await transform(text, { loader, minify: true })).code).length
}
