// @ts-check
// Builds dist/, the library: an entry each for Node, Bun and Deno, browser.js for browsers, and the types; and cli/dist/,
// the command. With --table it also prints what the browser's bundle is made of.
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { adapters, buildAdapters } from './build/adapters.mjs'
import { bundleForBrowsers } from './build/browser.mjs'
import { hubAlias } from './build/hub.mjs'
import { writeNotices } from './build/notices.mjs'
import { shaderPlugin } from './build/shaders.mjs'
import { printSizes, printTable } from './build/sizes.mjs'
import { buildTypes } from './build/types.mjs'
import { buildStamp } from './setup/stale.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const cliDist = join(root, 'cli', 'dist')

/** Entries of the library, which package.json exports. */
const entries = { index: 'src/index.ts', devices: 'src/devices/index.ts' }
/** Runs in the threads of src/devices, and lies beside what starts them. */
const worker = { 'device-worker': 'src/devices/worker.ts' }

/** @satisfies {import('esbuild').BuildOptions} */
const common = /** @type {const} */ ({
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  splitting: true,
  metafile: true,
  loader: { '.html': 'text' },
  plugins: [shaderPlugin],
  alias: hubAlias,
  logLevel: 'warning',
})

/**
 * Entries for Node, Bun and Deno. Those of a package are built together, so that they share their code: a class exists once.
 * @param {string} folder of the package
 * @param {Record<string, string>} entryPoints
 */
async function buildServer(folder, entryPoints) {
  const text = readFileSync(join(root, folder, 'package.json'), 'utf8')
  const { dependencies, peerDependencies } = JSON.parse(text)
  const { metafile } = await build({
    ...common,
    outdir: join(root, folder, 'dist'),
    platform: 'node',
    chunkNames: 'shared-[hash]',
    external: Object.keys({ ...dependencies, ...peerDependencies }),
    entryPoints,
  })
  return metafile
}

/** browser.js, and the chunks that it loads when they are needed. */
const buildBrowser = () =>
  bundleForBrowsers(
    root,
    { browser: 'src/index.ts' },
    { dir: dist, chunkFileNames: 'browser-[name]-[hash].js' },
  )

/**
 * Tells Deno and JSR the types of an entry, as package.json does npm.
 * @param {string} name
 */
function nameTypes(name) {
  const file = join(dist, `${name}.js`)
  const code = readFileSync(file, 'utf8')
  writeFileSync(file, `/* @ts-self-types="./types/${name}.d.ts" */\n${code}`)
}

for (const folder of [dist, cliDist]) rmSync(folder, { recursive: true, force: true })
const [library, cli, browser] = await Promise.all([
  buildServer('.', { ...entries, ...worker }),
  buildServer('cli', { cli: 'src/cli/index.ts', ...worker }),
  buildBrowser(),
  buildAdapters({ ...common, outdir: dist }, ['@langchain/core']),
])
const typed = { ...entries, ...adapters }
await buildTypes(root, typed, join(dist, 'types'))
for (const name of Object.keys(typed)) nameTypes(name)
writeNotices(root, dist, [library, browser])
writeNotices(root, cliDist, [cli])
// Pages with a chart contain it.
const script = 'echarts.common.min.js'
copyFileSync(join(root, 'node_modules', 'echarts', 'dist', script), join(cliDist, script))
printSizes(root, [library, browser, cli])
if (process.argv.includes('--table')) await printTable(root, browser)
writeFileSync(join(root, buildStamp), `${new Date().toISOString()}\n`)
