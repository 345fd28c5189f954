// @ts-check
import { rooms } from './tools/mutate/rooms.mjs'

// Mutation testing of one room: `npm run mutate -- ROOM`, which sets the variable.
const name = process.env.DAWNRANK_MUTATE_ROOM ?? ''

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [...(rooms[name]?.sources ?? [])],
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'vitest.mutate.config.ts', related: false },
  // Only tests that reach a mutant run on it.
  coverageAnalysis: 'perTest',
  // Mutants in constants of a module are reached by every test of the room, and took most of the time.
  ignoreStatic: true,
  concurrency: 1,
  // How long a mutant that loops without end runs: twice as long as the tests that reach it, and this.
  timeoutFactor: 2,
  timeoutMS: 3000,
  // What the sandbox's copy leaves out.
  ignorePatterns: ['dist', 'bench/out', 'reports', '/weights', 'test/portability'],
  tempDirName: '.stryker',
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: `reports/mutation-${name}.json` },
  // Nothing checks types here, and TypeScript 7 has no API by which Stryker rewrites tsconfig.json: it skips a file that is missing.
  disableTypeChecks: false,
  tsconfigFile: 'none',
}
