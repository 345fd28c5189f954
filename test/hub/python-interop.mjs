// @ts-check
// Checks that Python's huggingface_hub and dawnrank share a cache: each reads what the other wrote, offline, and completes it.
//   npm run check:hub      needs python3 with venv, and PyPI for huggingface_hub
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startHubMock } from './hub-mock.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const version = '2.4.0'
const work = mkdtempSync(join(tmpdir(), 'dawnrank-interop-'))
// Kept between runs.
const venv = process.env.DAWNRANK_HUB_VENV ?? join(tmpdir(), `dawnrank-huggingface-hub-${version}`)
const python = join(venv, 'bin', 'python')
const model = 'acme/tiny-reranker'
const hub = await startHubMock()
const commit = String(hub.repo(model)?.refs.get('main'))
let failed = 0

/** @param {string} name @param {boolean} isRight @param {unknown} [found] */
function check(name, isRight, found = '') {
  console.log(`${isRight ? 'ok   ' : 'WRONG'} ${name}${isRight ? '' : `: ${found}`}`)
  if (!isRight) failed++
}

/** @param {string} home @param {Record<string, string>} [more] */
const environment = (home, more = {}) => ({
  ...process.env,
  HF_HOME: home,
  HF_ENDPOINT: hub.url,
  HF_HUB_DISABLE_XET: '1',
  HF_HUB_DISABLE_PROGRESS_BARS: '1',
  ...more,
})

/** @param {string} file @param {string[]} args @param {NodeJS.ProcessEnv} env */
async function run(file, args, env) {
  try {
    const { stdout } = await promisify(execFile)(file, args, { cwd: root, env })
    return stdout.trim()
  } catch (fault) {
    const { stdout, stderr } = /** @type {{ stdout: string, stderr: string }} */ (fault)
    return `failed: ${stdout}${stderr}`
  }
}

/** @param {string} code @param {string} home @param {Record<string, string>} [more] */
const py = (code, home, more) => run(python, ['-c', code], environment(home, more))

/** @param {string[]} args @param {string} home @param {Record<string, string>} [more] */
const dawnrank = (args, home, more) =>
  run(process.execPath, ['cli/dist/cli.js', ...args], environment(home, more))

/** @param {string} home */
const snapshotIn = (home) => join(home, 'hub', 'models--acme--tiny-reranker', 'snapshots', commit)

const offline = { HF_HUB_OFFLINE: '1' }
/** @param {string} options */
const snapshot = (options = '') =>
  `from huggingface_hub import snapshot_download as s; print(s('${model}'${options}))`
const needed = ", allow_patterns=['config.json', 'tokenizer.json', 'model.safetensors']"

function setUp() {
  if (spawnSync(python, ['-c', 'import huggingface_hub']).status === 0) return
  for (const [file, args] of /** @type {[string, string[]][]} */ ([
    ['python3', ['-m', 'venv', venv]],
    [python, ['-m', 'pip', 'install', '-q', `huggingface_hub==${version}`]],
  ])) {
    const { status } = spawnSync(file, args, { stdio: 'inherit' })
    if (status !== 0) throw new Error(`${file} ${args.join(' ')} failed`)
  }
}

try {
  setUp()
  console.log(
    await py('import huggingface_hub; print("huggingface_hub", huggingface_hub.__version__)', work),
  )

  const ours = join(work, 'ours')
  const path = snapshotIn(ours)
  check('dawnrank pulls', (await dawnrank(['pull', model], ours)) === path)
  let found = await py(snapshot(needed), ours, offline)
  check("Python's snapshot_download reads our cache offline", found === path, found)
  found = await py(snapshot(`, local_files_only=True`), ours)
  check('so it does with local_files_only, without patterns', found === path, found)
  const file = `from huggingface_hub import hf_hub_download as d; print(d('${model}', 'model.safetensors'))`
  found = await py(file, ours, offline)
  check(
    "Python's hf_hub_download reads a file offline",
    found === join(path, 'model.safetensors'),
    found,
  )
  const absent = `from huggingface_hub import try_to_load_from_cache as t, _CACHED_NO_EXIST as n
print(t('${model}', 'spm.model') is n, t('${model}', 'model.safetensors'))`
  found = await py(absent, ours)
  check(
    'Python knows the files that the model does not have',
    found === `True ${path}/model.safetensors`,
    found,
  )
  const scan = `from huggingface_hub import scan_cache_dir as s; i = s()
print([(r.repo_id, r.nb_files, sorted(x.commit_hash for x in r.revisions), sorted(f for x in r.revisions for f in x.refs)) for r in i.repos], i.warnings)`
  found = await py(scan, ours)
  check(
    "Python's scan_cache_dir finds it sound",
    found === `[('${model}', 4, ['${commit}'], ['main'])] []`,
    found,
  )
  hub.reset()
  found = await py(snapshot(needed), ours)
  /** @type {{ on: string, method: string, path: string }[]} */
  const requests = hub.requests
  const bytes = requests.filter(({ on, method }) => on === 'cdn' && method === 'GET')
  check('Python online downloads nothing again', found === path && bytes.length === 0, found)
  found = await py(snapshot(), ours)
  check('Python completes our snapshot', found === path, found)
  found = await dawnrank(['cache', 'verify'], ours)
  check('the cache of both is right', found.endsWith('all are right'), found)

  const theirs = join(work, 'theirs')
  const theirPath = snapshotIn(theirs)
  check('Python downloads', (await py(snapshot(needed), theirs)) === theirPath)
  found = await dawnrank(['pull', model], theirs, offline)
  check('dawnrank reads the cache of Python offline', found === theirPath, found)
  hub.reset()
  found = await dawnrank(['pull', model], theirs)
  const fetched = requests.filter(({ path }) => path.includes('/resolve/'))
  check(
    'dawnrank fetches nothing but the card that Python left out',
    found === theirPath && fetched.every(({ path }) => path.endsWith('README.md')),
    JSON.stringify(fetched),
  )
  found = await dawnrank(['pull', model, '--revision', commit], theirs, {
    HF_ENDPOINT: 'http://127.0.0.1:9',
  })
  check('by its commit it needs no hub', found === theirPath, found)
  found = await dawnrank(['cache', 'verify'], theirs)
  check('dawnrank verifies it', found.endsWith('all are right'), found)

  const copies = join(work, 'copies')
  const noLinks = { HF_HUB_DISABLE_SYMLINKS: '1' }
  const copied = snapshotIn(copies)
  check(
    'without links dawnrank pulls',
    (await dawnrank(['pull', model], copies, noLinks)) === copied,
  )
  found = await py(snapshot(needed), copies, { ...offline, ...noLinks })
  check('and Python reads that', found === copied, found)

  // Both at once, as two programs that start together.
  const both = join(work, 'both')
  hub.set('slow=400000,match=model.safetensors')
  const ended = await Promise.all([py(snapshot(needed), both), dawnrank(['pull', model], both)])
  const bothPath = snapshotIn(both)
  check(
    'both at once get the same snapshot',
    ended.every((one) => one === bothPath),
    ended,
  )
  hub.set()
  found = await dawnrank(['cache', 'verify'], both)
  check('and it is right', found.endsWith('all are right'), found)

  const token = join(work, 'token')
  mkdirSync(token)
  writeFileSync(join(token, 'token'), 'hf_good\n')
  found = await dawnrank(['pull', 'acme/private-reranker'], token)
  check(
    'the token that "hf auth login" stores opens a private model',
    /snapshots/.test(found) && hub.leaks === 0,
    found,
  )
  found = await dawnrank(['cache', 'remove', '--yes'], ours)
  check('dawnrank removes what both wrote', found.includes('removed'), found)
  found = await py(scan, ours)
  check('and Python finds nothing there any more', found === '[] []', found)
} finally {
  await hub.close()
  rmSync(work, { recursive: true, force: true })
}
console.log(failed === 0 ? 'all checks passed' : `${failed} checks failed`)
process.exit(failed === 0 ? 0 : 1)
