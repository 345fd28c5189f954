import { afterAll, beforeAll, expect, it } from 'vitest'
import { Checkpoint, quantizeCheckpoint } from '../../src/checkpoint/index.ts'
import { Gpu } from '../../src/gpu/device.ts'
import { type DtypeOption, Weights } from '../../src/models/weights.ts'
import { linear, linearKernel, linears } from '../../src/tensor/linear.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { entry, memoryFolder } from '../checkpoint/folders.ts'
import { safetensors } from '../mutations.ts'
import { activation, linearLayer, randomNumbers, runOn } from '../tensor/harness.ts'

// Large enough to be read in pieces, in f32 and in int8; the last group of a row and the last tile of rows are short.
const [columns, inner] = [2501, 1000]
const weights = randomNumbers(1, columns * inner)
const x = randomNumbers(2, inner)
const name = 'model.layers.0.mlp.up_proj'

const folder = memoryFolder({
  'config.json': {},
  'model.safetensors': safetensors(
    JSON.stringify({ [`${name}.weight`]: entry('F32', [columns, inner], 0, weights.byteLength) }),
    new Uint8Array(weights.buffer),
  ),
})

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

/** What the layer makes of x, loaded from a checkpoint; and the bytes that were declared and read. */
async function loaded(checkpoint: Checkpoint, dtype: DtypeOption) {
  const declared = new Weights(gpu, checkpoint, dtype)
  const layer = declared.linear(name, columns, inner, { bias: false })
  const progress: number[] = []
  await declared.load({ onProgress: ({ done, total }) => progress.push(done / total) })
  expect(progress.at(-1)).toBe(1)
  const y = await runOn(gpu, 'f32', (tape) => linear(tape, activation(tape, x, [1, inner]), layer))
  return { y, pieces: progress.length, bytes: declared.bytes.device }
}

it.each(['int8', 'int4'] as const)(
  '%s: a layer read in pieces is the layer in one',
  async (dtype) => {
    const kernel = linearKernel(gpu, dtype, inner)
    const layer = linearLayer(gpu, kernel, weights, [columns, inner], dtype)
    const expected = await runOn(gpu, 'f32', (tape) =>
      linear(tape, activation(tape, x, [1, inner]), layer),
    )

    const checkpoint = await Checkpoint.open(folder)
    const atLoad = await loaded(checkpoint, dtype)
    expect(atLoad.pieces).toBeGreaterThan(1)
    expect(atLoad.y).toEqual(expected)

    const plan = quantizeCheckpoint(checkpoint, dtype)
    const pieces: Uint8Array[] = []
    for await (const piece of plan.pieces()) pieces.push(piece)
    const written = await Checkpoint.open(
      memoryFolder({
        'config.json': plan.config,
        'model.safetensors': new Uint8Array(Buffer.concat(pieces)),
      }),
    )
    const ahead = await loaded(written, 'auto')
    expect(ahead.pieces).toBe(dtype === 'int8' ? 2 : 1)
    expect(ahead.y).toEqual(expected)

    // 32 groups to a row, each with a word of scale and offset.
    const rows = Math.ceil(columns / kernel.columns) * kernel.columns
    const bytes = rows * 32 * 4 * (1 + (dtype === 'int8' ? 8 : 4))
    expect([atLoad.bytes, ahead.bytes]).toEqual([bytes, bytes])
  },
)

it.each(['f32', 'int8'] as const)(
  '%s: layers that read the same x are loaded side by side, one of another dtype apart',
  async (dtype) => {
    const wide = { query: 100, key: 7, value: 64 }
    const layers = Object.entries(wide).map(
      ([part, width]) => [`model.layers.0.self_attn.${part}`, width] as const,
    )
    const header: Record<string, object> = {}
    const pieces: Uint8Array[] = []
    let end = 0
    const put = (key: string, stored: string, shape: number[], bytes: Uint8Array) => {
      header[key] = entry(stored, shape, end, end + bytes.length)
      end += bytes.length
      pieces.push(bytes)
    }
    const numbers = (seed: number, count: number) =>
      new Uint8Array(randomNumbers(seed, count).buffer)
    layers.forEach(([key, width], i) => {
      if (dtype === 'f32' && i === 2)
        put(`${key}.weight`, 'BF16', [width, inner], new Uint8Array(2 * width * inner).fill(0x3c))
      else put(`${key}.weight`, 'F32', [width, inner], numbers(3 + i, width * inner))
      put(`${key}.bias`, 'F32', [width], numbers(6 + i, width))
    })
    const checkpoint = await Checkpoint.open(
      memoryFolder({
        'config.json': {},
        'model.safetensors': safetensors(
          JSON.stringify(header),
          new Uint8Array(Buffer.concat(pieces)),
        ),
      }),
    )
    const open = () => new Weights(gpu, checkpoint, dtype === 'f32' ? 'auto' : dtype)
    const together = open()
    const joined = together.linears(layers, inner)
    await together.load()
    const blocks = new Set(joined.map(({ weight }) => weight.block))
    expect(blocks.size).toBe(dtype === 'f32' ? 3 : 1)
    for (const [i, [key, width]] of layers.entries()) {
      const declared = open()
      const alone = declared.linear(key, width, inner)
      await declared.load()
      const [expected, found] = await Promise.all([
        runOn(gpu, 'f32', (tape) => linear(tape, activation(tape, x, [1, inner]), alone)),
        runOn(
          gpu,
          'f32',
          (tape) => linears(tape, activation(tape, x, [1, inner]), joined)[i] as Tensor,
        ),
      ])
      expect(found, key).toEqual(expected)
    }
  },
)
