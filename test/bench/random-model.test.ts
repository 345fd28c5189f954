import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { decoderTensors, encoderTensors, makeRandomEncoder } from '../../bench/random-model.mjs'
import { f16ToF32 } from '../../src/checkpoint/index.ts'

const fixtureModel = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}/model`, import.meta.url))

const fixture = fixtureModel('xlm-roberta-514')
const config = JSON.parse(readFileSync(join(fixture, 'config.json'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'dawnrank-random-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Stored {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

function readHeader(model: string) {
  const bytes = readFileSync(join(model, 'model.safetensors'))
  const size = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + size))
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__')
  return { tensors: Object.fromEntries(tensors) as Record<string, Stored>, data: bytes, size }
}

const shapes = (tensors: Record<string, Stored>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]))

/** Tables of 0, 1, 2 … that transformers 4 wrote and that no model reads. */
const unread = /\.position_ids$/

test.each([
  ['xlm-roberta-514', encoderTensors],
  ['bert-minilm', encoderTensors],
  ['deberta-v2', encoderTensors],
  ['qwen3', decoderTensors],
])('%s: the tensors are those that transformers wrote', (name, tensorsOf) => {
  const model = fixtureModel(name)
  const own = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  const ours = Object.fromEntries(tensorsOf(own).map(({ name, shape }) => [name, shape]))
  const theirs = Object.entries(shapes(readHeader(model).tensors))
  expect(ours).toEqual(Object.fromEntries(theirs.filter(([name]) => !unread.test(name))))
})

describe('an encoder with random weights', () => {
  test('is a whole folder: norms of ones, biases of zeros, the same numbers every time', () => {
    const paths = ['a', 'b'].map((name) => join(folder, name))
    for (const path of paths) makeRandomEncoder(path, config, fixture)
    const [a, b] = paths.map(readHeader) as [ReturnType<typeof readHeader>, { data: Buffer }]
    expect(a.data.equals(b.data)).toBe(true)
    const numbers = (name: string) => {
      const { dtype, data_offsets } = a.tensors[name] as Stored
      expect(dtype).toBe('F16')
      const [start, end] = data_offsets.map((offset) => 8 + a.size + offset)
      return f16ToF32(new Uint16Array(new Uint8Array(a.data.subarray(start, end)).buffer))
    }
    expect(new Set(numbers('roberta.embeddings.LayerNorm.weight'))).toEqual(new Set([1]))
    expect(new Set(numbers('classifier.dense.bias'))).toEqual(new Set([0]))
    const dense = numbers('classifier.dense.weight')
    const variance = dense.reduce((sum, value) => sum + value * value, 0) / dense.length
    expect(variance * config.hidden_size).toBeGreaterThan(0.9)
    expect(variance * config.hidden_size).toBeLessThan(1.1)
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'config.json']) {
      expect(statSync(join(paths[0] as string, name)).size).toBeGreaterThan(0)
    }
  })
})
