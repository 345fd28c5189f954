import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { DawnrankError } from '../../src/error.ts'
import { expectFreshBuild, root } from './cases.ts'

// What is said of dist/browser.js; chromium.test.ts adds up what a load fetches.

const dist = join(root, 'dist')

test('the files of the browser are there, and import each other alone', () => {
  expectFreshBuild()
  const files = readdirSync(dist).filter((name) => /^browser.*\.js$/.test(name))
  for (const file of files) {
    const code = readFileSync(join(dist, file), 'utf8')
    for (const [, name] of code.matchAll(/(?:from|import\()\s*"(\.\/[^"]+)"/g)) {
      expect(files, file).toContain(name?.slice(2))
    }
  }
  expect(gzipSync(readFileSync(join(dist, 'browser.js'))).length).toBeLessThan(1000)
})

test('errors keep their names where the code is minified', async () => {
  const library: Record<string, unknown> = await import(join(dist, 'browser.js'))
  const names = Object.keys(library).filter((name) => name.endsWith('Error'))
  expect(names.length).toBeGreaterThan(8)
  for (const name of names) {
    const Fault = library[name] as typeof DawnrankError
    expect(new Fault('code', 'message').name).toBe(name)
  }
  // Those of users have the names of their own classes.
  class OwnError extends DawnrankError {}
  expect(new OwnError('code', 'message').name).toBe('OwnError')
})
