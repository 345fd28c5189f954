import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { expectFreshBuild, root } from '../portability/cases.ts'

// The examples as their readers run them: the packages as built, in their hosts, with the embedded models.

beforeAll(expectFreshBuild)

const execute = promisify(execFile)

const score = /^0\.\d{3}/
const best = 'The Eiffel Tower was built from 1887 to 1889'

const examples: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'ai-sdk.mjs': [score, best, / tokens$/m],
  'cross-encoder.mjs': [score, `1 0.`, best],
  'langchain.mjs': [`Answer from this text:\n[1] ${best}`, /^Question: When was/m],
  'llamaindex.mjs': [score, best],
}

it('are all of them', () => {
  const files = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.mjs'))
  expect(files.sort()).toEqual(Object.keys(examples))
})

it.each(Object.entries(examples))('%s runs', async (file, expected) => {
  const { stdout } = await execute(process.execPath, [join('examples', file)], { cwd: root })
  for (const part of expected) {
    if (typeof part === 'string') expect(stdout).toContain(part)
    else expect(stdout).toMatch(part)
  }
})

it('layers/attention.mjs runs: a line for each layer of the embedded reranker', async () => {
  const file = join('examples', 'layers', 'attention.mjs')
  const { stdout } = await execute(process.execPath, [file], { cwd: root })
  const lines = stdout.trim().split('\n')
  expect(lines).toHaveLength(6)
  for (const line of lines) expect(line).toMatch(/^layer \d:( +\S+ [01]\.\d{3}){5}$/)
})

it.each(Object.keys(examples))('docs/adapters.md has %s', (file) => {
  const guide = readFileSync(join(root, 'docs', 'adapters.md'), 'utf8')
  const code = readFileSync(join(root, 'examples', file), 'utf8').replace(/^(\/\/.*\n)+\n?/, '')
  expect(guide).toContain(`\`\`\`js\n${code}\`\`\``)
})
