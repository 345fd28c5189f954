// @ts-check
// Mutation testing: changes the sources of a room one place at a time, and lists the changes that no test notices.
//   npm run mutate -- ROOM [options of `stryker run`, such as --mutate src/checkpoint/float.ts]
// Without a room, all of them. Not in CI: a room takes minutes.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { rooms } from './mutate/rooms.mjs'

const require = createRequire(import.meta.url)
const stryker = join(
  dirname(require.resolve('@stryker-mutator/core/package.json')),
  'bin/stryker.js',
)
const [asked, ...options] = process.argv.slice(2)
if (asked !== undefined && !(asked in rooms)) {
  console.error(`mutate: found the room ${asked}; expected one of ${Object.keys(rooms).join(', ')}`)
  process.exit(1)
}

let failed = false
for (const room of asked === undefined ? Object.keys(rooms) : [asked]) {
  console.log(`mutate: ${room}`)
  const { status } = spawnSync(process.execPath, [stryker, 'run', ...options], {
    stdio: 'inherit',
    env: { ...process.env, DAWNRANK_MUTATE_ROOM: room },
  })
  failed ||= status !== 0
}
process.exitCode = failed ? 1 : 0
