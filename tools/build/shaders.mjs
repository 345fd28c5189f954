// @ts-check
// Shaders in the bundles: without comments and indentation, but with the comments that are read at run time.
import { readFile } from 'node:fs/promises'

/** `// uses:`, `// needs:` and the loops of src/gpu/unroll.ts. */
const read = /^\/\/(#| (uses|needs):)/

/** @param {string} code */
export const shortened = (code) =>
  code
    .split('\n')
    .map((line) => line.trim())
    .map((line) => (read.test(line) ? line : line.replace(/\s*\/\/.*$/, '')))
    .filter((line) => line !== '')
    .join('\n')

/** @type {import('esbuild').Plugin} */
export const shaderPlugin = {
  name: 'shaders',
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
      contents: shortened(await readFile(path, 'utf8')),
      loader: 'text',
    }))
  },
}
