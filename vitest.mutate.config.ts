import { defineConfig } from 'vitest/config'
import { rooms } from './tools/mutate/rooms.mjs'
import base from './vitest.config.ts'

// The tests that Stryker runs on each mutant. The base's --expose-gc is missing: worker threads, which Stryker uses, refuse it.

const room = rooms[process.env.DAWNRANK_MUTATE_ROOM ?? '']

export default defineConfig({
  plugins: base.plugins ?? [],
  test: { include: room?.tests ?? [], testTimeout: 20_000 },
})
