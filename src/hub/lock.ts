/**
 * A lock between processes: a file with its holder's name, touched while it is held. It ends with its holder: at once where
 * that was a process of this machine, after a minute without a touch otherwise. Node has no `flock`, which Python's locks are.
 */
import { randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { pause } from './http.ts'

const touchMs = 5_000
const staleMs = 60_000
const pollMs = 100

interface Holder {
  readonly machine: string
  readonly pid: number
  readonly token: string
}

/** Where process ids mean the same: the machine, and inside of it the container. */
const machine = (): string => {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

/**
 * Works while it holds a lock, and waits for that before.
 *
 * @param onWait is called now and then while another holds it
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  onWait: () => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  const holder: Holder = { machine: machine(), pid: process.pid, token: randomUUID() }
  await mkdir(dirname(path), { recursive: true })
  while (!(await acquire(path, holder))) {
    await onWait()
    await pause(pollMs, signal)
  }
  const touch = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, touchMs)
  touch.unref()
  try {
    return await work()
  } finally {
    clearInterval(touch)
    // Another took it over where this process stood still for too long.
    if ((await readHolder(path))?.token === holder.token) await rm(path, { force: true })
  }
}

async function acquire(path: string, holder: Holder): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile(JSON.stringify(holder)).finally(() => file.close())
    } catch (fault) {
      await rm(path, { force: true })
      throw fault
    }
    return true
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault
  }
  const other = await readHolder(path)
  if (!(await isStale(path, other, holder.machine))) return false
  // Of several that find it stale, one moves it away; who moved a new one instead puts that back.
  const aside = `${path}.${holder.token}`
  const moved = await rename(path, aside).then(
    () => readHolder(aside),
    () => undefined,
  )
  if (moved && moved.token !== other?.token) await rename(aside, path)
  else await rm(aside, { force: true })
  return moved ? acquire(path, holder) : false
}

const readHolder = (path: string): Promise<Holder | undefined> =>
  readFile(path, 'utf8')
    .then((text) => JSON.parse(text) as Holder)
    .catch(() => undefined)

async function isStale(path: string, other: Holder | undefined, own: string): Promise<boolean> {
  if (other?.machine === own && !isAlive(other.pid)) return true
  const info = await stat(path).catch(() => undefined)
  return info !== undefined && Date.now() - info.mtimeMs > staleMs
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EPERM'
  }
}
