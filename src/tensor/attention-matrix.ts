import type { AdapterFacts } from '../gpu/device.ts'
import { matrixOf } from './linear-matrix.ts'

/** Subgroups of a workgroup. */
const down = 4
/** Keys that a workgroup takes at a time: as many as its memory allows. */
const keySteps = [32, 16]

/**
 * The kernel that multiplies by subgroup matrices (tensor cores), f16 by f16 with sums in f32: shaders/attention_matrix.wgsl.
 * None where the adapter has no such matrices, or heads are not made of whole ones; for activations in f16.
 */
export function matrixAttention(facts: AdapterFacts, headDim: number) {
  const kernels = keySteps.map((keys) => kernelOf(facts, headDim, keys))
  return kernels.filter((kernel) => kernel !== undefined).slice(0, 1)
}

/** Sums of more columns do not fit the registers of a subgroup. */
const mostColumns = 128

function kernelOf(facts: AdapterFacts, headDim: number, keys: number) {
  const found = matrixOf(facts, keys)
  if (!found) return undefined
  const { matrix, lanes, isFixed } = found
  const { M, N, K } = matrix
  const rows = down * M
  const share = lanes / M // invocations that soften a row
  const invocations = down * lanes
  const side = invocations / keys // invocations that bring a key
  const sizes = {
    ...{ M, N, K, S: lanes, SIZED: isFixed ? 0 : 1, DOWN: down, KEYS: keys, HEAD: headDim },
    ...{ DEPTH: headDim / K, STEPS: keys / K, COLS: headDim / N, TILES: keys / N },
    EACH: keys / share,
    KEY_LOADS: Math.ceil(headDim / 8 / side),
  }
  // Lines of queries and of keys, of scores, and of weights, and a flag.
  const bytes = 2 * (rows + keys) * (headDim + 8) + rows * (4 * (keys + 4) + 2 * (keys + 8)) + 16
  const fits =
    headDim % 8 === 0 &&
    headDim <= mostColumns &&
    [side, ...Object.values(sizes)].every(Number.isInteger) &&
    bytes <= facts.maxWorkgroupMemory &&
    invocations <= facts.maxInvocations
  if (!fits) return undefined
  const features = ['subgroups', 'chromium_experimental_subgroup_matrix']
  const enable = isFixed ? features : [...features, 'subgroup_size_control']
  const name = 'attention_matrix'
  return { name, shader: name, rows, spec: { enable, sizes } } as const
}
