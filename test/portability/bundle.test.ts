import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { expectFreshBuild, root } from './cases.ts'

// The files of the browser's bundle; chromium.test.ts adds up what a load fetches.

const dist = join(root, 'dist')
const read = (file: string) => readFileSync(join(dist, file), 'utf8')
const importsOf = (file: string) =>
  Array.from(
    read(file).matchAll(/(?:from|import)\s*\(?["'`]\.\/([^"'`]+)["'`]/g),
    ([, name = '']) => name,
  )
const staticImportsOf = (file: string) =>
  Array.from(read(file).matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g), ([, name = '']) => name)

test('the files import each other alone, and those that are there', () => {
  expectFreshBuild()
  const files = readdirSync(dist).filter((name) => /^browser.*\.js$/.test(name))
  expect(files.length).toBeGreaterThan(20)
  for (const file of files) for (const name of importsOf(file)) expect(files, file).toContain(name)
})

test('the entry and what an XLM-RoBERTa loads are less than 95 kB, gzipped', () => {
  const family = readdirSync(dist).filter((name) => /^browser-xlm-roberta-.*\.js$/.test(name))
  expect(family).toHaveLength(1)
  const files = new Set(['browser.js', ...family])
  for (const file of files) for (const name of staticImportsOf(file)) files.add(name)
  const bytes = [...files].map((file) => gzipSync(read(file)).length)
  expect(bytes.reduce((sum, size) => sum + size)).toBeLessThan(95_000)
})
