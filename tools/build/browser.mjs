// @ts-check
// browser.js, and the chunks that it imports when they are needed. Rollup knows that what an entry has imported is there when a chunk
// comes, so that the entry is one file; esbuild would cut it into one for each set of chunks that share code with it.
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { transform } from 'esbuild'
import { rollup } from 'rollup'
import { shortened } from './shaders.mjs'

/**
 * Builds the entry.
 * @param {string} root the repository
 * @param {string} dist
 * @param {Readonly<Record<string, string>>} packages files of packages by name
 * @returns {Promise<import('esbuild').Metafile>} what is in the files
 */
export async function buildBrowser(root, dist, packages) {
  const bundle = await rollup({
    input: { browser: join(root, 'src/index.ts') },
    plugins: [sources(root, packages)],
    treeshake: { moduleSideEffects: false },
    // A package that is bundled imports others for what is not used here: see the check below.
    onwarn: () => {},
  })
  const { output } = await bundle.write({
    dir: dist,
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'browser-[name]-[hash].js',
    plugins: [minified],
  })
  const chunks = output.filter((chunk) => chunk.type === 'chunk')
  const files = new Set(output.map(({ fileName }) => fileName))
  for (const { fileName, imports, dynamicImports } of chunks) {
    const outside = [...imports, ...dynamicImports].find((file) => !files.has(file))
    if (outside) {
      throw new Error(`dist/browser.js must stand alone, but ${fileName} imports "${outside}"`)
    }
  }
  /** @param {string} file */
  const inDist = (file) => relative(root, join(dist, file))
  const outputs = chunks.map(({ fileName, code, facadeModuleId, modules, imports }) => [
    inDist(fileName),
    {
      bytes: Buffer.byteLength(code),
      ...(facadeModuleId && { entryPoint: relative(root, facadeModuleId) }),
      inputs: Object.fromEntries(
        Object.entries(modules).map(([id, { renderedLength }]) => [
          relative(root, id),
          { bytesInOutput: renderedLength },
        ]),
      ),
      imports: imports.map((file) => ({ path: inDist(file), kind: 'import-statement' })),
      exports: [],
    },
  ])
  const modules = chunks.flatMap((chunk) => Object.keys(chunk.modules))
  return {
    inputs: Object.fromEntries(
      modules.map((id) => [relative(root, id), { bytes: 0, imports: [] }]),
    ),
    outputs: Object.fromEntries(outputs),
  }
}

/**
 * TypeScript, WGSL and JSON as modules.
 * @param {string} root
 * @param {Readonly<Record<string, string>>} packages
 * @returns {import('rollup').Plugin}
 */
function sources(root, packages) {
  const { imports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return {
    name: 'sources',
    resolveId: (name) => packages[name] ?? (imports[name] ? join(root, imports[name].browser) : null),
    async transform(code, id) {
      if (id.endsWith('.wgsl')) return `export default ${JSON.stringify(shortened(code))}`
      if (id.endsWith('package.json')) return `export const version = ${JSON.stringify(JSON.parse(code).version)}`
      if (!id.endsWith('.ts')) return null
      return (await transform(code, { loader: 'ts', target: 'es2022' })).code
    },
  }
}

/** @type {import('rollup').Plugin} */
const minified = {
  name: 'minified',
  renderChunk: async (code) =>
    (await transform(code, { minify: true, format: 'esm', target: 'es2022' })).code,
}
