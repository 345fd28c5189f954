import { SafeTensor } from 'safetensors'
import { describe, expect, it } from 'vitest'
import {
  Checkpoint,
  type FloatDtype,
  f32ToF16,
  isLayerMatrix,
  isWordTable,
  type QuantizedDtype,
  quantizeCheckpoint,
  quantizeRows,
  storedToF32,
} from '../../src/checkpoint/index.ts'
import { blobFolder, type Folder } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { asF64, type Edit, editedModel, type Stored } from '../models/edited.ts'
import { safetensors } from '../mutations.ts'
import { entry, expectFault, fixturePath, folderOf, memoryFolder } from './folders.ts'

/** A model's quantized form, in memory. */
async function quantizedFiles(folder: Folder, dtype: QuantizedDtype) {
  const checkpoint = await Checkpoint.open(folder)
  try {
    const plan = quantizeCheckpoint(checkpoint, dtype)
    const pieces: Uint8Array[] = []
    for await (const piece of plan.pieces()) pieces.push(piece)
    const file = new Uint8Array(Buffer.concat(pieces))
    expect(file.length).toBe(plan.bytes)
    return { plan, file, files: { 'config.json': plan.config, 'model.safetensors': file } }
  } finally {
    await checkpoint.close()
  }
}

/** The same file without its empty `__metadata__`, which npm safetensors does not know. */
function secondReader(file: Uint8Array<ArrayBuffer>): SafeTensor {
  const length = new DataView(file.buffer).getUint32(0, true)
  const { __metadata__, ...header } = JSON.parse(
    new TextDecoder().decode(file.subarray(8, 8 + length)),
  )
  return new SafeTensor(safetensors(JSON.stringify(header), file.subarray(8 + length)))
}

const expectBytes = (found: Uint8Array, expected: Uint8Array) =>
  expect(Buffer.compare(found, expected)).toBe(0)

// Weights in f32 (inner sizes of 64, and of 72, which fills no group), in f16 and in bf16, in one file and in several.
const models = ['xlm-roberta-514', 'minicpm-layerwise', 'mistral', 'gemma'] as const

describe.each(models)('%s', (name) => {
  it.each(['int8', 'int4'] as const)(
    'in %s has the layers quantized, the words in int8, the rest as it was',
    async (dtype) => {
      const { plan, file, files } = await quantizedFiles(await openFolder(fixturePath(name)), dtype)
      const original = await Checkpoint.open(await openFolder(fixturePath(name)))
      const written = await Checkpoint.open(memoryFolder(files))
      const other = secondReader(file)
      expect(written.quantization).toEqual({ layers: dtype, words: 'int8' })
      expect(JSON.parse(plan.config)).toEqual({
        ...original.config.raw,
        quantization_config: {
          quant_method: 'dawnrank',
          bits: dtype === 'int8' ? 8 : 4,
          group_size: 32,
          embedding_bits: 8,
        },
      })
      const matrices = { layers: 0, words: 0 }
      for (const info of original.tensors.values()) {
        const bytes = await original.read(info)
        const { shape } = info
        const [columns, inner] = shape as [number, number]
        const isLayer = isLayerMatrix(info.name)
        if (shape.length === 2 && (isLayer || isWordTable(info.name))) {
          matrices[isLayer ? 'layers' : 'words']++
          const own = isLayer ? dtype : 'int8'
          const values = storedToF32(bytes, info.dtype as FloatDtype)
          const expected = quantizeRows(values, inner, own, info.name)
          const { numbers, scales } = written.quantized(info.name, [columns, inner], own)
          expectBytes(other.getTensor(info.name) as Uint8Array, expected.numbers)
          expectBytes(await written.read(numbers), expected.numbers)
          expectBytes(await written.read(scales), new Uint8Array(expected.scales.buffer))
        } else if (info.dtype === 'f32' && shape.length > 1) {
          const halves = f32ToF16(storedToF32(bytes, 'f32'))
          const found = written.tensor(info.name, shape)
          expect(found.dtype).toBe('f16')
          expectBytes(await written.read(found), new Uint8Array(halves.buffer))
        } else {
          const found = written.tensors.get(info.name)!
          expect(found).toMatchObject({ dtype: info.dtype, shape })
          expectBytes(await written.read(found), bytes)
        }
      }
      expect([plan.matrices, written.tensors.size]).toEqual([
        matrices.layers,
        original.tensors.size + matrices.layers + matrices.words,
      ])
      expect(matrices.layers).toBeGreaterThan(6)
      // Mistral's head is its own.
      expect(matrices.words).toBe(name === 'mistral' ? 2 : 1)
      await original.close()
      await written.close()
    },
  )
})

it.each(['int8', 'int4'] as const)('f64 in %s is the file that f32 makes', async (dtype) => {
  const folder = (edit: Edit) => blobFolder(editedModel('xlm-roberta-514', edit))
  const tensors = (stored: Stored[]) => stored.map((tensor) => asF64(tensor))
  const [f64, f32] = await Promise.all([
    quantizedFiles(folder({ tensors }), dtype),
    quantizedFiles(folder({}), dtype),
  ])
  const [found, expected] = await Promise.all(
    [f64, f32].map(({ files }) => Checkpoint.open(memoryFolder(files))),
  )
  expect(found!.tensors.size).toBe(expected!.tensors.size)
  for (const info of expected!.tensors.values()) {
    const own = found!.tensors.get(info.name)!
    expect([own.dtype, own.shape]).toEqual([info.dtype, info.shape])
    expectBytes(await found!.read(own), await expected!.read(info))
  }
})

it('lays elements on multiples of their size, whatever they are converted to', async () => {
  const header = {
    'layers.0.weight': entry('F32', [2, 2], 0, 16),
    'embed_tokens.weight': entry('F32', [1, 2], 64, 72),
    table: entry('F32', [3, 1], 16, 28),
    vector: entry('F32', [1], 28, 32),
    wide: entry('F64', [1, 3], 32, 56),
    ids: entry('I64', [1], 56, 64),
  }
  const { files } = await quantizedFiles(folderOf(header, 72), 'int8')
  const { tensors } = await Checkpoint.open(memoryFolder(files))
  const kinds = [...tensors.values()].map(({ name, dtype }) => `${name} ${dtype}`)
  expect(kinds.slice(0, 4)).toEqual(['ids i64', 'vector f32', 'table f16', 'wide f16'])
  // Numbers of the words are followed by their scales, which two bytes must divide.
  expect(tensors.get('embed_tokens.weight.scales')!.start % 2).toBe(0)
})

it('writes what JSON has no words for as transformers 5 does', async () => {
  const folder = memoryFolder({
    'config.json': '{"a":NaN,"b":[-Infinity]}',
    'model.safetensors': safetensors(
      JSON.stringify({ 'layers.0.weight': entry('F32', [1, 1], 0, 4) }),
      new Uint8Array(4),
    ),
  })
  const { plan } = await quantizedFiles(folder, 'int8')
  expect(JSON.parse(plan.config)).toMatchObject({
    a: { __float__: 'NaN' },
    b: [{ __float__: '-Infinity' }],
  })
})

describe('refused', () => {
  const layer = 'model.layers.0.mlp.up_proj.weight'

  it('a folder that is quantized already', async () => {
    const { files } = await quantizedFiles(await openFolder(fixturePath('mistral')), 'int8')
    await expectFault(
      quantizedFiles(memoryFolder(files), 'int4') as Promise<never>,
      'already-quantized',
      'folder: the weights are int8 already; quantize the folder that this one was made from',
    )
  })

  it('a folder without layers', async () => {
    const folder = folderOf({ 'embeddings.weight': entry('F16', [2, 3], 0, 12) }, 12)
    await expectFault(
      quantizedFiles(folder, 'int8') as Promise<never>,
      'nothing-to-quantize',
      'no matrix of a layer, such as "model.layers.0.mlp.up_proj.weight", among the 1 tensors',
    )
  })

  it('a layer that is not stored in floats', async () => {
    const folder = folderOf({ [layer]: entry('I32', [2, 3], 0, 24) }, 24)
    await expectFault(
      quantizedFiles(folder, 'int8') as Promise<never>,
      'tensor-dtype',
      `tensor "${layer}" is stored as i32; expected f32, f16, bf16`,
    )
  })

  it('weights that are not finite', async () => {
    const data = new Uint8Array(Float32Array.of(1, Number.NaN).buffer)
    const header = JSON.stringify({ [layer]: entry('F32', [1, 2], 0, 8) })
    const folder = memoryFolder({
      'config.json': {},
      'model.safetensors': safetensors(header, data),
    })
    await expectFault(
      quantizedFiles(folder, 'int8') as Promise<never>,
      'weights-not-finite',
      `tensor "${layer}"`,
    )
  })
})

describe('a quantized folder', () => {
  const config = {
    quantization_config: { quant_method: 'dawnrank', bits: 4, group_size: 32 },
  }
  const open = (tensors: Record<string, unknown>, bytes: number) =>
    Checkpoint.open(
      memoryFolder({
        'config.json': config,
        'model.safetensors': safetensors(JSON.stringify(tensors), new Uint8Array(bytes)),
      }),
    )
  // A weight [2, 33] in four bits: 17 bytes and 2 groups to a row.
  const numbers = entry('U8', [2, 17], 0, 34)
  const scales = entry('BF16', [2, 2, 2], 34, 50)

  it('gives both tensors of a matrix', async () => {
    const checkpoint = await open({ w: numbers, 'w.scales': scales }, 50)
    const found = checkpoint.quantized('w', [2, 33], 'int4')
    expect(found.numbers).toMatchObject({ name: 'w', dtype: 'u8', shape: [2, 17] })
    expect(found.scales).toMatchObject({ name: 'w.scales', dtype: 'bf16', shape: [2, 2, 2] })
  })

  it.each<[string, Record<string, unknown>, number, string, string]>([
    ['no scales', { w: numbers }, 34, 'tensor-missing', 'no tensor "w.scales"'],
    [
      'scales of another shape',
      { w: numbers, 'w.scales': entry('BF16', [4, 2], 34, 50) },
      50,
      'tensor-shape',
      'tensor "w.scales" is [4, 2]; config.json makes it [2, 2, 2]',
    ],
    [
      'scales of another dtype',
      { w: numbers, 'w.scales': entry('F16', [2, 2, 2], 34, 50) },
      50,
      'tensor-dtype',
      'tensor "w.scales" is stored as f16; expected bf16. Write the folder again with "dawnrank quantize"',
    ],
    [
      'numbers of eight bits',
      { w: entry('U8', [2, 33], 0, 66), 'w.scales': entry('BF16', [2, 2, 2], 66, 82) },
      82,
      'tensor-shape',
      'tensor "w" is [2, 33]; config.json makes it [2, 17]',
    ],
    [
      'numbers that are floats',
      { w: entry('F16', [2, 17], 0, 68), 'w.scales': entry('BF16', [2, 2, 2], 68, 84) },
      84,
      'tensor-dtype',
      'tensor "w" is stored as f16; expected u8',
    ],
  ])('is refused with %s', async (_, tensors, bytes, code, message) => {
    const checkpoint = await open(tensors, bytes)
    await expectFault(() => checkpoint.quantized('w', [2, 33], 'int4'), code, message)
  })

  it('of another method is not opened, and no file is left open', async () => {
    const folder = memoryFolder({
      'config.json': { quantization_config: { quant_method: 'awq' } },
      'model.safetensors': safetensors('{}', new Uint8Array()),
    })
    await expectFault(
      Checkpoint.open(folder),
      'quantization-unsupported',
      'folder/config.json > "quantization_config": the weights are quantized by "awq"',
    )
  })
})
