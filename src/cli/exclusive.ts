import { type Io, write } from './io.ts'
import { checkOutput } from './output.ts'

/** Works while no other process does so with this path; says so where it has to wait for one. */
export async function exclusively<T>(
  path: string,
  { stderr, signal }: Pick<Io, 'stderr' | 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  const { withLock } = await import('#hub')
  const lock = `${path}.lock`
  await checkOutput(lock)
  let told = false
  const tell = async () => {
    if (!told) await write(stderr, `${path}: another process writes it; waiting until it is done\n`)
    told = true
  }
  return withLock(lock, signal, tell, work)
}
