// @ts-check
// Looks for a WebGPU adapter in a child process, because a driver may crash.
import { spawnSync } from 'node:child_process'
import { childEnvironment } from './run.mjs'

const probeCode = `
import { create } from 'webgpu'
globalThis.gpu = create([])
const adapter = await globalThis.gpu.requestAdapter()
if (!adapter) process.exit(2)
const device = await adapter.requestDevice()
process.stdout.write(adapter.info.description || adapter.info.device || adapter.info.vendor)
device.destroy()
process.exit(0)
`

/**
 * Asks npm "webgpu" (Dawn) for an adapter and a device.
 * @param {string} root the repository, whose node_modules has the package
 * @returns {{ found: true, name: string } | { found: false, reason: string }}
 */
export function probeAdapter(root) {
  const { status, signal, error, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', probeCode],
    {
      cwd: root,
      env: childEnvironment(),
      encoding: 'utf8',
      timeout: 60_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  if (status === 0) return { found: true, name: stdout.trim() }
  if (status === 2) return { found: false, reason: 'Dawn offers none' }
  const timedOut = error && 'code' in error && error.code === 'ETIMEDOUT'
  if (timedOut) return { found: false, reason: 'the driver did not answer within 60 s' }
  if (signal) return { found: false, reason: `the driver crashed with ${signal}` }
  const line = stderr.split('\n').find((text) => /error/i.test(text)) ?? stderr.trim()
  return { found: false, reason: line.trim() || `the probe ended with ${status}` }
}
