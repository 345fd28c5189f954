import type { Command } from 'commander'
import type { ListedRevision, Verification } from '#hub'
import { CliError } from './errors.ts'
import { type Io, write } from './io.ts'
import { bytesProgress, noProgressOption, progressOn } from './progress.ts'
import { inMegabytes, table } from './table.ts'

const help = `
The cache is the one of Python's huggingface_hub: HF_HUB_CACHE, or hub/ in
HF_HOME, by default ~/.cache/huggingface/hub.
`

/** Adds `dawnrank cache` to the program. */
export function addCache(program: Command, io: Io): void {
  const cache = program
    .command('cache')
    .summary('list, verify or remove downloaded models')
    .description('Lists, verifies or removes the models of the Hugging Face cache.')
    .addHelpText('after', help)
  const json = ['--json', 'print JSON', false] as const
  cache
    .command('list')
    .description('Lists the models in the cache with their revisions and sizes.')
    .argument('[model]', 'name of a model (default: all)')
    .option('--revision <revision>', 'one branch, tag or commit')
    .option(...json)
    .action((model: string | undefined, options: ListOptions) => list(model, options, io))
  cache
    .command('verify')
    .description('Hashes every file again, and names corrupt files and broken links.')
    .argument('[model]', 'name of a model (default: all)')
    .option('--revision <revision>', 'one branch, tag or commit')
    .option(...json)
    .option(...noProgressOption)
    .addHelpText('after', '\nThe exit code is 1 if something is wrong.')
    .action((model: string | undefined, options: VerifyOptions) => verify(model, options, io))
  cache
    .command('remove')
    .description('Removes a model, or one revision of it. Files of other revisions stay.')
    .argument('[model]', 'name of the model (default: all, which needs --yes)')
    .option('--revision <revision>', 'one branch, tag or commit')
    .option('--yes', 'remove all models', false)
    .option(...json)
    .action((model: string | undefined, options: RemoveOptions) => remove(model, options, io))
}

interface ListOptions {
  revision?: string
  json: boolean
}

interface VerifyOptions extends ListOptions {
  progress: boolean
}

interface RemoveOptions extends ListOptions {
  yes: boolean
}

const library = () => import('#hub')

const withoutModel = () => new CliError('usage', '--revision needs the name of a model')

async function list(
  model: string | undefined,
  { revision, json }: ListOptions,
  { stdout }: Io,
): Promise<void> {
  const { listCache, cacheRoot } = await library()
  const rows = (await listCache(model)).filter(
    ({ commit, refs }) =>
      revision === undefined || refs.includes(revision) || commit.startsWith(revision),
  )
  if (json) await write(stdout, `${JSON.stringify(rows, null, 2)}\n`)
  else if (rows.length === 0) await write(stdout, `no models in ${cacheRoot()}\n`)
  else await write(stdout, table(['model', 'revision', 'refs', 'files', 'MB', 'path'], cells(rows)))
}

const cells = (rows: readonly ListedRevision[]): string[][] =>
  rows.map(({ name, commit, refs, files, bytes, path }) => [
    name,
    commit.slice(0, 12),
    refs.join(', '),
    String(files),
    inMegabytes(bytes),
    path,
  ])

async function verify(
  model: string | undefined,
  { revision, json, progress }: VerifyOptions,
  io: Io,
): Promise<void> {
  if (model === undefined && revision !== undefined) throw withoutModel()
  const { verifyCache } = await library()
  const bar = progressOn(io, progress)
  let found: Verification
  try {
    found = await verifyCache(model, {
      revision,
      signal: io.signal,
      onProgress: bytesProgress(bar, 'hashing'),
    })
  } finally {
    bar.stop()
  }
  await write(io.stdout, json ? `${JSON.stringify(found, null, 2)}\n` : verifyText(found))
  const { faults } = found
  if (faults.length === 0) return
  const [first] = new Set(faults.map(({ name }) => name))
  throw new CliError(
    'cache-damaged',
    `${faults.length} of the cache's files are damaged. Remove the model and download it again: dawnrank cache remove ${first} && dawnrank pull ${first}`,
  )
}

function verifyText({ checked, bytes, unchecked, faults }: Verification): string {
  const lines = faults.map(({ kind, path, message }) => `${kind}: ${path}: ${message}\n`)
  const rest = unchecked > 0 ? `; ${unchecked} without a known hash` : ''
  const sum = `${checked} files, ${inMegabytes(bytes)} MB checked${rest}`
  return `${lines.join('')}${sum}; ${faults.length === 0 ? 'all are right' : `${faults.length} damaged`}\n`
}

async function remove(
  model: string | undefined,
  { revision, json, yes }: RemoveOptions,
  { stdout }: Io,
): Promise<void> {
  const { listCache, removeFromCache } = await library()
  if (model === undefined && revision !== undefined) throw withoutModel()
  if (model === undefined && !yes) {
    throw new CliError('usage', 'expected the name of a model, or --yes to remove all models')
  }
  const names = model === undefined ? (await listCache()).map(({ name }) => name) : [model]
  const removed = []
  for (const name of new Set(names)) removed.push(await removeFromCache(name, revision))
  if (json) return write(stdout, `${JSON.stringify(removed, null, 2)}\n`)
  for (const { name, commits, bytes } of removed) {
    const what = commits.map((commit) => commit.slice(0, 12)).join(', ') || 'no revision'
    await write(stdout, `${name}: removed ${what}, ${inMegabytes(bytes)} MB freed\n`)
  }
}
