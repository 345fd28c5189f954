// @ts-check
// The licences of the packages whose code is in the bundles.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Writes LICENSES.txt with the licence of each bundled package.
 * @param {string} root the repository
 * @param {string} folder of the bundles
 * @param {readonly import('esbuild').Metafile[]} metafiles of the bundles in it
 */
export function writeNotices(root, folder, metafiles) {
  const inputs = metafiles.flatMap(({ inputs }) => Object.keys(inputs))
  const places = inputs.map((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0])
  const packages = [...new Set(places.filter((place) => place !== undefined))].sort()
  const texts = packages.map((place) => notice(join(root, place)))
  if (texts.length === 0) return
  writeFileSync(join(folder, 'LICENSES.txt'), texts.join(`\n${'-'.repeat(72)}\n\n`))
}

/** @param {string} folder of a package */
function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const more = join(folder, 'licenses')
  const files = [
    ...readdirSync(folder).filter((file) => /^(licen[cs]e|notice)(\.|$)/i.test(file)),
    ...(existsSync(more) ? readdirSync(more).map((file) => join('licenses', file)) : []),
  ]
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim())
  return [`${name} ${version}`, ...(texts.length > 0 ? texts : [license])].join('\n\n').concat('\n')
}
