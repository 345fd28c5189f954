import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

// The lint rule that keeps imports between rooms one way, tried on a small house that breaks it.

const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome')
const house = mkdtempSync(join(tmpdir(), 'dawnrank-rooms-'))
copyFileSync(fileURLToPath(new URL('../../biome.json', import.meta.url)), join(house, 'biome.json'))
afterAll(() => rmSync(house, { recursive: true }))

const upwards = 'Imports point downwards'
const face = 'src/index.ts is the public face'
const nodeModule = 'may use Node modules; ask #platform'
const npmPackage = 'The core has no npm dependencies'
const shader = 'Only src/gpu and src/tensor know shaders'

// file of the house, what it imports, what the rule says; undefined where it is allowed
const imports: [file: string, specifier: string, message: string | undefined][] = [
  ['platform/a.ts', '../gpu/device.ts', upwards],
  ['gpu/a.ts', '../tensor/tensor.ts', upwards],
  ['gpu/a.ts', '../checkpoint/index.ts', upwards],
  ['checkpoint/a.ts', '../tensor/tensor.ts', upwards],
  ['tensor/a.ts', '../models/xlm-roberta.ts', upwards],
  ['tensor/deeper/a.ts', '../../models/xlm-roberta.ts', upwards],
  ['tokenizers/a.ts', '../models/xlm-roberta.ts', upwards],
  ['models/a.ts', '../rerankers/flag.ts', upwards],
  ['models/a.ts', '../tokenizers/index.ts', upwards],
  ['models/a.ts', '../inference/engine.ts', upwards],
  ['inference/a.ts', '../rerankers/named.ts', upwards],
  ['inference/a.ts', 'node:fs', nodeModule],
  ['inference/a.ts', '../../shaders/linear.wgsl', shader],
  ['rerankers/a.ts', '../eval/metrics.ts', upwards],
  ['embedders/a.ts', '../rerankers/index.ts', upwards],
  ['embedders/a.ts', '../eval/index.ts', upwards],
  ['rerankers/a.ts', '../embedders/index.ts', upwards],
  ['inference/a.ts', '../embedders/index.ts', upwards],
  ['embedders/a.ts', 'node:fs', nodeModule],
  ['embedders/a.ts', 'zod', npmPackage],
  ['embedders/a.ts', '../index.ts', face],
  ['embedders/a.ts', '../retrieval/index.ts', upwards],
  ['rerankers/a.ts', '../retrieval/index.ts', upwards],
  ['retrieval/a.ts', '../eval/index.ts', upwards],
  ['retrieval/a.ts', '../rerankers/index.ts', upwards],
  ['retrieval/a.ts', 'node:fs', nodeModule],
  ['retrieval/a.ts', 'zod', npmPackage],
  ['retrieval/a.ts', '../../shaders/linear.wgsl', shader],
  ['embedders/a.ts', '../../shaders/linear.wgsl', shader],
  ['eval/a.ts', '../cli/index.ts', upwards],
  ['server/a.ts', '../cli/index.ts', upwards],
  ['server/a.ts', '../jobs/worker.ts', upwards],
  ['jobs/a.ts', '../server/index.ts', upwards],
  ['services/a.ts', '../eval/index.ts', upwards],
  ['services/a.ts', '../cli/index.ts', upwards],
  ['languages/a.ts', '../rerankers/index.ts', upwards],
  ['languages/a.ts', '../error.ts', upwards],
  ['languages/a.ts', 'node:fs', nodeModule],
  ['rerankers/a.ts', '../languages/detect.ts', upwards],
  ['eval/a.ts', '../languages/detect.ts', upwards],
  ['index.ts', './languages/detect.ts', 'entries of their own'],
  ['eval/a.ts', '../services/index.ts', upwards],
  ['eval/a.ts', 'ky', npmPackage],
  ['devices/a.ts', '../server/index.ts', upwards],
  ['hub/a.ts', '../rerankers/index.ts', upwards],
  ['checkpoint/a.ts', '../hub/index.ts', upwards],
  ['inference/a.ts', '../hub/index.ts', upwards],
  ['rerankers/a.ts', '../devices/index.ts', upwards],
  ['rerankers/a.ts', 'zod', npmPackage],
  ['rerankers/a.ts', 'eld/extrasmall', npmPackage],
  ['cli/a.ts', '../adapters/langchain.ts', upwards],
  ['adapters/a.ts', '../server/index.ts', upwards],
  ['adapters/a.ts', '../rerankers/index.ts', upwards],
  ['adapters/a.ts', '../error.ts', upwards],
  ['adapters/a.ts', 'node:fs', nodeModule],
  ['models/a.ts', '../index.ts', face],
  ['models/deeper/a.ts', '../../index.ts', face],
  ['gpu/a.ts', 'node:fs', nodeModule],
  ['rerankers/a.ts', 'node:path', nodeModule],
  ['index.ts', 'node:path', nodeModule],
  ['index.ts', './cli/index.ts', 'entries of their own'],
  ['checkpoint/a.ts', 'webgpu', npmPackage],
  ['models/a.ts', '../../shaders/linear.wgsl', shader],
  ['cli/a.ts', '../../shaders/linear.wgsl', shader],
  ['error.ts', './gpu/device.ts', 'imports nothing'],
  ['json.ts', './gpu/device.ts', 'imports nothing'],
  ['weight-dtypes.ts', './gpu/device.ts', 'imports nothing'],

  ['hub/a.ts', 'node:fs', undefined],
  ['hub/a.ts', '@huggingface/hub', undefined],
  ['rerankers/a.ts', '../hub/index.ts', undefined],
  ['server/a.ts', '../devices/index.ts', undefined],
  ['server/a.ts', 'hono', undefined],
  ['jobs/a.ts', '../devices/index.ts', undefined],
  ['services/a.ts', '../error.ts', undefined],
  ['services/a.ts', 'ky', undefined],
  ['languages/a.ts', 'eld/extrasmall', undefined],
  ['languages/a.ts', './detect.ts', undefined],
  ['cli/a.ts', '../languages/detect.ts', undefined],
  ['cli/a.ts', '../services/index.ts', undefined],
  ['cli/a.ts', '../server/index.ts', undefined],
  ['platform/a.ts', 'node:fs', undefined],
  ['platform/a.ts', 'webgpu', undefined],
  ['gpu/a.ts', '#platform', undefined],
  ['gpu/a.ts', '../error.ts', undefined],
  ['tokenizers/a.ts', '../json.ts', undefined],
  ['tensor/a.ts', '../weight-dtypes.ts', undefined],
  ['checkpoint/a.ts', '../weight-dtypes.ts', undefined],
  ['tensor/a.ts', '../gpu/device.ts', undefined],
  ['tensor/a.ts', '../../shaders/linear.wgsl', undefined],
  ['checkpoint/a.ts', '../gpu/device.ts', undefined],
  ['tokenizers/a.ts', './models/unigram.ts', undefined],
  ['models/a.ts', '../tensor/tensor.ts', undefined],
  ['inference/a.ts', '../models/model.ts', undefined],
  ['rerankers/a.ts', '../inference/engine.ts', undefined],
  ['rerankers/a.ts', '../tokenizers/index.ts', undefined],
  ['embedders/a.ts', '../inference/engine.ts', undefined],
  ['embedders/a.ts', '../hub/open.ts', undefined],
  ['server/a.ts', '../embedders/index.ts', undefined],
  ['retrieval/a.ts', '../embedders/index.ts', undefined],
  ['retrieval/a.ts', '../tensor/linear.ts', undefined],
  ['eval/a.ts', '../retrieval/index.ts', undefined],
  ['eval/a.ts', '../rerankers/flag.ts', undefined],
  ['cli/a.ts', '../index.ts', undefined],
  ['adapters/a.ts', '../index.ts', undefined],
  ['adapters/a.ts', './options.ts', undefined],
  ['adapters/a.ts', '@langchain/core/documents', undefined],
  ['cli/a.ts', 'commander', undefined],
  ['index.ts', './rerankers/flag.ts', undefined],
]

/** What the linter's import rule says, by file and line, of one line for every import of a file. */
function lint(lines: Map<string, string[]>): Map<string, string> {
  for (const [file, texts] of lines) {
    mkdirSync(dirname(join(house, 'src', file)), { recursive: true })
    writeFileSync(join(house, 'src', file), `${texts.join('\n')}\n`)
  }
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [biome, 'lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', 'src'],
    { cwd: house, encoding: 'utf8' },
  )
  if (!stdout) throw new Error(`the linter gave no report: ${stderr}`)
  const report = JSON.parse(stdout) as {
    diagnostics: {
      category: string
      message: string
      location: { path: string; start: { line: number } }
    }[]
  }
  return new Map(
    report.diagnostics
      .filter(({ category }) => category === 'lint/style/noRestrictedImports')
      .map(({ message, location }) => [
        `${location.path.replaceAll('\\', '/')}:${location.start.line}`,
        message,
      ]),
  )
}

test('imports between rooms go one way', () => {
  const lines = new Map<string, string[]>()
  const place = imports.map(([file, specifier], index) => {
    const texts = lines.get(file) ?? []
    texts.push(`export { name${index} } from '${specifier}'`)
    lines.set(file, texts)
    return `src/${file}:${texts.length}`
  })
  const said = lint(lines)
  const wrong = imports.flatMap(([file, specifier, message], index) => {
    const found = said.get(place[index] ?? '')
    const right = message === undefined ? found === undefined : found?.includes(message)
    return right ? [] : [`${file} imports ${specifier}: got ${found}, want ${message ?? 'none'}`]
  })
  expect(wrong).toEqual([])
})
