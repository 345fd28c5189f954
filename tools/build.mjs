// @ts-check
// Builds dist/: index.js, cli.js and devices.js for Node, Bun and Deno, browser.js for browsers, and the types.
import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { buildStamp } from './setup/stale.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const require = createRequire(import.meta.url)
const { dependencies, peerDependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)

const bundled = '@huggingface/hub'

/** @type {import('esbuild').BuildOptions} */
const common = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  loader: { '.wgsl': 'text', '.html': 'text' },
  // Two functions of a package, in the form that has no Node modules: bundled for every runtime, in a chunk of its own.
  alias: { [bundled]: require.resolve(bundled).replace(/index\.js$/, 'browser/index.mjs') },
  sourcemap: true,
  logLevel: 'warning',
}

/** All entries of servers are built together, so that they share their code: a class exists once. */
async function buildServer() {
  await build({
    ...common,
    platform: 'node',
    splitting: true,
    chunkNames: 'shared-[hash]',
    external: Object.keys({ ...dependencies, ...peerDependencies }).filter(
      (name) => name !== bundled,
    ),
    entryPoints: {
      index: 'src/index.ts',
      cli: 'src/cli/index.ts',
      devices: 'src/devices/index.ts',
      'device-worker': 'src/devices/worker.ts',
    },
  })
  const cli = join(dist, 'cli.js')
  const code = readFileSync(cli, 'utf8')
  if (!code.startsWith('#!')) {
    throw new Error(
      'src/cli/index.ts must begin with "#!/usr/bin/env node": dist/cli.js is run as a program',
    )
  }
  chmodSync(cli, 0o755)
}

/** browser.js, and the chunks that it loads when a model is first given by its name. */
async function buildBrowser() {
  const { metafile } = await build({
    ...common,
    metafile: true,
    platform: 'browser',
    splitting: true,
    chunkNames: 'browser-[name]-[hash]',
    conditions: ['browser'],
    // Left in, so that the check below can name the file that asks for one.
    external: ['node:*'],
    entryPoints: { browser: 'src/index.ts' },
  })
  for (const [file, { imports }] of Object.entries(metafile.inputs)) {
    const outside = imports.find(({ external }) => external)
    if (outside) {
      throw new Error(`dist/browser.js must stand alone, but ${file} imports "${outside.path}"`)
    }
  }
}

/** Types lie as the sources do, shaders beside src/; the entries of dist/types lead to them. */
function buildTypes() {
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.types.json'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error('the types could not be made; the compiler says why above')
  for (const [entry, source] of Object.entries({ index: 'index', devices: 'devices/index' })) {
    writeFileSync(join(dist, 'types', `${entry}.d.ts`), `export * from './src/${source}.ts'\n`)
  }
}

function printSizes() {
  for (const name of readdirSync(dist).filter((file) => file.endsWith('.js'))) {
    const code = readFileSync(join(dist, name))
    console.log(`dist/${name} ${kilobytes(code.length)}, gzip ${kilobytes(gzipSync(code).length)}`)
  }
}

/** @param {number} bytes */
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`

rmSync(dist, { recursive: true, force: true })
await Promise.all([buildServer(), buildBrowser()])
buildTypes()
printSizes()
writeFileSync(join(root, buildStamp), `${new Date().toISOString()}\n`)
