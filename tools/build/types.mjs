// @ts-check
// Types of the library: one file for each entry, made of what the compiler emits for the sources.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'

const require = createRequire(import.meta.url)

const disposable = '/// <reference lib="esnext.disposable" />\n'

/**
 * What the types use beyond ES2022: `Symbol.dispose`, and WebGPU. package.json chooses a file by the version of TypeScript: from
 * 6 on WebGPU is in its library of the DOM, and @webgpu/types, which npm `webgpu` brings, would contradict that. JSR, which
 * allows no such references, has what Deno has.
 */
const globals = {
  'globals-dom.d.ts': `${disposable}/// <reference lib="dom" />\nexport {}\n`,
  'globals-webgpu.d.ts': `${disposable}/// <reference types="webgpu" />\nexport {}\n`,
  'globals-deno.d.ts': 'export {}\n',
}
const banner = "import type {} from '#globals'"

/**
 * Writes the types of entries.
 * @param {string} root the repository
 * @param {Readonly<Record<string, string>>} entries sources by the name of the entry
 * @param {string} folder where they go
 */
export async function buildTypes(root, entries, folder) {
  const emitted = mkdtempSync(join(tmpdir(), 'dawnrank-types-'))
  try {
    emit(root, emitted)
    const bundle = await rollup({
      input: Object.fromEntries(
        Object.entries(entries).map(([name, source]) => [
          name,
          declarationOf(join(emitted, source)),
        ]),
      ),
      plugins: [declarations, dts()],
      external: (id) => !/^[./#]/.test(id),
      preserveEntrySignatures: 'allow-extension',
    })
    await bundle.write({ dir: folder, format: 'es', banner, manualChunks: inIndex })
    await bundle.close()
    for (const [name, text] of Object.entries(globals)) writeFileSync(join(folder, name), text)
  } finally {
    rmSync(emitted, { recursive: true })
  }
}

/**
 * What the index has, the other entries take from there: a class with private members exists once.
 * @type {import('rollup').GetManualChunk}
 */
function inIndex(id, { getModuleInfo, getModuleIds }) {
  const index = [...getModuleIds()].find((one) => one.endsWith('/src/index.d.ts')) ?? ''
  const seen = new Set([index])
  for (const one of seen) for (const next of getModuleInfo(one)?.importedIds ?? []) seen.add(next)
  return seen.has(id) ? 'index' : undefined
}

/** @param {string} source */
const declarationOf = (source) => source.replace(/\.ts$/, '.d.ts')

/** @type {import('rollup').Plugin} The declarations import each other by the sources' names. */
const declarations = {
  name: 'declarations',
  resolveId: (id, importer) =>
    importer && /^\..*\.ts$/.test(id) ? declarationOf(join(dirname(importer), id)) : undefined,
}

/**
 * @param {string} root
 * @param {string} folder
 */
function emit(root, folder) {
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  const args = [tsc, '-p', 'tsconfig.types.json', '--outDir', folder]
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error('the types could not be made; the compiler says why above')
}
