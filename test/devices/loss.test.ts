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

/** Destroys the device of a thread, whatever it does, when the main thread asks for it. */
const destroyer = `
import { threadId } from 'node:worker_threads'
import { globals } from 'webgpu'
const { requestDevice } = globals.GPUAdapter.prototype
globals.GPUAdapter.prototype.requestDevice = async function (...given) {
  const device = await requestDevice.apply(this, given)
  const channel = new BroadcastChannel('dawnrank-loss')
  channel.unref()
  channel.onmessage = ({ data }) => data.includes(threadId) && device.destroy()
  return device
}
`

const load = `
import { setImmediate } from 'node:timers/promises'
import { openDevices } from './dist/devices.js'
const pairs = Array.from({ length: 40 }, (_, i) => ['what is panda?', 'a giant panda '.repeat(1 + (i % 9))])
const two = await openDevices(${JSON.stringify(fixtureFolder('xlm-roberta-514'))}, { devices: 2 })
const expected = JSON.stringify(await two.computeScore(pairs))
const counts = { same: 0, other: 0, failed: [] }
const count = (scores) => counts[JSON.stringify(scores) === expected ? 'same' : 'other']++
const fail = (error) => counts.failed.push(error.code)
const channel = new BroadcastChannel('dawnrank-loss')
const running = []
let isOver = false
const loops = [0, 1, 2, 3].map(async (index) => {
  while (!isOver) {
    running[index] = two.computeScore(pairs).then(count, fail)
    await running[index]
  }
})
const lost = () => two.info.devices.lost
for (const threads of JSON.parse(process.env.LOSE)) {
  const before = counts.same
  while (counts.same < before + 8) await setImmediate()
  channel.postMessage(threads)
  while (lost() === 0) await setImmediate()
  await Promise.all(running)
  while (lost() > 0) await setImmediate()
}
isOver = true
await Promise.all(loops)
await two.computeScore(pairs)
channel.close()
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
  ['one of two devices', [[1]]],
  ['both devices, one after the other', [[1], [2]]],
  ['both devices at once', [[1, 2]]],
])(
  '%s destroyed under load: no call fails, the scores stay, the device is opened again',
  (_, lose) => {
    const ended = spawnSync(process.execPath, [join(copy, 'load.mjs')], {
      env: { ...process.env, LOSE: JSON.stringify(lose) },
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(ended).toMatchObject({ status: 0, signal: null })
    const { same, other, failed, open } = JSON.parse(ended.stdout)
    expect({ other, failed, open }).toEqual({ other: 0, failed: [], open: 2 })
    expect(same).toBeGreaterThan(0)
  },
)
