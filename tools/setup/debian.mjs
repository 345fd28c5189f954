// @ts-check
// Installs system packages on Debian and its kin. Addresses come from the machine's own apt sources.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, SetupError } from './run.mjs'

/** The Vulkan loader and Mesa's drivers, lavapipe among them. */
const vulkanPackages = ['mesa-vulkan-drivers', 'libvulkan1']

/**
 * Releases whose own Mesa is too old for Dawn, and the suite that has a newer one.
 * @type {Record<string, string>}
 */
const newerMesa = { bookworm: 'bookworm-backports' }

/** Where the added suite is written down. */
const addedSource = '/etc/apt/sources.list.d/dawnrank-backports.sources'

/**
 * @typedef {object} System
 * @property {string} platform Node's name of the platform
 * @property {string} id the distribution, such as `debian`
 * @property {string} name for people, such as `Debian GNU/Linux 12 (bookworm)`
 * @property {string} codename of the release, such as `bookworm`
 * @property {boolean} apt whether packages come by apt-get
 * @property {boolean} root whether we may install
 */

/**
 * What machine this is.
 * @returns {System}
 */
export function readSystem() {
  const file = '/etc/os-release'
  const fields = Object.fromEntries(
    (existsSync(file) ? readFileSync(file, 'utf8') : '')
      .split('\n')
      .map((line) => /^(\w+)=(?:"(.*)"|(.*))$/.exec(line))
      .filter((match) => match !== null)
      .map(([, key, quoted, bare]) => [key, quoted ?? bare]),
  )
  return {
    platform: process.platform,
    id: fields.ID ?? '',
    name: fields.PRETTY_NAME ?? process.platform,
    codename: fields.VERSION_CODENAME ?? '',
    apt: existsSync('/usr/bin/apt-get') && existsSync('/etc/debian_version'),
    root: process.getuid?.() === 0,
  }
}

/**
 * Whether {@link installPackages} can work here.
 * @param {System} system
 */
export const canInstall = (system) => system.apt && system.root

/**
 * @typedef {object} Plan
 * @property {readonly string[]} packages
 * @property {string} [suite] the suite to take them from, where it is not the release's own
 * @property {string} [codename] the release whose apt source the suite is added beside
 */

/**
 * How the software adapter is installed on this release; `command` says it for people.
 * @param {System} system
 * @returns {Plan & { command: string }}
 */
export function vulkanPlan({ codename }) {
  const suite = newerMesa[codename]
  const packages = vulkanPackages
  if (!suite) return { packages, command: `apt-get install ${packages.join(' ')}` }
  return {
    packages,
    suite,
    codename,
    command: `apt-get install -t ${suite} ${packages.join(' ')}`,
  }
}

/**
 * Installs packages, adding the plan's suite to the apt sources where it is not among them.
 * @param {Plan} plan
 */
export function installPackages({ packages, suite, codename }) {
  if (suite && codename && addSuite(suite, codename)) {
    try {
      aptGet('update')
    } catch (error) {
      rmSync(addedSource)
      throw error
    }
  } else {
    aptGet('update')
  }
  const target = suite ? ['-t', suite] : []
  aptGet('install', '-y', '--no-install-recommends', ...target, ...packages)
}

/** @param {...string} args */
function aptGet(...args) {
  run('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  })
}

/**
 * Writes a source for the suite; false where one is there already.
 * @param {string} suite
 * @param {string} codename
 */
function addSuite(suite, codename) {
  const sources = readSources()
  if (sources.some((source) => source.suites.includes(suite))) return false
  const base = sources.find(
    (source) => source.suites.includes(codename) && source.components.includes('main'),
  )
  if (!base) {
    throw new SetupError(
      `The apt sources name no suite "${codename}" with component "main", beside which "${suite}" could be added.\n` +
        `Add "${suite} main" to the apt sources by hand and run the command again.`,
    )
  }
  writeFileSync(addedSource, sourceText(base, suite))
  return true
}

/**
 * @typedef {object} Source one entry of apt's sources
 * @property {string} uris as written
 * @property {string[]} suites
 * @property {string[]} components
 * @property {Record<string, string>} options deb822 fields that say how the source is trusted and reached
 */

/**
 * Options of one-line entries and the deb822 fields that mean the same.
 * @type {Record<string, string>}
 */
const aptOptions = { 'signed-by': 'Signed-By', arch: 'Architectures', trusted: 'Trusted' }

/**
 * All binary sources of this machine.
 * @param {string} [folder] apt's settings
 * @returns {Source[]}
 */
export function readSources(folder = '/etc/apt') {
  const parts = join(folder, 'sources.list.d')
  const files = [
    join(folder, 'sources.list'),
    ...(existsSync(parts)
      ? readdirSync(parts)
          .sort()
          .map((name) => join(parts, name))
      : []),
  ].filter((file) => /\.(list|sources)$/.test(file) && existsSync(file))
  return files.flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    return file.endsWith('.list') ? parseOneLine(text) : parseDeb822(text)
  })
}

/**
 * Reads the one-line form: `deb [signed-by=/key arch=amd64] URI suite component …`.
 * @param {string} text
 * @returns {Source[]}
 */
export function parseOneLine(text) {
  const sources = []
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line)
    if (!match) continue
    const [, optionText = '', uris = '', suite = '', components = ''] = match
    /** @type {Record<string, string>} */
    const options = {}
    for (const [, key = '', value = ''] of optionText.matchAll(/([\w-]+)=(\S+)/g)) {
      const field = aptOptions[key]
      if (field) options[field] = value.replaceAll(',', ' ')
    }
    sources.push({ uris, suites: [suite], components: words(components), options })
  }
  return sources
}

/**
 * Reads the deb822 form: stanzas of `Field: value`, further lines of a value indented.
 * @param {string} text
 * @returns {Source[]}
 */
export function parseDeb822(text) {
  const sources = []
  for (const stanza of text.split(/\n\s*\n/)) {
    /** @type {Record<string, string>} */
    const fields = {}
    let last = ''
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue
      const field = /^([\w-]+):\s*(.*)$/.exec(line)
      if (field) {
        last = (field[1] ?? '').toLowerCase()
        fields[last] = (field[2] ?? '').trimEnd()
      } else if (last && /^\s/.test(line)) {
        fields[last] += `\n${line.trimEnd()}`
      }
    }
    if (!words(fields.types).includes('deb') || fields.enabled === 'no') continue
    /** @type {Record<string, string>} */
    const options = {}
    for (const field of Object.values(aptOptions)) {
      const value = fields[field.toLowerCase()]
      if (value) options[field] = value
    }
    sources.push({
      uris: words(fields.uris).join(' '),
      suites: words(fields.suites),
      components: words(fields.components),
      options,
    })
  }
  return sources
}

/** @param {string} [text] */
const words = (text) => (text ?? '').split(/\s+/).filter(Boolean)

/**
 * A deb822 entry for another suite at the same address, trusted in the same way.
 * @param {Source} base
 * @param {string} suite
 */
export function sourceText({ uris, options }, suite) {
  const fields = { Types: 'deb', URIs: uris, Suites: suite, Components: 'main', ...options }
  const lines = Object.entries(fields).map(([key, value]) => `${key}: ${value}`)
  return `${lines.join('\n')}\n`
}
