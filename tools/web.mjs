// @ts-check
// npm run web: builds the browser page of web/ to web/dist, a folder that any static host can serve, and serves it.
// Options: --out FOLDER, --port N, --host ADDRESS, --no-serve.
import { createHash } from 'node:crypto'
import {
  constants,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build, context } from 'esbuild'
import { bundleForBrowsers } from './build/browser.mjs'
import { writeNotices } from './build/notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const web = join(root, 'web')
const require = createRequire(import.meta.url)
const pdfjs = dirname(require.resolve('pdfjs-dist/package.json'))

/**
 * @typedef {{ name: string, label: string, folder: string }} WebModel a model that is served beside the page
 */

/** @type {readonly WebModel[]} */
export const embedded = [
  { name: 'xlm-roberta-6x384', label: 'multilingual encoder' },
  { name: 'minilm-cross-6x384', label: 'English encoder' },
  { name: 'minicpm-layerwise-8x384', label: 'English decoder, scores by layer' },
  { name: 'gemma-8x384', label: 'English decoder' },
].map((model) => ({ ...model, folder: join(root, 'weights', model.name) }))

const statics = ['index.html', 'style.css', 'icon.svg', 'manifest.webmanifest']
/** What the engine reads of a model's folder: not its card. */
const isModelFile = (/** @type {string} */ file) =>
  /\.(json|safetensors|model|txt|jinja)$/.test(file)

/**
 * Builds the page.
 * @param {string} out the folder, which is emptied
 * @param {readonly WebModel[]} [models]
 */
export async function buildWeb(out, models = embedded) {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  for (const file of statics) copyFileSync(join(web, file), join(out, file))
  const list = models.map((model) => copyModel(model, join(out, 'models', model.name)))
  writeFileSync(join(out, 'models.json'), JSON.stringify(list))
  cpSync(join(pdfjs, 'cmaps'), join(out, 'cmaps'), { recursive: true })
  copyFileSync(join(pdfjs, 'legacy/build/pdf.worker.min.mjs'), join(out, 'pdf.worker.js'))

  const entries = { main: join(web, 'main.ts'), worker: join(web, 'worker.ts') }
  const chunkFileNames = 'chunk-[name]-[hash].js'
  const metafile = await bundleForBrowsers(root, entries, { dir: out, chunkFileNames })
  writeNotices(root, out, [metafile])
  const scripts = readdirSync(out).filter((file) => file.endsWith('.js'))
  /** Scripts with files of a package. */
  const scriptsOf = (/** @type {string} */ name) =>
    Object.entries(metafile.outputs)
      .filter(([, { inputs }]) => Object.keys(inputs).some((file) => file.includes(`/${name}/`)))
      .map(([file]) => file.slice(file.lastIndexOf('/') + 1))
  const later = [...scriptsOf('eld'), 'pdf.worker.js', ...scriptsOf('pdfjs-dist')]
  const files = [...statics, 'models.json', ...scripts.filter((file) => !later.includes(file))]
  await build({
    outdir: out,
    bundle: true,
    minify: true,
    target: 'es2022',
    entryPoints: { 'service-worker': join(web, 'service-worker.ts') },
    format: 'iife',
    logLevel: 'warning',
    define: {
      WEB_VERSION: JSON.stringify(versionOf(out, [...files, ...later])),
      WEB_FILES: JSON.stringify(files),
      WEB_LATER: JSON.stringify(later),
    },
  })
  return { files, later }
}

/**
 * Copies a model, and says what the page's list says of it.
 * @param {WebModel} model
 * @param {string} to
 */
function copyModel({ name, label, folder }, to) {
  mkdirSync(to, { recursive: true })
  const names = readdirSync(folder).filter(isModelFile)
  // Bytes that are the same on a file system that can share them take no room.
  for (const file of names)
    copyFileSync(join(folder, file), join(to, file), constants.COPYFILE_FICLONE)
  return {
    name,
    label,
    version: versionOf(folder, names),
    files: Object.fromEntries(names.map((file) => [file, statSync(join(folder, file)).size])),
  }
}

/**
 * Digits that change when a file does.
 * @param {string} folder
 * @param {readonly string[]} files
 */
function versionOf(folder, files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(folder, file)))
  return hash.digest('hex').slice(0, 12)
}

/**
 * Serves a folder, to this machine alone unless another address is named.
 * @param {string} folder
 * @param {{ port?: number, host?: string }} [options]
 */
export async function serveWeb(folder, { port = 0, host = '127.0.0.1' } = {}) {
  const server = await context({})
  const { port: taken } = await server.serve({ servedir: folder, port, host })
  return { url: `http://${host}:${taken}/`, close: () => server.dispose() }
}

async function main() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(web, 'dist') },
      port: { type: 'string', default: '8080' },
      host: { type: 'string', default: '127.0.0.1' },
      'no-serve': { type: 'boolean', default: false },
    },
  })
  const { files, later } = await buildWeb(values.out)
  console.log(
    `${values.out}: ${files.length} files of the page, ${later.length} for languages and PDFs, models`,
  )
  if (values['no-serve']) return
  const { url } = await serveWeb(values.out, { port: Number(values.port), host: values.host })
  console.log(`${url.replace('127.0.0.1', 'localhost')} (Ctrl+C ends it)`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
