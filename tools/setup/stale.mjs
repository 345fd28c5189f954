// @ts-check
// Tells whether node_modules and dist/ are what package-lock.json and the sources ask for.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Why the npm packages have to be installed; undefined where all are in place.
 * npm writes node_modules/.package-lock.json last, with what it has installed.
 * @param {string} root the repository
 * @returns {string | undefined}
 */
export function packagesReason(root) {
  const installedFile = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedFile)) return 'no npm packages yet'
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages
  for (const [place, entry] of Object.entries(wanted)) {
    if (place === '') continue
    const name = place.split('node_modules/').at(-1)
    const found = installed[place]
    // An optional package is absent where it is for another platform.
    if (!found && entry.optional) continue
    if (!found || !existsSync(join(root, place))) return `npm package ${name} is missing`
    if (found.version !== entry.version) {
      return `npm package ${name} is ${found.version}, package-lock.json asks for ${entry.version}`
    }
  }
  return undefined
}

/** What the bundles are made of. */
const sources = [
  'src',
  'shaders',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.types.json',
  'cli/package.json',
  'tools/build.mjs',
  'tools/build',
]

/** What a build leaves. `.complete` is written last. */
export const buildStamp = 'dist/.complete'

/**
 * Why dist/ has to be built; undefined where it is newer than all sources.
 * @param {string} root the repository
 * @returns {string | undefined}
 */
export function buildReason(root) {
  const stamp = join(root, buildStamp)
  if (!existsSync(stamp)) return 'no build yet'
  const built = statSync(stamp).mtimeMs
  for (const source of sources) {
    const newer = newerThan(root, source, built)
    if (newer) return `${newer} changed since the last build`
  }
  return undefined
}

/**
 * The first file or folder changed after a time. A folder's own time changes when a file in it comes or goes.
 * @param {string} root
 * @param {string} path
 * @param {number} time
 * @returns {string | undefined}
 */
function newerThan(root, path, time) {
  const info = statSync(join(root, path))
  if (info.mtimeMs > time) return path
  if (!info.isDirectory()) return undefined
  for (const name of readdirSync(join(root, path))) {
    const newer = newerThan(root, `${path}/${name}`, time)
    if (newer) return newer
  }
  return undefined
}
