import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DawnrankError } from '../../src/error.ts'
import { webgpu } from '../../src/platform/server.ts'
import { FlagReranker } from '../../src/rerankers/index.ts'
import { fixtureFolder, readFixtures } from '../fixtures.ts'
import { mutateJson, mutateSafetensors, Random } from '../mutations.ts'

const read = (name: string) =>
  new Uint8Array(readFileSync(join(fixtureFolder('xlm-roberta-514'), name)))
// Without the normalizer, whose charsmap takes most of the time of a load: test/tokenizers has hostile ones.
const tokenizer = JSON.parse(new TextDecoder().decode(read('tokenizer.json')))
const files = {
  'config.json': read('config.json'),
  'tokenizer.json': new TextEncoder().encode(JSON.stringify({ ...tokenizer, normalizer: null })),
  'model.safetensors': read('model.safetensors'),
}
const whole = Object.fromEntries(
  Object.entries(files).map(([name, bytes]) => [name, new Blob([bytes])]),
)
const [first] = readFixtures('xlm-roberta-514').cases
const { query, passage } = first!

let device: GPUDevice
beforeAll(async () => {
  device = await (await (await webgpu()).requestAdapter())!.requestDevice()
})
afterAll(() => device.destroy())

/** Loads a model with one file changed and scores a pair; tells how it went. Anything but a typed error fails. */
async function outcome(
  changed: Partial<Record<keyof typeof files, Uint8Array<ArrayBuffer>>>,
): Promise<string> {
  const blobs = Object.fromEntries(
    Object.entries(changed).map(([name, bytes]) => [name, new Blob([bytes])]),
  )
  let reranker: FlagReranker | undefined
  try {
    reranker = await FlagReranker.load({ ...whole, ...blobs }, { device, dtype: 'f32' })
    const score = await reranker.computeScore([query, passage])
    return Number.isFinite(score) ? 'scored' : 'not finite'
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(DawnrankError)
    return (error as DawnrankError).code
  } finally {
    reranker?.dispose()
  }
}

function counted(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

describe('a hostile model ends in a typed error or a score', () => {
  it('unchanged, it scores', async () => {
    expect(await outcome({})).toBe('scored')
  })

  it('1,000 mutations of config.json', async () => {
    const random = new Random(1)
    const config = JSON.parse(new TextDecoder().decode(files['config.json']))
    const outcomes = []
    for (let i = 0; i < 1000; i++) {
      const mutated = new TextEncoder().encode(JSON.stringify(mutateJson(config, random)))
      outcomes.push(await outcome({ 'config.json': mutated }))
    }
    const counts = counted(outcomes)
    expect(counts['not finite']).toBeUndefined()
    expect(counts.scored).toBeGreaterThan(10)
    expect(counts['config-invalid']).toBeGreaterThan(10)
  })

  it('500 mutations of model.safetensors, with the weights that still load run', async () => {
    const random = new Random(2)
    const outcomes = []
    for (let i = 0; i < 500; i++) {
      const mutated = mutateSafetensors(files['model.safetensors'], random)
      outcomes.push(await outcome({ 'model.safetensors': mutated }))
    }
    const counts = counted(outcomes)
    expect(counts['not finite']).toBeUndefined()
    expect(counts.scored).toBeGreaterThan(10)
  })
})
