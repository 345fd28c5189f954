import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  canInstall,
  parseDeb822,
  parseOneLine,
  readSources,
  sourceText,
  vulkanPlan,
} from '../../tools/setup/debian.mjs'

// Addresses are made up: the reader must copy what it finds.

describe('the one-line form of apt sources', () => {
  test('plain, with options, with several components and a comment', () => {
    const text = [
      'deb mirror:/near bookworm main contrib # the base',
      'deb [arch=amd64,arm64 signed-by=/keys/a.gpg trusted=yes] copy:/b bookworm-updates main',
      'deb-src mirror:/near bookworm main',
      '# deb mirror:/near bookworm-backports main',
    ].join('\n')
    expect(parseOneLine(text)).toEqual([
      { uris: 'mirror:/near', suites: ['bookworm'], components: ['main', 'contrib'], options: {} },
      {
        uris: 'copy:/b',
        suites: ['bookworm-updates'],
        components: ['main'],
        options: { 'Signed-By': '/keys/a.gpg', Architectures: 'amd64 arm64', Trusted: 'yes' },
      },
    ])
  })
})

describe('the deb822 form of apt sources', () => {
  test('stanzas, comments, disabled and source entries, a key in the text', () => {
    const text = [
      'Types: deb deb-src',
      '# a remark',
      'URIs: mirror:/near',
      'Suites: bookworm bookworm-updates',
      'Components: main',
      'Signed-By:',
      ' -----BEGIN KEY-----',
      ' .',
      ' abc',
      '',
      'Types: deb-src',
      'URIs: mirror:/src',
      'Suites: bookworm',
      'Components: main',
      '',
      'Types: deb',
      'Enabled: no',
      'URIs: mirror:/off',
      'Suites: bookworm-backports',
      'Components: main',
    ].join('\n')
    expect(parseDeb822(text)).toEqual([
      {
        uris: 'mirror:/near',
        suites: ['bookworm', 'bookworm-updates'],
        components: ['main'],
        options: { 'Signed-By': '\n -----BEGIN KEY-----\n .\n abc' },
      },
    ])
  })

  test('an entry for another suite is read back as it was meant', () => {
    const [base] = parseOneLine('deb [signed-by=/keys/a.gpg] mirror:/near bookworm main contrib')
    const text = sourceText(base!, 'bookworm-backports')
    expect(parseDeb822(text)).toEqual([
      {
        uris: 'mirror:/near',
        suites: ['bookworm-backports'],
        components: ['main'],
        options: { 'Signed-By': '/keys/a.gpg' },
      },
    ])
  })
})

describe('the sources of a machine', () => {
  const apt = mkdtempSync(join(tmpdir(), 'dawnrank-apt-'))
  afterAll(() => rmSync(apt, { recursive: true }))

  test('come from both forms; other files are left alone', () => {
    expect(readSources(apt)).toEqual([])
    mkdirSync(join(apt, 'sources.list.d'))
    writeFileSync(join(apt, 'sources.list'), 'deb mirror:/one trixie main\n')
    writeFileSync(
      join(apt, 'sources.list.d', 'b.sources'),
      'Types: deb\nURIs: mirror:/two\nSuites: trixie-backports\nComponents: main\n',
    )
    writeFileSync(join(apt, 'sources.list.d', 'c.list.disabled'), 'deb mirror:/three trixie main\n')
    expect(readSources(apt).map(({ uris }) => uris)).toEqual(['mirror:/one', 'mirror:/two'])
  })
})

describe('the plan', () => {
  const debian = {
    platform: 'linux',
    id: 'debian',
    name: 'Debian',
    codename: 'bookworm',
    apt: true,
    root: true,
  }

  test('takes Mesa from backports where the release has one that Dawn refuses', () => {
    expect(vulkanPlan(debian)).toMatchObject({ suite: 'bookworm-backports', codename: 'bookworm' })
    expect(vulkanPlan({ ...debian, codename: 'trixie' }).suite).toBeUndefined()
    expect(vulkanPlan(debian).packages).toContain('mesa-vulkan-drivers')
  })

  test('is carried out by root on a machine with apt-get only', () => {
    expect(canInstall(debian)).toBe(true)
    expect(canInstall({ ...debian, root: false })).toBe(false)
    expect(canInstall({ ...debian, apt: false })).toBe(false)
  })
})
