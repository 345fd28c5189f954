/** The Hugging Face cache on the disk, as huggingface_hub lays it out: blobs, refs, snapshots. */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { environment } from '#platform'
import { HubError } from './errors.ts'
import { isCommit } from './names.ts'
import type { Snapshot } from './needed.ts'
import { firstSet, isTrue } from './settings.ts'
import type { HubFile } from './types.ts'

/** `~` is the home folder, as in Python. */
const expanded = (path: string) => path.replace(/^~(?=$|[/\\])/, homedir())

/** The folder of Hugging Face's files: HF_HOME, or `huggingface` in the user's cache. */
const home = (): string =>
  expanded(
    firstSet('HF_HOME') ?? join(firstSet('XDG_CACHE_HOME') ?? join('~', '.cache'), 'huggingface'),
  )

/** The folder of the cache. */
export const cacheRoot = (): string =>
  expanded(firstSet('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? join(home(), 'hub'))

/** The token of the environment, or of the file that `hf auth login` writes. */
export async function readToken(): Promise<string | undefined> {
  const token = firstSet('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN')?.trim()
  if (token) return token
  const path = expanded(environment('HF_TOKEN_PATH') || join(home(), 'token'))
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.trim() || undefined
}

/** What begins the name of a model's folder. */
export const modelPrefix = 'models--'

/** The folder of a model in the cache, which need not exist. */
export class ModelCache {
  readonly name: string
  readonly root: string
  readonly folder: string
  readonly locks: string

  constructor(name: string, root = cacheRoot()) {
    this.name = name
    this.root = root
    const own = modelPrefix + name.replaceAll('/', '--')
    this.folder = join(root, own)
    this.locks = join(root, '.locks', own)
  }

  blob = (etag: string): string => join(this.folder, 'blobs', etag)

  /** Where a download goes until it is whole: one name for every process, so that another may resume it. */
  partial = (etag: string): string => join(this.folder, 'blobs', `${etag}.dawnrank.incomplete`)

  lock = (etag: string): string => join(this.locks, `${etag}.dawnrank.lock`)

  snapshot = (commit: string): string => join(this.folder, 'snapshots', commit)

  pointer = (commit: string, path: string): string => join(this.snapshot(commit), path)

  /** Where Python keeps the list of a commit's files. */
  treeFile = (commit: string): string => join(this.folder, 'trees', `${commit}.json`)

  #absence = (commit: string, path: string): string => join(this.folder, '.no_exist', commit, path)

  /** The commit that a branch or tag had when it was last looked up. */
  async ref(revision: string): Promise<string | undefined> {
    const text = await readFile(join(this.folder, 'refs', revision), 'utf8').catch(() => '')
    return isCommit(text.trim()) ? text.trim() : undefined
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.ref(revision)) === commit) return
    await writeWhole(join(this.folder, 'refs', revision), commit)
  }

  /** Notes that a commit does not have a file. */
  async writeAbsence(commit: string, path: string): Promise<void> {
    const file = this.#absence(commit, path)
    if (await isFile(file)) return
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, '')
  }

  /** What is known about a commit. */
  about(commit: string): Snapshot {
    let tree: ReturnType<ModelCache['tree']> | undefined
    return {
      has: (path) => isFile(this.pointer(commit, path)),
      lacks: async (path) => {
        if (await isFile(this.#absence(commit, path))) return true
        tree ??= this.tree(commit)
        return (await tree)?.has(path) === false
      },
      read: (path) => readFile(this.pointer(commit, path), 'utf8'),
    }
  }

  /** The hashes of a commit's files by path, where Python has kept the list. */
  async tree(commit: string): Promise<ReadonlyMap<string, string> | undefined> {
    try {
      const { format_version, files } = JSON.parse(await readFile(this.treeFile(commit), 'utf8'))
      if (format_version !== 1) return undefined
      const entries: [string, { blob_id: string; lfs_sha256?: string }][] = Object.entries(files)
      return new Map(entries.map(([path, file]) => [path, file.lfs_sha256 ?? file.blob_id]))
    } catch {
      return undefined
    }
  }

  /**
   * Makes a file part of a snapshot; its blob is whole.
   *
   * @param isNew whether no other snapshot can have the blob yet
   */
  async link(commit: string, { path, etag }: HubFile, isNew: boolean): Promise<void> {
    const pointer = this.pointer(commit, path)
    const blob = this.blob(etag)
    await mkdir(dirname(pointer), { recursive: true })
    const next = `${pointer}.${randomUUID().slice(0, 8)}.tmp`
    if (!isTrue('HF_HUB_DISABLE_SYMLINKS')) {
      try {
        await symlink(relative(dirname(pointer), blob), next)
        return await rename(next, pointer)
      } catch (fault) {
        await rm(next, { force: true })
        if (!noLinks.includes((fault as NodeJS.ErrnoException).code ?? '')) throw fault
      }
    }
    // As Python does where there are no links: the snapshot has the file itself.
    if (isNew) return rename(blob, pointer)
    try {
      await copyFile(blob, next)
      await rename(next, pointer)
    } catch (fault) {
      await rm(next, { force: true })
      throw fault
    }
  }
}

/** What systems and file systems without symbolic links answer. */
const noLinks: readonly string[] = ['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'UNKNOWN']

/** The size of a file, or of the one that a link leads to; `undefined` where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const info = await stat(path).catch(() => undefined)
  return info?.isFile() ? info.size : undefined
}

const isFile = async (path: string): Promise<boolean> => (await sizeOf(path)) !== undefined

/** Writes a small file, which is seen as a whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const next = `${path}.${randomUUID().slice(0, 8)}.tmp`
  await writeFile(next, text)
  await rename(next, path)
}

/** A fault of the disk in words. */
export function diskFault(root: string, fault: unknown): unknown {
  const { code } = Object(fault) as NodeJS.ErrnoException
  if (!code || !/^E[A-Z]+$/.test(code) || fault instanceof HubError) return fault
  return new HubError(
    'cache-unwritable',
    `${root}: the cache cannot be written (${code}); set HF_HUB_CACHE or HF_HOME to a folder that can`,
    { cause: fault },
  )
}
