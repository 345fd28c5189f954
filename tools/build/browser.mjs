// @ts-check
// Bundles for browsers.
import { readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { rolldown } from 'rolldown'
import { hubAlias } from './hub.mjs'
import { shortened } from './shaders.mjs'

/**
 * @typedef {import('rolldown').OutputChunk} Chunk
 * @typedef {import('esbuild').Metafile} Metafile
 */

/**
 * Writes bundles that import nothing but each other: of one entry, a library, or of several, the scripts of a page. What an
 * entry always loads is one file, or one for what it shares with the others: a bundle for each set of entries and dynamic
 * imports that share a module would be dozens of small files.
 *
 * @param {string} root the repository
 * @param {Record<string, string>} input entries by name
 * @param {{ dir: string, chunkFileNames: string }} output
 * @returns {Promise<Metafile>} what is in the bundles, as esbuild tells it
 */
export async function bundleForBrowsers(root, input, { dir, chunkFileNames }) {
  const isLibrary = Object.keys(input).length === 1
  const bundle = await rolldown({
    cwd: root,
    input,
    platform: 'browser',
    // The exports of a library are its own alone.
    preserveEntrySignatures: isLibrary ? 'strict' : 'allow-extension',
    resolve: {
      conditionNames: ['browser', 'import', 'default'],
      alias: hubAlias,
    },
    transform: { target: 'es2022' },
    plugins: [
      {
        name: 'shaders',
        load(id) {
          if (!id.endsWith('.wgsl')) return null
          return { code: `export default ${JSON.stringify(shortened(readFileSync(id, 'utf8')))}` }
        },
      },
    ],
    onLog(level, log) {
      // A module that is not found, or of Node alone, would be imported when the page runs.
      if (level === 'warn') throw new Error(log.message)
    },
  })
  try {
    const format = { format: /** @type {const} */ ('es'), minify: true, chunkFileNames }
    const { output } = await bundle.generate(format)
    const entriesOf = entriesByModule(chunksOf(output))
    const name = (/** @type {string} */ id) => entriesOf.get(id)?.join('-') ?? null
    // Of several entries, one must not load what another alone needs.
    const codeSplitting = {
      includeDependenciesRecursively: isLibrary,
      groups: [{ debugName: 'entries', name }],
    }
    const written = await bundle.write({ ...format, dir, codeSplitting })
    return metafileOf(root, dir, chunksOf(written.output))
  } finally {
    await bundle.close()
  }
}

/**
 * @param {readonly (Chunk | { type: 'asset' })[]} output
 * @returns {Chunk[]}
 */
const chunksOf = (output) => output.filter((file) => file.type === 'chunk')

/**
 * The entries that always load a module, by the module.
 * @param {readonly Chunk[]} chunks
 */
function entriesByModule(chunks) {
  /** @type {Map<string, string[]>} */
  const entries = new Map()
  for (const { name, fileName } of chunks.filter(({ isEntry }) => isEntry)) {
    const loaded = new Set([fileName])
    for (const file of loaded) {
      const chunk = chunks.find((one) => one.fileName === file)
      for (const imported of chunk?.imports ?? []) loaded.add(imported)
      for (const id of chunk?.moduleIds ?? []) entries.set(id, [...(entries.get(id) ?? []), name])
    }
  }
  return entries
}

/**
 * @param {string} root
 * @param {string} dir
 * @param {readonly Chunk[]} chunks
 * @returns {Metafile}
 */
function metafileOf(root, dir, chunks) {
  const nameOf = (/** @type {string} */ path) => relative(root, path).split(sep).join('/')
  const placeOf = (/** @type {string} */ file) => nameOf(join(dir, file))
  /** @type {Metafile} */
  const metafile = { inputs: {}, outputs: {} }
  for (const chunk of chunks) {
    const bytes = Buffer.byteLength(chunk.code)
    const modules = Object.entries(chunk.modules)
    // Lengths are those before minifying.
    const share = bytes / modules.reduce((sum, [, { renderedLength }]) => sum + renderedLength, 0)
    const inputs = Object.fromEntries(
      modules.map(([id, { renderedLength }]) => [
        nameOf(id),
        { bytesInOutput: Math.round(renderedLength * share) },
      ]),
    )
    for (const [id] of modules) metafile.inputs[nameOf(id)] = { bytes: 0, imports: [] }
    metafile.outputs[placeOf(chunk.fileName)] = {
      bytes,
      inputs,
      exports: chunk.exports,
      imports: [
        ...chunk.imports.map((file) => ({
          path: placeOf(file),
          kind: /** @type {const} */ ('import-statement'),
        })),
        ...chunk.dynamicImports.map((file) => ({
          path: placeOf(file),
          kind: /** @type {const} */ ('dynamic-import'),
        })),
      ],
      ...(chunk.facadeModuleId && { entryPoint: nameOf(chunk.facadeModuleId) }),
    }
  }
  return metafile
}
