// @ts-check
// Completes package-lock.json with the optional packages of other platforms.
//
// npm leaves an optional package out of the lock when the registry it asked does not carry it (some mirrors
// lack other platforms' binaries). `npm ci` then calls the lock out of sync, and npm on that other platform
// never installs the package. Versions are those that the depending package pins. Run after `npm install`.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const lockFile = new URL('../package-lock.json', import.meta.url)

/**
 * Optional packages that the lock names but has no entry for.
 * @param {{ packages: Record<string, { version?: string, optionalDependencies?: Record<string, string> }> }} lock
 */
export function missingFromLock(lock) {
  const missing = []
  for (const [by, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const nested = `${by}/node_modules/${name}`
      if (!(nested in lock.packages) && !(`node_modules/${name}` in lock.packages)) {
        missing.push({ name, version, by })
      }
    }
  }
  return missing
}

/**
 * What a platform package's name says of where it runs: `…-linux-arm64-musl`, `…/darwin-x64`.
 * @param {string} name
 */
function platformOf(name) {
  const match =
    /(?:^|[/-])(aix|android|darwin|freebsd|linux|openbsd|win32)-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(glibc|gnu|musl))?$/.exec(
      name,
    )
  if (!match)
    throw new Error(`${name}: its name does not tell a platform; add it to the lock by hand`)
  const [, os, cpu, libc] = match
  return { os: [os], cpu: [cpu], ...(libc && { libc: [libc === 'musl' ? 'musl' : 'glibc'] }) }
}

function main() {
  const lock = JSON.parse(readFileSync(lockFile, 'utf8'))
  const missing = missingFromLock(lock)
  for (const { name, version, by } of missing) {
    if (!/^\d+\.\d+\.\d+[\w.+-]*$/.test(version)) {
      throw new Error(
        `${by} asks for ${name} "${version}", which is a range; add it to the lock by hand`,
      )
    }
    const { os, cpu, libc } = platformOf(name)
    const dev = lock.packages[by].dev && { dev: true }
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu,
      ...dev,
      ...(libc && { libc }),
      optional: true,
      os,
    }
    console.log(`added ${name} ${version}`)
  }
  lock.packages = Object.fromEntries(
    Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
  )
  if (missing.length > 0) writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`)
  else console.log('package-lock.json is complete')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
