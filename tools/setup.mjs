// @ts-check
// Puts in place what `npm start` and `npm test` need, and says what it does:
// npm packages, a WebGPU adapter, with --browser a Chromium, with --redis a Redis, and the build in dist/.
// With --system nothing but what comes by the system's packages, for a run as root.
// Plain Node, no packages: it runs before there are any. Silent where nothing is missing.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { probeAdapter } from './setup/adapter.mjs'
import { chromiumVariable, findChromium } from './setup/chromium.mjs'
import { canInstall, installPackages, readSystem, vulkanPlan } from './setup/debian.mjs'
import { findRedis } from './setup/redis.mjs'
import { npm, run, SetupError } from './setup/run.mjs'
import { buildReason, packagesReason } from './setup/stale.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const wantsBrowser = process.argv.includes('--browser')
const wantsRedis = process.argv.includes('--redis')
const systemOnly = process.argv.includes('--system')

/** @param {string} text */
const say = (text) => console.log(`setup: ${text}`)

/**
 * Says what is about to be done, does it, says how long it took.
 * @param {string} what
 * @param {() => unknown} work
 */
function step(what, work) {
  process.stdout.write(`setup: ${what} … `)
  const start = performance.now()
  work()
  process.stdout.write(`done in ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  throw new SetupError(
    `Node ${process.versions.node} runs this; dawnrank needs Node 20.19 or later.\n` +
      'Install a newer Node (any 20.19+, 22 or 24 will do) and run the command again.',
  )
}

function ensurePackages() {
  const reason = packagesReason(root)
  if (!reason) return
  if (systemOnly) {
    throw new SetupError(
      `${reason}; with them the adapter is looked for. Run npm ci as yourself first, so that the\n` +
        'files are yours, then this command again.',
    )
  }
  step(`${reason}; installing the npm packages of package-lock.json (npm ci)`, () =>
    run(...npm('ci', '--include=dev', '--no-audit', '--no-fund'), { cwd: root }),
  )
}

function ensureAdapter() {
  const first = probeAdapter(root)
  if (first.found) return
  const system = readSystem()
  if (!canInstall(system)) throw new SetupError(noAdapter(first.reason, system))
  const plan = vulkanPlan(system)
  say(`no WebGPU adapter (${first.reason}). This is ${system.name} and you are root,`)
  say("so Mesa's software adapter lavapipe, which runs on the CPU, will be installed.")
  if (plan.suite) say(`${system.name} has one too old for WebGPU; it comes from ${plan.suite}.`)
  step(plan.command, () => installPackages(plan))
  const second = probeAdapter(root)
  if (!second.found) throw new SetupError(noAdapter(second.reason, system))
  say(`WebGPU adapter: ${second.name}`)
}

/**
 * What to do on a machine without an adapter.
 * @param {string} reason
 * @param {import('./setup/debian.mjs').System} system
 */
function noAdapter(reason, system) {
  const lines = [`No WebGPU adapter was found (${reason}).`]
  if (system.platform === 'darwin' || system.platform === 'win32') {
    const api = system.platform === 'darwin' ? 'Metal' : 'Direct3D 12'
    lines.push(
      `WebGPU runs on ${api} here. A virtual machine needs a graphics device that offers it.`,
    )
  } else if (system.apt) {
    lines.push(
      'Where there is a GPU, install its Vulkan driver. Where there is none, this installs',
      "Mesa's software adapter lavapipe, which runs on the CPU:",
      '  sudo node tools/setup.mjs --system',
      `It runs: ${vulkanPlan(system).command}`,
    )
  } else {
    lines.push(
      'Where there is a GPU, install its Vulkan driver. Where there is none, install the Vulkan',
      "loader and Mesa's software adapter lavapipe, version 23 or later. Fedora's packages are",
      "mesa-vulkan-drivers and vulkan-loader, Arch's vulkan-swrast and vulkan-icd-loader.",
    )
  }
  lines.push('Then run the command again.')
  return lines.join('\n')
}

function ensureChromium() {
  if (findChromium()) return
  const system = readSystem()
  if (!canInstall(system) || system.id !== 'debian') {
    throw new SetupError(
      'No Chromium was found; the browser tests need Chromium or Chrome.\n' +
        (system.id === 'debian'
          ? 'This installs it: sudo node tools/setup.mjs --system --browser\n'
          : `Install one, or set ${chromiumVariable} to its program file.\n`) +
        'Then run the command again.',
    )
  }
  say(`no Chromium, which the browser tests need. This is ${system.name} and you are root,`)
  say('so it will be installed.')
  step('apt-get install chromium', () => installPackages({ packages: ['chromium'] }))
  if (!findChromium()) throw new SetupError('Chromium was installed but its program is not found')
}

/** The tests of offline jobs are skipped where there is no Redis. */
function ensureRedis() {
  if (findRedis()) return
  const system = readSystem()
  if (!canInstall(system)) {
    say(
      'no redis-server: the tests of offline jobs will be skipped. Debian has it as redis-server.',
    )
    return
  }
  step('apt-get install redis-server, for the tests of offline jobs', () =>
    installPackages({ packages: ['redis-server'] }),
  )
}

function ensureBuild() {
  const reason = buildReason(root)
  if (!reason) return
  step(`${reason}; building dist/`, () =>
    run(process.execPath, [fileURLToPath(new URL('build.mjs', import.meta.url))], { cwd: root }),
  )
}

try {
  checkNode()
  if (!existsSync(`${root}/package-lock.json`)) throw new SetupError('package-lock.json is missing')
  ensurePackages()
  ensureAdapter()
  if (wantsBrowser) ensureChromium()
  if (wantsRedis) ensureRedis()
  if (!systemOnly) ensureBuild()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`\nsetup: ${error.message}\n`)
  process.exitCode = 1
}
