/** Every kernel that the project may run on an adapter, found by planning every operation: no list to keep. */
import { KernelChoices } from '../../src/gpu/choices.ts'
import type { AdapterFacts, Gpu } from '../../src/gpu/device.ts'
import type { KernelSpec } from '../../src/gpu/kernel.ts'
import { alibiBias } from '../../src/tensor/alibi.ts'
import { attention, attentionKernels, attentionTiles } from '../../src/tensor/attention.ts'
import { embed, embedRows, gatherTable } from '../../src/tensor/embedding.ts'
import { gatherRows } from '../../src/tensor/gather-rows.ts'
import { headProducts } from '../../src/tensor/head-products.ts'
import { layerNorm } from '../../src/tensor/layer-norm.ts'
import { choicesOf, linear, linearKernels } from '../../src/tensor/linear.ts'
import { meanRows } from '../../src/tensor/mean-rows.ts'
import { neighbors } from '../../src/tensor/neighbors.ts'
import { pairCosine } from '../../src/tensor/pair-cosine.ts'
import { distanceRows, relativeBias } from '../../src/tensor/relative.ts'
import { rmsNorm } from '../../src/tensor/rms-norm.ts'
import { rotary } from '../../src/tensor/rotary.ts'
import { softCap, softCapBias } from '../../src/tensor/soft-cap.ts'
import { PlanTape } from '../../src/tensor/tape.ts'
import type { LinearDtype, Weight } from '../../src/tensor/tensor.ts'
import { topK } from '../../src/tensor/top-k.ts'
import { isQuantized } from '../../src/weight-dtypes.ts'

export interface ProjectKernel {
  /** `linear_tiled 64x64`, `attention_tiled 128`, or the shader's name: what floors are kept by. */
  readonly kernel: string
  /** What else tells it from others: `f16, x f32`. */
  readonly variant: string
  /** Whether the adapter uses it unless it was tuned. */
  readonly first: boolean
  readonly spec: KernelSpec
}

/** Numbers of a head in models: MiniLM 32, most 64, Phi 80 and 96, Llama and Qwen 128, Gemma 256; no whole quads 18. */
const headDims = [18, 32, 64, 80, 96, 128, 256]

/** Numbers of a row in models. */
const widths = [64, 384, 768, 1024, 2304, 4096]

const block = { bytes: 0, buffer: undefined as unknown as GPUBuffer }
const weightOf = <D extends LinearDtype>(shape: number[], dtype: D): Weight<D> => ({
  name: 'weight',
  shape,
  dtype,
  block,
})

/** The kernels of every operation, with every kernel and dtype that it may have on an adapter. */
export function projectKernels(facts: AdapterFacts, activations: 'f32' | 'f16'): ProjectKernel[] {
  const found = new Map<string, ProjectKernel>()
  let now = { kernel: '', variant: '', first: true }
  const gpu = {
    facts,
    choices: new KernelChoices({}, {}),
    kernel(spec: KernelSpec) {
      const key = JSON.stringify(spec)
      if (!found.has(key)) found.set(key, { ...now, kernel: now.kernel || spec.shader, spec })
    },
  } as unknown as Gpu
  const tape = new PlanTape(gpu, activations)
  /** Plans operations; what they run goes by this name, or by its shader's. */
  const plan = (variant: string, kernel: string, first: boolean, run: () => void) => {
    now = { kernel, variant: `${variant && `${variant}, `}x ${activations}`, first }
    run()
  }

  const x = tape.tensor([4, 64])
  const fours = tape.tensor([4, 60])
  const odd = tape.tensor([4, 62])
  for (const dtype of ['f32', 'f16', 'bf16', 'int8', 'int4'] as const) {
    const all = linearKernels(facts, dtype, activations)
    const used = new Set(choicesOf(all[0]).map(({ name }) => name))
    for (const { smaller: _, ...kernel } of all.flatMap(choicesOf)) {
      const layer = (inner: number) => ({
        weight: { ...weightOf([64, inner], dtype), kernel, tile: 0 },
      })
      const first = used.has(kernel.name)
      plan(dtype, kernel.name, first, () => linear(tape, x, layer(64)))
      if (dtype === 'f16' && kernel.shader === 'linear_tiled') {
        const activation = 'gelu'
        plan(`${dtype}, gelu`, kernel.name, first, () => linear(tape, x, layer(64), { activation }))
      }
      plan(dtype, `${kernel.name}, rows of fours`, first, () => linear(tape, fours, layer(60)))
      if (62 % kernel.divisor > 0) continue
      plan(dtype, `${kernel.name}, odd rows`, first, () => linear(tape, odd, layer(62)))
    }
  }
  for (const headDim of headDims) {
    const q = tape.tensor([4, 2 * headDim])
    for (const [i, kernel] of attentionKernels(facts, headDim, activations).entries()) {
      const name = `${kernel.name} ${headDim}`
      const span = { row: 0, rows: 4, position: 0, key: 0, keys: 4 }
      const tiles = attentionTiles(tape, [span], headDim, kernel)
      plan('', name, i === 0, () => attention(tape, q, q, q, tiles, headDim))
      plan('ALiBi', name, i === 0, () =>
        attention(tape, q, q, q, tiles, headDim, { bias: alibiBias(tape, 2) }),
      )
      plan('soft cap', name, i === 0, () =>
        attention(tape, q, q, q, tiles, headDim, { bias: softCapBias(tape, 50) }),
      )
      plan('relative', name, i === 0, () => {
        const distances = distanceRows(tape, (distance) => distance + 4, { back: 3, ahead: 3 })
        const bias = relativeBias(distances, { c2p: q, p2c: q })
        attention(tape, q, q, q, tiles, headDim, { bias })
      })
    }
  }
  const rows = tape.tensor([4], 'u32')
  for (const dtype of ['f32', 'f16', 'bf16', 'int8', 'int4'] satisfies LinearDtype[]) {
    const table = weightOf([8, 64], isQuantized(dtype) ? 'f16' : dtype)
    const words = new Uint32Array(8 * 64)
    const host = { ...table, dtype, shape: [8, 64] as const, words }
    plan(dtype, '', true, () => {
      const gathered = gatherTable(tape, host, new Uint32Array(4))
      embedRows(tape, gathered, host, 1)
      embed(tape, gathered, host, { type: { table, rows }, position: { table, rows } })
    })
  }
  for (const width of widths) {
    const row = tape.tensor([4, width])
    const vector = weightOf([width], 'f32')
    plan(`rows of ${width}`, '', true, () => {
      layerNorm(tape, row, { weight: vector, bias: vector, eps: 1e-5 })
      rmsNorm(tape, row, { weight: vector, eps: 1e-5, offset: 0 })
    })
  }
  plan('', '', true, () => {
    gatherRows(tape, x, rows)
    meanRows(tape, x, rows, rows)
    softCap(tape, tape.tensor([4, 1], 'f32'), 30)
    pairCosine(tape, x, tape.tensor([4, 2], 'u32'), { scale: 1, add: tape.tensor([4, 1], 'f32') })
    topK(tape, tape.tensor([4, 8], 'f32'), 2)
    headProducts(tape, x, x, { headDim: 32, first: 0, count: 4, scale: 1 })
    neighbors(tape, x, tape.tensor([4, 3], 'u32'), 1)
    rotary(tape, [x, x], [rows, rows], tape.tensor([8, 32], 'f32'))
  })
  return [...found.values()]
}
