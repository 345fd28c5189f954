import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { modelPackage } from '../../src/platform/model-packages.ts'
import { root } from '../portability/cases.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dawnrank-packages-')))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

/** Installs the package of a model in a project. */
function install(project: string, model: string): string {
  const place = join(folder, project, 'node_modules', '@dawnrank', model)
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'package.json'), '{}')
  return place
}

it('a model is found in a clone, where packages are linked', () => {
  expect(modelPackage('xlm-roberta-6x384', 'a/b')).toBe(join(root, 'weights/xlm-roberta-6x384'))
})

it('a model is found beside the program, and in the working directory', () => {
  const program = install('program', 'one')
  vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', join(folder, 'program', 'main.js')])
  expect(modelPackage('one', 'a/b')).toBe(program)

  const here = install('here', 'two')
  vi.spyOn(process, 'cwd').mockReturnValue(join(folder, 'here'))
  expect(modelPackage('two', 'a/b')).toBe(here)
})

it('a model that is not installed is an error that says what to do', () => {
  expect(() => modelPackage('none', 'org/published')).toThrowError(
    expect.objectContaining({
      name: 'PlatformError',
      code: 'model-missing',
      message: expect.stringMatching(
        /^@dawnrank\/none: .*npm install @dawnrank\/none.*"org\/published"$/,
      ),
    }),
  )
})
