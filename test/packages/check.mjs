// @ts-check
// npm run check:packages: packs the packages as they would be published, says what is in them, and checks them: with publint
// and attw, by the types of a program, and by the README's example in empty projects under Node, Bun and Deno.
// With --out FOLDER the tarballs and their bill of materials stay there. Node's versions are those of npm for Linux on x64.
import { execFile } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { findBun } from '../../tools/setup/bun.mjs'
import { childEnvironment, npm } from '../../tools/setup/run.mjs'
import { startRegistry } from './registry.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '..', '..')
const tools = join(here, 'node_modules')
const execute = promisify(execFile)
const { values: asked } = parseArgs({ options: { out: { type: 'string' } } })
const work = realpathSync(mkdtempSync(join(tmpdir(), 'dawnrank-packages-')))
const out = asked.out ?? join(work, 'tarballs')
mkdirSync(out, { recursive: true })

/** Bytes that the library's tarball may have. */
const mostBytes = 1_000_000
/** A model of the embedded one's kind for the name in the README's example. */
const weights = join(root, 'weights', 'xlm-roberta-6x384')
const home = join(work, 'home')
let failures = 0

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`

/**
 * Reports one check; what it gives is shown.
 * @param {string} what
 * @param {() => unknown} work
 */
async function check(what, work) {
  try {
    const found = await work()
    console.log(`ok    ${what}${found ? `: ${found}` : ''}`)
  } catch (error) {
    failures++
    const { stdout = '', stderr = '', message } = /** @type {any} */ (error)
    console.log(`FAIL  ${what}: ${stdout}${stderr || message}`)
  }
}

/**
 * Runs a program in a folder; gives its output.
 * @param {string} cwd
 * @param {readonly string[]} command
 * @param {NodeJS.ProcessEnv} [env]
 */
async function run(cwd, [program = '', ...args], env) {
  const { stdout } = await execute(program, args, {
    cwd,
    env: { ...childEnvironment(), NO_COLOR: '1', ...env },
    maxBuffer: 256 * 1024 * 1024,
  })
  return stdout
}

/** @param {...string} args */
const npmCommand = (...args) => npm(...args).flat()

/** @param {string} folder @returns {number} bytes of all files below it */
const sizeOf = (folder) =>
  readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name)
    return sum + (entry.isDirectory() ? sizeOf(path) : entry.isFile() ? statSync(path).size : 0)
  }, 0)

/** Packs all packages, and prints what would be published. */
async function pack() {
  const text = await run(
    root,
    npmCommand(
      'pack',
      '--json',
      '--workspaces',
      '--include-workspace-root',
      '--pack-destination',
      out,
    ),
  )
  const found = JSON.parse(text)
  const list = /** @type {any[]} */ (Array.isArray(found) ? found : Object.values(found))
  for (const { name, version, size, unpackedSize, files } of list) {
    console.log(
      `\n${name} ${version}: ${megabytes(size)} packed, ${megabytes(unpackedSize)} unpacked`,
    )
    for (const { path, size } of files) console.log(`  ${path} ${size}`)
  }
  console.log()
  return list.map(({ name, filename, size, files }) => ({
    manifest: manifestOf(name),
    file: join(out, filename),
    size: Number(size),
    files: /** @type {string[]} */ (files.map((/** @type {any} */ { path }) => path)),
  }))
}

/** @param {string} name of a package */
function manifestOf(name) {
  const folder =
    name === 'dawnrank' ? '.' : name === '@dawnrank/cli' ? 'cli' : `weights/${name.split('/')[1]}`
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
}

/** The README's first example, printing what it ranks. */
function readExample() {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/```(?:ts|js)\n([\s\S]*?)```/g)].map(([, code = '']) => code)
  const code = blocks.find((one) => one.includes("from 'dawnrank'")) ?? ''
  const name = /load\('([\w-]+\/[\w.-]+)'/.exec(code.replace(/\/\/.*$/gm, ''))?.[1]
  if (name) cacheModel(name)
  return code.replace(/^await (reranker\.rank\(.*\))$/m, 'console.log(await $1)')
}

/** Puts the embedded model into the cache under a published name. @param {string} name */
function cacheModel(name) {
  const commit = '0'.repeat(40)
  const folder = join(home, 'hub', `models--${name.replace('/', '--')}`)
  cpSync(weights, join(folder, 'snapshots', commit), { recursive: true })
  mkdirSync(join(folder, 'refs'), { recursive: true })
  writeFileSync(join(folder, 'refs', 'main'), commit)
}

/**
 * An empty project.
 * @param {string} name
 */
function project(name) {
  const folder = join(work, name)
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name, version: '0.0.0', private: true, type: 'module' }),
  )
  writeFileSync(join(folder, 'example.mjs'), example)
  return folder
}

const offline = { HF_HOME: home, HF_HUB_OFFLINE: '1', DAWNRANK_TUNE: '0' }

/**
 * Runs the example; it must rank.
 * @param {string} folder
 * @param {readonly string[]} command
 */
async function runExample(folder, command) {
  const printed = await run(folder, [...command, 'example.mjs'], { ...registry.env, ...offline })
  const [, score] = /score: ([-\d.]+)/.exec(printed) ?? []
  if (!score || !/index: 1/.test(printed)) throw new Error(`ranked otherwise: ${printed}`)
  return `the best passage has score ${score}`
}

/** The program of a runtime that npm brings. @param {string} name */
const program = (name) => join(tools, name, 'bin', 'node')
const bun = findBun(root) ?? 'bun'
const deno = [process.execPath, join(root, 'node_modules', 'deno', 'bin.cjs')]

const packages = await pack()
const upstream = (await run(root, npmCommand('config', 'get', 'registry'))).trim()
const served = await startRegistry(packages, upstream)
const registry = {
  ...served,
  env: {
    npm_config_registry: served.url,
    NPM_CONFIG_REGISTRY: served.url,
    BUN_CONFIG_REGISTRY: served.url,
    DENO_DIR: join(work, 'deno'),
    BUN_INSTALL_CACHE_DIR: join(work, 'bun-cache'),
  },
}
const example = readExample()
const install = npmCommand('install', '--no-audit', '--no-fund')
const library = packages.find(({ manifest }) => manifest.name === 'dawnrank')
if (!library) throw new Error('npm pack left no tarball of dawnrank')

try {
  await check('the library is small and has no weights', () => {
    const other = library.files.filter(
      (path) => !/^(dist\/|LICENSE|README\.md|package\.json)/.test(path),
    )
    if (library.size > mostBytes || other.length > 0) throw new Error(`${library.size}; ${other}`)
    return megabytes(library.size)
  })
  for (const { manifest, file } of packages) {
    await check(`publint ${manifest.name}`, () =>
      run(work, [
        process.execPath,
        join(tools, 'publint/src/cli.js'),
        'run',
        file,
        '--strict',
      ]).then(() => ''),
    )
  }
  await check('attw --profile esm-only', () =>
    run(work, [
      process.execPath,
      join(tools, '@arethetypeswrong/cli/dist/index.js'),
      library.file,
      ...['--profile', 'esm-only'],
    ]).then(() => ''),
  )

  await check('JSR: deno publish --dry-run', () =>
    run(root, [...deno, 'publish', '--dry-run', '--allow-dirty', '--token', 'none'], {
      DENO_DIR: join(work, 'deno-publish'),
    }).then(() => ''),
  )

  const plain = project('library')
  await check('npm install dawnrank', async () => {
    await run(plain, [...install, 'dawnrank'], registry.env)
    return `node_modules ${megabytes(sizeOf(join(plain, 'node_modules')))}`
  })
  for (const version of ['5.8', '7']) {
    for (const resolution of ['NodeNext', 'Bundler']) {
      await check(`types with TypeScript ${version}, ${resolution}`, () => {
        copyFileSync(join(here, 'consumer.ts'), join(plain, 'consumer.ts'))
        const module = resolution === 'NodeNext' ? resolution : 'ESNext'
        const options = {
          ...{ target: 'ES2022', module, moduleResolution: resolution },
          ...{ strict: true, skipLibCheck: false, noEmit: true, types: [] },
        }
        const config = { compilerOptions: options, files: ['consumer.ts'] }
        writeFileSync(join(plain, 'tsconfig.json'), JSON.stringify(config))
        return run(plain, [process.execPath, join(tools, `typescript-${version}`, 'bin', 'tsc')])
      })
    }
  }
  await check('without weights load() says what to install', async () => {
    const code =
      "import('dawnrank').then((it) => it.Reranker.load()).catch((e) => console.log(e.message))"
    const said = await run(plain, [process.execPath, '--eval', code])
    if (!said.includes('npm install @dawnrank/xlm-roberta-6x384')) throw new Error(said)
  })
  await check('npm install @dawnrank/xlm-roberta-6x384', () =>
    run(plain, [...install, '@dawnrank/xlm-roberta-6x384'], registry.env).then(() => ''),
  )
  for (const version of ['node-20', 'node-22', 'node-24']) {
    if (!existsSync(program(version))) continue
    await check(`the README's example, ${version}`, () => runExample(plain, [program(version)]))
  }
  await check("Bun: bun add, the README's example", async () => {
    const folder = project('bun')
    await run(folder, [bun, 'add', 'dawnrank', '@dawnrank/xlm-roberta-6x384'], registry.env)
    return runExample(folder, [bun])
  })
  await check("Deno: deno add, the README's example", async () => {
    const folder = project('deno')
    const names = ['npm:dawnrank', 'npm:@dawnrank/xlm-roberta-6x384']
    await run(folder, [...deno, 'add', ...names], registry.env)
    return runExample(folder, [...deno, 'run', '--allow-all'])
  })

  const command = project('cli')
  await check('npm install @dawnrank/cli', async () => {
    await run(command, [...install, '@dawnrank/cli'], registry.env)
    const all = sizeOf(join(command, 'node_modules'))
    const models = sizeOf(join(command, 'node_modules', '@dawnrank', 'xlm-roberta-6x384'))
    return `node_modules ${megabytes(all)}, of which the model ${megabytes(models)}`
  })
  await check('npx dawnrank, offline', async () => {
    const args = [
      'exec',
      '--offline',
      '--',
      'dawnrank',
      'rerank',
      'What is panda?',
      'hi',
      'The panda is a bear.',
    ]
    const [first = ''] = (await run(command, npmCommand(...args), offline)).split('\n')
    if (JSON.parse(first).index !== 1) throw new Error(first)
    return first
  })
  await check('bill of materials', async () => {
    const counts = []
    for (const [name, folder] of Object.entries({ dawnrank: plain, cli: command })) {
      const text = await run(folder, npmCommand('sbom', '--sbom-format=cyclonedx'))
      writeFileSync(join(out, `${name}.cdx.json`), text)
      counts.push(`${name} ${JSON.parse(text).components.length} components`)
    }
    return counts.join(', ')
  })
} finally {
  await registry.close()
  rmSync(work, { recursive: true, force: true })
}
console.log(failures === 0 ? '\nall checks passed' : `\n${failures} checks failed`)
process.exitCode = failures === 0 ? 0 : 1
