import type { AdapterFacts } from '../gpu/device.ts'
import type { KernelSpec } from '../gpu/kernel.ts'
import { type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** Which rows of the queries attend to which keys: one sequence of a batch. */
export interface AttentionSpan {
  /** First row of the queries, and how many there are. */
  readonly row: number
  readonly rows: number
  /** First key, and the end of the keys. */
  readonly key: number
  readonly keyEnd: number
}

interface AttentionKernel {
  readonly shader: KernelSpec['shader']
  /** Rows of queries that one workgroup takes. */
  readonly rows: number
  readonly spec: Pick<KernelSpec, 'enable' | 'sizes'>
}

/** The kernel for an adapter. Workgroup memory bounds how many keys a tile of {@link headDim} numbers holds. */
export function attentionKernel(facts: AdapterFacts, headDim: number): AttentionKernel {
  const { subgroupSize: lanes, software } = facts
  if (software && lanes >= 4 && lanes <= 32) {
    return {
      shader: 'attention_subgroup',
      rows: 8,
      spec: {
        enable: ['subgroups'],
        sizes: { S: lanes, ROWS: 8, MAX_HEAD_DIM: Math.ceil(headDim / lanes) * lanes },
      },
    }
  }
  const rows = 32
  const keys = Math.min(32, Math.floor(facts.maxWorkgroupMemory / (8 * headDim)))
  return {
    shader: 'attention_tiled',
    rows,
    spec: { sizes: { ROWS: rows, KEYS: keys, HEAD_DIM: headDim } },
  }
}

/** Cuts spans into the tiles of a kernel's workgroups: u32 [tiles, 4]. */
export function attentionTiles(
  spans: readonly AttentionSpan[],
  rowsPerTile: number,
): Uint32Array<ArrayBuffer> {
  const tiles = []
  for (const { row, rows, key, keyEnd } of spans) {
    for (let at = 0; at < rows; at += rowsPerTile) {
      tiles.push(row + at, Math.min(rowsPerTile, rows - at), key, keyEnd)
    }
  }
  return new Uint32Array(tiles)
}

/**
 * softmax(q · kᵀ / sqrt(headDim)) · v for each span and head (Vaswani et al. 2017).
 * q and the result: [rows, heads * headDim]; k, v: [tokens, heads * headDim]; tiles: u32 [tiles, 4] from
 * {@link attentionTiles} with the rows of {@link attentionKernel}.
 */
export function attention(
  tape: Tape,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  tiles: Tensor,
  heads: number,
): Tensor {
  const [, width = 0] = q.shape
  const headDim = width / heads
  expectShape('attention', 'k', k, [null, width])
  expectShape('attention', 'v', v, k.shape)
  expectShape('attention', 'tiles', tiles, [null, 4])
  const { shader, spec } = attentionKernel(tape.gpu.facts, headDim)
  const y = tape.tensor(q.shape)
  tape.run({
    label: 'attention',
    kernel: {
      shader,
      enable: [...(spec.enable ?? []), ...tapeFeatures(tape)],
      types: { T: tape.activations },
      ...(spec.sizes && { sizes: spec.sizes }),
    },
    params: { heads, head_dim: headDim, scale: 1 / Math.sqrt(headDim) },
    tensors: { q, k, v, tiles, y },
    workgroups: [tiles.shape[0] ?? 0, heads],
  })
  return y
}
