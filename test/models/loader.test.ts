import { afterAll, beforeAll, expect, it } from 'vitest'
import { Checkpoint, quantizeCheckpoint } from '../../src/checkpoint/index.ts'
import { Gpu } from '../../src/gpu/device.ts'
import { type DtypeOption, WeightLoader } from '../../src/models/loader.ts'
import { linear, linearKernel } from '../../src/tensor/linear.ts'
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
  const loader = new WeightLoader(gpu, checkpoint, dtype)
  const layer = loader.linear(name, columns, inner, { bias: false })
  const progress: number[] = []
  await loader.load({ onProgress: ({ done, total }) => progress.push(done / total) })
  expect(progress.at(-1)).toBe(1)
  const y = await runOn(gpu, 'f32', (tape) => linear(tape, activation(tape, x, [1, inner]), layer))
  return { y, pieces: progress.length, bytes: loader.bytes.device }
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
