/** The hub's API: which commit a revision is, and which files a commit has. */
import { encodePath } from '../platform/http.ts'
import { HubError } from './errors.ts'
import { asFetch } from './http.ts'
import { isCommit, isHash, isPortablePath } from './names.ts'
import type { HubClient } from './settings.ts'
import type { HubFile } from './types.ts'

// A repository of more files is not one model, and a listing that never ends would never end.
const mostFiles = 100_000

/** Attempts to ask which commit a branch is, where the cache knows an earlier answer. */
const fewAttempts = 2

/** Faults of the hub with which a model is still used as the cache has it. */
const hubFaults: readonly string[] = [
  'unreachable',
  'rate-limited',
  'hub-failed',
  'repo-missing',
  'gated',
  'token-invalid',
]

/** The warning about the use of a cached commit in place of what the hub would say. Throws the fault unless it is one of the hub. */
export function cachedWarning(fault: unknown, commit: string, revision: string): string {
  if (!(fault instanceof HubError && hubFaults.includes(fault.code))) throw fault
  return `${fault.message}. The cached commit ${commit} of ${revision} is used`
}

/** Loaded when a model is first looked up: everything else starts without it. */
const library = () => import('./library.ts')

/**
 * The commit of a branch, a tag or a shortened commit; a whole commit is one without asking.
 *
 * @param isCached whether the cache has an answer as well
 */
export async function commitOf(
  client: HubClient,
  name: string,
  revision: string,
  isCached: boolean,
): Promise<string> {
  if (isCommit(revision)) return revision
  const { modelInfo } = await library()
  try {
    const { sha } = await modelInfo({
      name,
      revision,
      additionalFields: ['sha'],
      hubUrl: client.endpoint,
      fetch: asFetch(client, { name, revision }, isCached ? fewAttempts : undefined),
    })
    if (isCommit(sha)) return sha
    throw new HubError('hub-failed', `${name}: the hub gives no commit for ${revision}`)
  } catch (fault) {
    if (!(fault instanceof HubError) || fault.code !== 'revision-missing') throw fault
    throw new HubError('revision-missing', `${fault.message}${await others(client, name)}`)
  }
}

/** The branches and tags of a model, for a message; the page that lists them where the hub does not answer. */
async function others(client: HubClient, name: string): Promise<string> {
  try {
    const answer = await asFetch(client, { name }, 1)(`${client.endpoint}/api/models/${name}/refs`)
    const { branches = [], tags = [] } = (await answer.json()) as Record<string, { name: string }[]>
    const names = [...branches, ...tags].map((ref) => ref.name)
    return names.length > 0 ? `; there are ${names.slice(0, 10).join(', ')}` : ''
  } catch {
    client.signal?.throwIfAborted()
    return `; ${client.endpoint}/${name}/tree/main lists the branches and tags`
  }
}

/**
 * The files of a commit by path.
 *
 * @throws HubError `path-invalid` where a path leads out of the folder
 */
export async function filesOf(
  client: HubClient,
  name: string,
  commit: string,
): Promise<Map<string, HubFile>> {
  const { listFiles } = await library()
  const files = new Map<string, HubFile>()
  const listing = listFiles({
    repo: { type: 'model', name },
    revision: commit,
    recursive: true,
    hubUrl: client.endpoint,
    fetch: asFetch(client, { name, revision: commit }),
  })
  for await (const { type, path, size, oid, lfs } of listing) {
    if (type !== 'file') continue
    if (typeof path !== 'string' || !isPortablePath(path)) {
      throw new HubError(
        'path-invalid',
        `${name}: the hub lists ${JSON.stringify(path)}, which leads out of the model's folder; do not use this model`,
      )
    }
    const etag = lfs?.oid ?? oid
    const isListed = Number.isSafeInteger(size) && size >= 0 && isHash(etag ?? '')
    if (!isListed || files.size >= mostFiles) {
      throw new HubError('hub-failed', `${name}: the hub's list of files is malformed at ${path}`)
    }
    files.set(path, { path, size, etag: etag as string })
  }
  return files
}

/** The address of a file. */
export const addressOf = ({ endpoint }: HubClient, name: string, commit: string, path: string) =>
  `${endpoint}/${name}/resolve/${commit}/${encodePath(path)}`
