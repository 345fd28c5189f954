import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { missingFromLock } from '../../tools/complete-lock.mjs'
import { buildReason, buildStamp, packagesReason } from '../../tools/setup/stale.mjs'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dawnrank-stale-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const put = (path: string, text = '') => {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), text)
}

describe('npm packages', () => {
  const lock = (packages: object) => JSON.stringify({ packages })
  const wanted = {
    '': { version: '0.1.0' },
    'node_modules/a': { version: '1.0.0' },
    'node_modules/@s/elsewhere': { version: '1.0.0', optional: true },
  }

  test('are missing, in place, outdated, or half gone', () => {
    put('package-lock.json', lock(wanted))
    expect(packagesReason(root)).toBe('no npm packages yet')

    put('node_modules/a/package.json', '{}')
    put('node_modules/.package-lock.json', lock({ 'node_modules/a': { version: '1.0.0' } }))
    expect(packagesReason(root)).toBeUndefined()

    put('package-lock.json', lock({ ...wanted, 'node_modules/a': { version: '1.1.0' } }))
    expect(packagesReason(root)).toBe('npm package a is 1.0.0, package-lock.json asks for 1.1.0')

    put('package-lock.json', lock({ ...wanted, 'node_modules/@s/b': { version: '2.0.0' } }))
    expect(packagesReason(root)).toBe('npm package @s/b is missing')

    put('package-lock.json', lock(wanted))
    rmSync(join(root, 'node_modules', 'a'), { recursive: true })
    expect(packagesReason(root)).toBe('npm package a is missing')
  })
})

describe('the build', () => {
  const sources = [
    'src/index.ts',
    'src/gpu/device.ts',
    'shaders/a.wgsl',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.types.json',
    'cli/package.json',
    'tools/build.mjs',
    'tools/build/types.mjs',
    'tools/build/adapters.mjs',
  ]
  const age = (path: string, seconds: number) => utimesSync(join(root, path), seconds, seconds)

  beforeEach(() => {
    for (const file of sources) put(file)
    const folders = ['src', 'src/gpu', 'shaders', 'tools/build']
    for (const path of [...sources, ...folders]) age(path, 1000)
    put(buildStamp)
    age(buildStamp, 2000)
  })

  test('is missing or newer than all sources', () => {
    expect(buildReason(root)).toBeUndefined()
    rmSync(join(root, buildStamp))
    expect(buildReason(root)).toBe('no build yet')
  })

  test.each(sources)('is older than %s', (file) => {
    age(file, 3000)
    expect(buildReason(root)).toBe(`${file} changed since the last build`)
  })

  test('is older than a folder from which a file has gone', () => {
    rmSync(join(root, 'src/gpu/device.ts'))
    expect(buildReason(root)).toBe('src/gpu changed since the last build')
  })
})

describe('package-lock.json', () => {
  test('a platform package that is named but has no entry is told', () => {
    const packages = {
      'node_modules/a': {
        optionalDependencies: { 'a-linux-x64': '1.0.0', 'a-darwin-x64': '1.0.0' },
      },
      'node_modules/a-linux-x64': { version: '1.0.0' },
    }
    expect(missingFromLock({ packages })).toEqual([
      { name: 'a-darwin-x64', version: '1.0.0', by: 'node_modules/a' },
    ])
  })

  test('ours is complete, else `npm ci` refuses it: run tools/complete-lock.mjs', () => {
    const file = new URL('../../package-lock.json', import.meta.url)
    expect(missingFromLock(JSON.parse(readFileSync(file, 'utf8')))).toEqual([])
  })
})

describe('the packages of the repository', () => {
  const read = (path: string) =>
    JSON.parse(readFileSync(new URL(`../../${path}/package.json`, import.meta.url), 'utf8'))

  test('the library and the command have one version, and the same WebGPU', () => {
    const [library, command] = [read('.'), read('cli')]
    const jsr = JSON.parse(readFileSync(new URL('../../jsr.json', import.meta.url), 'utf8'))
    expect([command.version, jsr.version]).toEqual([library.version, library.version])
    expect(jsr.imports.webgpu).toBe(`npm:webgpu@${library.dependencies.webgpu}`)
    expect(library.dependencies).toEqual({ webgpu: command.dependencies.webgpu })
  })
})
