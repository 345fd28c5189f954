/** A damaged checkpoint is refused with a CheckpointError, or opens as what it then says. */
import { expect, it } from 'vitest'
import { Checkpoint, CheckpointError, type Config } from '../../src/checkpoint/index.ts'
import { type Json, mutateBytes, mutateJson, mutateSafetensors, Random } from '../mutations.ts'
import { fixtureFile, memoryFolder } from './folders.ts'

/** The smallest: most of the time goes into copies of its file. */
const name = 'variants/minicpm-simple-one'

/** How often each code came, and how often none did. */
type Tally = Record<string, number>

const count = (tally: Tally, outcome: string) => {
  tally[outcome] = (tally[outcome] ?? 0) + 1
}

/** The code of a CheckpointError with a message fit to be read; anything else is thrown on. */
function codeOf(fault: unknown): string {
  if (!(fault instanceof CheckpointError)) throw fault
  expect(fault.message.length).toBeLessThan(1000)
  return fault.code
}

it('10,000 mutations of a safetensors file', async () => {
  const original = fixtureFile(name, 'model.safetensors')
  const config = fixtureFile(name, 'config.json')
  const tally: Tally = {}
  for (let seed = 0; seed < 10_000; seed++) {
    const random = new Random(seed)
    const file = mutateSafetensors(original, random)
    const folder = memoryFolder({ 'config.json': config, 'model.safetensors': file })
    try {
      const checkpoint = await Checkpoint.open(folder)
      await checkOpened(checkpoint, file, random)
      await checkpoint.close()
      count(tally, 'opened')
    } catch (fault) {
      if (!(fault instanceof CheckpointError)) throw new Error(`seed ${seed}`, { cause: fault })
      count(tally, codeOf(fault))
    }
  }
  expect(Object.keys(tally).sort()).toEqual(['header-invalid', 'opened', 'tensor-invalid'])
  for (const outcome of Object.values(tally)) expect(outcome).toBeGreaterThan(500)
})

/** What opened must fill the file exactly, and reading must give the file's bytes. */
async function checkOpened(checkpoint: Checkpoint, file: Uint8Array, random: Random) {
  let at = 8 + Number(new DataView(file.buffer).getBigUint64(0, true))
  let gaps = 0
  for (const { start, bytes } of checkpoint.tensors.values()) {
    if (start !== at) gaps++
    at = start + bytes
  }
  expect([gaps, at]).toEqual([0, file.length])
  const tensors = [...checkpoint.tensors.values()]
  if (tensors.length === 0) return
  const info = random.pick(tensors)
  const begin = random.below(info.bytes + 1)
  const end = Math.min(info.bytes, begin + random.below(64))
  const read = await checkpoint.read(info, begin, end)
  expect(read).toEqual(file.slice(info.start + begin, info.start + end))
}

it('1,000 mutations of config.json', async () => {
  const original = fixtureFile(name, 'config.json')
  const weights = fixtureFile(name, 'model.safetensors')
  const parsed = JSON.parse(new TextDecoder().decode(original)) as Json
  const tally: Tally = {}
  for (let seed = 0; seed < 1000; seed++) {
    const random = new Random(seed)
    const text =
      seed % 4 === 0 ? mutateBytes(original, random) : JSON.stringify(mutateJson(parsed, random))
    try {
      const checkpoint = await Checkpoint.open(
        memoryFolder({ 'config.json': text, 'model.safetensors': weights }),
      )
      askAll(checkpoint.config, tally)
      count(tally, 'opened')
    } catch (fault) {
      if (!(fault instanceof CheckpointError)) throw new Error(`seed ${seed}`, { cause: fault })
      count(tally, `refused: ${codeOf(fault)}`)
    }
  }
  expect(Object.keys(tally).sort()).toEqual([
    'answered',
    'config-invalid',
    'opened',
    'refused: config-invalid',
  ])
  expect(tally.opened).toBeGreaterThan(500)
  expect(tally['config-invalid']).toBeGreaterThan(500)
})

/** Asks for all that a model asks for, and for the keys that the file itself has. */
function askAll(config: Config, tally: Tally) {
  const keys = ['hidden_size', 'layer_norm_eps', 'hidden_act', 'architectures', 'id2label']
  for (const key of new Set([...keys, '__proto__', 'toString', ...Object.keys(config.raw)])) {
    ask(() => expect(config.integer(key, { min: 1, max: 1e6 })).toBeTypeOf('number'))
    ask(() => expect(Number.isFinite(config.number(key))).toBe(true))
    ask(() => expect(['gelu']).toContain(config.string(key, { allowed: ['gelu'] })))
    ask(() => expect(config.boolean(key)).toBeTypeOf('boolean'))
    ask(() => expect(config.strings(key, { default: [] }).every((s) => s.length >= 0)).toBe(true))
    ask(() => expect(config.size(key)).toBeGreaterThanOrEqual(0))
    ask(() => config.section(key)?.integer('x', { default: undefined }))
  }
  function ask(question: () => unknown) {
    try {
      question()
      count(tally, 'answered')
    } catch (fault) {
      count(tally, codeOf(fault))
    }
  }
}

it('does not leave anything on Object.prototype', () => {
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(({} as Record<string, unknown>).dtype).toBeUndefined()
})
