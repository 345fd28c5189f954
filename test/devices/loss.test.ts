import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fixtureFolder } from '../fixtures.ts'

// A copy of dist/ whose worker threads destroy their device under load.

const root = fileURLToPath(new URL('../..', import.meta.url))
const copy = mkdtempSync(join(tmpdir(), 'dawnrank-loss-'))
afterAll(() => rmSync(copy, { recursive: true }))

/** Destroys the devices of the first threads, one after the other, as they have so much work behind them. */
const destroyer = `
import { threadId } from 'node:worker_threads'
import { globals } from 'webgpu'
const { requestDevice } = globals.GPUAdapter.prototype
globals.GPUAdapter.prototype.requestDevice = async function (...given) {
  const device = await requestDevice.apply(this, given)
  const { queue } = device
  const submit = queue.submit.bind(queue)
  let left = threadId <= Number(process.env.LOSE) ? 20 * threadId : Infinity
  queue.submit = (...work) => {
    submit(...work)
    if (--left !== 0) return
    device.destroy()
    console.error('destroyed')
  }
  return device
}
`

const load = `
import { openDevices } from './dist/devices.js'
const pairs = Array.from({ length: 40 }, (_, i) => ['what is panda?', 'a giant panda '.repeat(1 + (i % 9))])
const two = await openDevices(${JSON.stringify(fixtureFolder('xlm-roberta-514'))}, { devices: 2 })
const expected = JSON.stringify(await two.computeScore(pairs))
const counts = { same: 0, other: 0, failed: [] }
const end = performance.now() + 3000
const call = async () => {
  while (performance.now() < end) {
    await two.computeScore(pairs).then(
      (scores) => counts[JSON.stringify(scores) === expected ? 'same' : 'other']++,
      (error) => counts.failed.push(error.code),
    )
  }
}
await Promise.all([call(), call(), call(), call()])
await two.computeScore(pairs)
console.log(JSON.stringify({ ...counts, open: two.info.devices.open.length }))
await two.dispose()
`

beforeAll(() => {
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  writeFileSync(join(copy, 'destroyer.js'), destroyer)
  writeFileSync(join(copy, 'load.mjs'), load)
  const worker = join(copy, 'dist', 'device-worker.js')
  writeFileSync(worker, `import '../destroyer.js'\n${readFileSync(worker, 'utf8')}`)
})

test.each([
  ['one of two devices', 1],
  ['both devices', 2],
])(
  '%s destroyed under load: no call fails, the scores stay, the device is opened again',
  (_, lose) => {
    const ended = spawnSync(process.execPath, [join(copy, 'load.mjs')], {
      env: { ...process.env, LOSE: String(lose) },
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(ended).toMatchObject({ status: 0, signal: null })
    expect(ended.stderr.match(/destroyed/g)).toHaveLength(lose)
    const { same, other, failed, open } = JSON.parse(ended.stdout)
    expect({ other, failed }).toEqual({ other: 0, failed: [] })
    expect(same).toBeGreaterThan(0)
    expect(open).toBeGreaterThanOrEqual(1)
  },
)
