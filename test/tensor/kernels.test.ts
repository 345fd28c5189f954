import { expect, it } from 'vitest'
import { shaders } from '../../shaders/index.ts'
import { KernelChoices } from '../../src/gpu/choices.ts'
import type { AdapterFacts, Gpu } from '../../src/gpu/device.ts'
import { type KernelSpec, kernelFiles, shaderCode } from '../../src/gpu/kernel.ts'
import { readInterface, withoutComments } from '../../src/gpu/shader-interface.ts'
import { alibiBias } from '../../src/tensor/alibi.ts'
import { attention, attentionKernels, attentionTiles } from '../../src/tensor/attention.ts'
import { embed, embedRows, gatherTable } from '../../src/tensor/embedding.ts'
import { gatherRows } from '../../src/tensor/gather-rows.ts'
import { headProducts } from '../../src/tensor/head-products.ts'
import { layerNorm } from '../../src/tensor/layer-norm.ts'
import { linear, linearKernels } from '../../src/tensor/linear.ts'
import { meanRows } from '../../src/tensor/mean-rows.ts'
import { neighbors } from '../../src/tensor/neighbors.ts'
import { distanceRows, relativeBias } from '../../src/tensor/relative.ts'
import { rmsNorm } from '../../src/tensor/rms-norm.ts'
import { rotary } from '../../src/tensor/rotary.ts'
import { softCap, softCapBias } from '../../src/tensor/soft-cap.ts'
import { PlanTape } from '../../src/tensor/tape.ts'
import type { LinearDtype, Weight } from '../../src/tensor/tensor.ts'
import type { WeightDtype } from '../../src/weight-dtypes.ts'

// What is put in front of each kernel is what its files name: every operation is planned, for several adapters, without a
// device.

const facts = (subgroupSize: number, software: boolean) =>
  ({
    subgroupSize,
    subgroupMinSize: subgroupSize,
    subgroupMaxSize: subgroupSize,
    subgroupSizeControl: false,
    // Of GPUs with subgroups of one size.
    subgroupMatrices: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
    software,
    shaderF16: true,
    maxWorkgroupMemory: 32768,
    maxInvocations: 256,
    maxBinding: 2 ** 30,
  }) as Partial<AdapterFacts> as AdapterFacts

const block = { bytes: 0, buffer: undefined as unknown as GPUBuffer }
const weight = <D extends LinearDtype>(shape: number[], dtype: D): Weight<D> => ({
  name: 'weight',
  shape,
  dtype,
  block,
})

/** The kernels of every operation, with every kernel and dtype that it may have on an adapter. */
function specsOf(adapter: AdapterFacts, activations: 'f32' | 'f16'): KernelSpec[] {
  const specs: KernelSpec[] = []
  const gpu = {
    facts: adapter,
    choices: new KernelChoices({}, {}),
    kernel: (spec: KernelSpec) => specs.push(spec),
  } as unknown as Gpu
  const tape = new PlanTape(gpu, activations)
  const x = tape.tensor([4, 64])
  const odd = tape.tensor([4, 62])
  const rows = tape.tensor([4], 'u32')
  const vector = weight([64], 'f32')
  for (const dtype of ['f32', 'f16', 'bf16', 'int8', 'int4'] as const) {
    for (const kernel of linearKernels(adapter, dtype, activations)) {
      linear(tape, x, { weight: { ...weight([64, 64], dtype), kernel, tile: 0 } })
      linear(tape, odd, { weight: { ...weight([64, 62], dtype), kernel, tile: 0 } })
    }
  }
  for (const headDim of [32, 1]) {
    for (const kernel of attentionKernels(adapter, headDim)) {
      const span = { row: 0, rows: 4, position: 0, key: 0, keys: 4 }
      const tiles = attentionTiles(tape, [span], headDim, kernel)
      attention(tape, x, x, x, tiles, headDim)
      attention(tape, x, x, x, tiles, headDim, { bias: alibiBias(tape, 2) })
      attention(tape, x, x, x, tiles, headDim, { bias: softCapBias(tape, 50) })
      const distances = distanceRows(tape, (distance) => distance + 4, { back: 3, ahead: 3 })
      const bias = relativeBias(distances, { c2p: x, p2c: x })
      attention(tape, x, x, x, tiles, headDim, { bias })
    }
  }
  for (const dtype of ['f32', 'f16', 'bf16'] satisfies WeightDtype[]) {
    const table = weight([8, 64], dtype)
    const words = new Uint32Array(8 * 64)
    const host = { ...table, shape: [8, 64] as const, words }
    const gathered = gatherTable(tape, host, new Uint32Array(4))
    embedRows(tape, gathered, host, 1)
    embed(tape, gathered, host, { type: { table, rows }, position: { table, rows } })
  }
  gatherRows(tape, x, rows)
  meanRows(tape, x, rows, rows)
  softCap(tape, tape.tensor([4, 1], 'f32'), 30)
  headProducts(tape, x, x, { headDim: 32, first: 0, count: 4, scale: 1 })
  neighbors(tape, x, tape.tensor([4, 3], 'u32'), 1)
  layerNorm(tape, x, { weight: vector, bias: vector, eps: 1e-5 })
  rmsNorm(tape, x, { weight: vector, eps: 1e-5, offset: 0 })
  rotary(tape, [x, x], [rows, rows], tape.tensor([8, 32], 'f32'))
  return specs
}

const specs = [
  facts(0, false),
  facts(32, false),
  facts(64, false),
  facts(8, true),
  facts(4, true),
].flatMap((adapter) => [...specsOf(adapter, 'f32'), ...specsOf(adapter, 'f16')])

/** What a file says it needs. */
const needsOf = (name: keyof typeof shaders): string[] =>
  /^\/\/ needs: (.*)$/m.exec(shaders[name])?.[1]?.split(', ') ?? []

/** Whether it does: lines of code, and those that are written out. */
const uses = (code: string, name: string) =>
  new RegExp(`\\b${name}\\b`).test(withoutComments(code.replaceAll('//#', '')))

it('every kernel gets the constants and types that its files name', () => {
  const wrong = specs.flatMap((spec) => {
    const given = Object.keys({ ...spec.types, ...spec.sizes }).sort()
    const needed = [...new Set(kernelFiles(spec).flatMap(needsOf))].sort()
    return String(given) === String(needed)
      ? []
      : [`${spec.shader}: given ${given}, named ${needed}`]
  })
  expect(wrong).toEqual([])
})

it('every file names the constants and types that it uses, and no others', () => {
  const all = new Set(specs.flatMap((spec) => Object.keys({ ...spec.types, ...spec.sizes })))
  const wrong = Object.entries(shaders).flatMap(([name, code]) => {
    const declares = (word: string) =>
      new RegExp(`\\b(const|alias) ${word}\\b`).test(withoutComments(code))
    const used = [...all].filter((word) => uses(code, word) && !declares(word)).sort()
    const named = needsOf(name as keyof typeof shaders).sort()
    return String(used) === String(named) ? [] : [`${name}: uses ${used}, names ${named}`]
  })
  expect(wrong).toEqual([])
})

it('every shader file is part of a kernel', () => {
  const files = new Set(specs.flatMap(kernelFiles))
  expect(Object.keys(shaders).filter((name) => !files.has(name as keyof typeof shaders))).toEqual(
    [],
  )
})

it('parameters and buffers of every kernel are understood', () => {
  for (const spec of specs) {
    const { params, bindings } = readInterface(spec.shader, shaderCode(spec))
    expect(params.length).toBeGreaterThan(0)
    const written = bindings.filter((binding) => binding.written)
    expect(written.map(({ name }) => name)).toEqual(['y'])
  }
})
