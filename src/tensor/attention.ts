import type { AdapterFacts, Gpu } from '../gpu/device.ts'
import { GpuError } from '../gpu/errors.ts'
import type { KernelSpec } from '../gpu/kernel.ts'
import { matrixAttention } from './attention-matrix.ts'
import { costRanges, rowsIn } from './parts.ts'
import { type OperationPart, type Tape, tapeFeatures } from './tape.ts'
import { expectShape, type Tensor } from './tensor.ts'

/** Which rows of the queries attend to which keys: one sequence of a batch. */
export interface AttentionSpan {
  /** First row of the queries, and how many there are. */
  readonly row: number
  readonly rows: number
  /** Where the first of these rows stands in its sequence. */
  readonly position: number
  /** First row of the sequence's own keys, and how many there are. */
  readonly key: number
  readonly keys: number
  /** Keys that come before them, shared with other sequences. */
  readonly prefix?: { readonly key: number; readonly keys: number } | undefined
}

/** Which keys a query sees. */
export interface AttentionMask {
  /** None after its own position. */
  readonly causal?: boolean
  /** Of these only those less than so many positions away, on both sides where not causal; 0 for all. */
  readonly window?: number
}

/** A term of the scores: the file that adds it (a `score_bias` of shaders/), its constants, and what it reads. */
export interface ScoreBias {
  readonly library: 'score_bias_alibi' | 'score_bias_relative' | 'score_bias_soft_cap'
  readonly sizes?: Readonly<Record<string, number>>
  readonly tensors: Readonly<Record<string, Tensor>>
}

export interface AttentionOptions extends AttentionMask {
  /** What products of queries and keys are multiplied with. Default: 1 / sqrt(headDim). */
  readonly scale?: number
  readonly bias?: ScoreBias | undefined
}

export interface AttentionKernel {
  /** What `kernels` calls it. */
  readonly name: string
  readonly shader: KernelSpec['shader']
  /** Rows of queries that one workgroup takes. */
  readonly rows: number
  readonly spec: Pick<KernelSpec, 'enable' | 'sizes' | 'libraries'>
}

/** The kernels for an adapter, the one that is used unless tuning finds another the first. Activations in f16 may be multiplied by matrices. */
export function attentionKernels(
  facts: AdapterFacts,
  headDim: number,
  activations: 'f32' | 'f16' = 'f32',
): [AttentionKernel, ...AttentionKernel[]] {
  const matrices = activations === 'f16' ? matrixAttention(facts, headDim) : []
  const others = fmaKernels(facts, headDim)
  // Processors have no unit for them.
  const all = facts.software ? [...others, ...matrices] : [...matrices, ...others]
  return all as typeof others
}

function fmaKernels(facts: AdapterFacts, headDim: number): [AttentionKernel, ...AttentionKernel[]] {
  const { subgroupSize: lanes, software, maxWorkgroupMemory } = facts
  const tiled = tiledKernel(facts, headDim)
  const quads = Math.ceil(headDim / 4 / lanes)
  const fits = headDim % 4 === 0 && 32 * quads * lanes * lanes <= maxWorkgroupMemory
  if (!software || lanes < 4 || lanes > 32 || !fits) return [tiled]
  const own: AttentionKernel = {
    name: 'attention_subgroup',
    shader: 'attention_subgroup',
    rows: 2 * lanes,
    spec: { enable: ['subgroups'], sizes: { S: lanes, QUADS: quads } },
  }
  return [own, tiled]
}

/** Sizes of shaders/attention_tiled.wgsl. */
interface TileShape {
  /** Invocations that share a row, the rows of each, and quads of columns of the sums of each. */
  readonly lanes: number
  readonly each: number
  readonly own: number
  readonly invocations: number
  /** Quads of columns that are in workgroup memory at a time. */
  readonly depth: number
}

const rowsOf = ({ invocations, each, lanes }: TileShape) => (invocations / lanes) * each

/** Bytes of workgroup memory: queries, keys, weights, and numbers of each row. */
function tileBytes(shape: TileShape): number {
  const { lanes, depth } = shape
  const rows = rowsOf(shape)
  return 16 * (rows * depth + 4 * lanes * (depth + 1) + rows * lanes) + 4 * rows * (lanes + 3)
}

/** What an adapter's invocations and workgroups take: rows of an invocation, the most quads of its sums, and invocations. */
interface TileLimits {
  readonly each: number
  readonly most: number
  readonly invocations: number
}

/**
 * Limits that keep sums in registers: AMD and NVIDIA, by subgroups of 32 to 64, have the most, and adapters whose subgroups may
 * be of 8 or 16 invocations, as a rule, the fewest. Compilers for processors take long over more code, and with subgroups of 4
 * the many subgroups of a workgroup cost the most.
 */
function tileLimits(facts: AdapterFacts, quads: number): TileLimits {
  const { software, subgroupMinSize, subgroupMaxSize, maxWorkgroupMemory } = facts
  if (software && subgroupMaxSize === 4) return { each: 4, most: 4, invocations: 16 }
  const isNarrow = subgroupMinSize >= 8 && subgroupMinSize <= 16 && subgroupMaxSize <= 32
  if (software || isNarrow) {
    return { each: quads <= 32 ? 2 : 1, most: quads <= 32 ? 1 : 2, invocations: 256 }
  }
  const isLarge = subgroupMinSize >= 32 && subgroupMaxSize <= 64 && maxWorkgroupMemory >= 32768
  if (isLarge && quads <= 32) return { each: 8, most: 3, invocations: 64 }
  return { each: 4, most: 4, invocations: 64 }
}

/** The largest shape within these limits and an adapter's workgroup memory. */
function tileShape(facts: AdapterFacts, headDim: number): TileShape {
  const quads = Math.ceil(headDim / 4)
  const { each, most, invocations } = tileLimits(facts, quads)
  let lanes = 8
  while (lanes * most < quads) lanes *= 2
  const own = Math.ceil(quads / lanes)
  const wanted = Math.min(invocations, facts.maxInvocations)
  const shapes = [256, 128, 64, 32, 16]
    .filter((count) => lanes <= count && count <= wanted)
    .flatMap((count) => [8, 4].map((depth) => ({ lanes, each, own, invocations: count, depth })))
  const shape = shapes.find((shape) => tileBytes(shape) <= facts.maxWorkgroupMemory)
  if (shape) return shape
  throw new GpuError(
    'limit-exceeded',
    `attention: found heads of ${headDim} numbers; their tiles do not fit the ${facts.maxWorkgroupMemory} bytes of workgroup memory that this adapter has`,
  )
}

/** shaders/attention_tiled.wgsl */
function tiledKernel(facts: AdapterFacts, headDim: number): AttentionKernel {
  const shape = tileShape(facts, headDim)
  const { lanes, each, own, depth } = shape
  return {
    name: 'attention_tiled',
    shader: 'attention_tiled',
    rows: rowsOf(shape),
    spec: {
      sizes: { ROWS: rowsOf(shape), EACH: each, LANES: lanes, DEPTH: depth, OWN: own },
      libraries: { attention_heads: headDim % 4 === 0 ? 'attention_heads' : 'attention_heads_odd' },
    },
  }
}

/** What the tuned kernel for heads is kept under: with activations in f16 there may be others. */
export const tunedAttention = (headDim: number, activations: 'f32' | 'f16'): string =>
  activations === 'f16' ? `attention ${headDim} of f16` : `attention ${headDim}`

/** The kernel for heads on a device. Chosen by these and the dtype of activations alone, never by the batch. */
export const attentionKernel = (
  { choices, facts }: Gpu,
  headDim: number,
  activations: 'f32' | 'f16' = 'f32',
): AttentionKernel =>
  choices.pick(
    `attention ${headDim}`,
    attentionKernels(facts, headDim, activations),
    tunedAttention(headDim, activations),
  )

/** The table of tiles on the device, and the rows and keys of each. */
export interface AttentionTiles extends Tensor {
  readonly spans: readonly AttentionSpan[]
  readonly kernel: AttentionKernel
}

/** Numbers of a row of the table of tiles: struct Tile of shaders/attention_tile.wgsl. */
const tileFields = 8

/** Cuts spans into the tiles of a kernel's workgroups: u32 [tiles, 8]. */
export function attentionTiles(
  tape: Tape,
  spans: readonly AttentionSpan[],
  headDim: number,
  kernel: AttentionKernel = attentionKernel(tape.gpu, headDim, tape.activations),
): AttentionTiles {
  const cut = spans.flatMap((span) => tilesOf(span, kernel.rows))
  const tiles = cut.flatMap(({ row, rows, position, key, keys, prefix }) => {
    const before = prefix?.keys ?? 0
    return [row, rows, position, before + keys, prefix?.key ?? 0, before, key, 0]
  })
  const shape = [cut.length, tileFields]
  return { ...tape.upload(new Uint32Array(tiles), shape, 'u32'), spans: cut, kernel }
}

/** A span in pieces of so many rows. */
const tilesOf = (span: AttentionSpan, perTile: number): AttentionSpan[] =>
  Array.from({ length: Math.ceil(span.rows / perTile) }, (_, i) => {
    const at = i * perTile
    const rows = Math.min(perTile, span.rows - at)
    return { ...span, row: span.row + at, rows, position: span.position + at }
  })

/** How many keys the queries of a span see, all queries together. */
function keysSeen(
  { rows, position, keys, prefix }: AttentionSpan,
  { causal, window = 0 }: AttentionMask,
): number {
  const all = keys + (prefix?.keys ?? 0)
  let seen = 0
  for (let row = 0; row < rows; row++) {
    const own = position + row
    const end = causal ? own + 1 : all
    seen += window > 0 ? Math.min(end, own + window) - Math.max(0, own + 1 - window) : end
  }
  return seen
}

/**
 * softmax(q · kᵀ * scale + bias) · v for each span and head (Vaswani et al. 2017); heads share keys and values in
 * equal groups where k and v are narrower than q (Ainslie et al. 2023).
 * q and the result: [rows, heads * headDim]; k, v: [tokens, kvHeads * headDim]; tiles: from {@link attentionTiles}.
 */
export function attention(
  tape: Tape,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  tiles: AttentionTiles,
  headDim: number,
  options: AttentionOptions = {},
): Tensor {
  const { causal = false, window = 0, scale = 1 / Math.sqrt(headDim), bias } = options
  const [, width = 0] = q.shape
  const [, keyWidth = 0] = k.shape
  const heads = width / headDim
  const group = width / keyWidth
  expectShape('attention', 'q', q, [null, Math.ceil(heads) * headDim])
  expectShape('attention', 'k', k, [null, width / Math.ceil(group)])
  expectShape('attention', 'v', v, k.shape)
  expectShape('attention', 'tiles', tiles, [null, tileFields])
  const { shader, spec } = tiles.kernel
  const y = tape.tensor(q.shape)
  const flopsOf = (span: AttentionSpan) => 4 * headDim * keysSeen(span, options)
  const flops = heads * tiles.spans.reduce((sum, span) => sum + flopsOf(span), 0)
  tape.run({
    label: 'attention',
    kernel: {
      shader,
      enable: [...(spec.enable ?? []), ...tapeFeatures(tape)],
      types: { T: tape.activations },
      sizes: { ...spec.sizes, ...bias?.sizes },
      libraries: { ...spec.libraries, ...(bias && { score_bias: bias.library }) },
    },
    params: {
      heads,
      group,
      head_dim: headDim,
      scale,
      causal: causal ? 1 : 0,
      window,
      first_head: 0,
      depth: spec.sizes?.DEPTH ?? 0,
    },
    tensors: { q, k, v, tiles, y, ...bias?.tensors },
    workgroups: [tiles.spans.length, heads],
    flops,
    divide: (parts) => divide(tiles, heads, flopsOf, flops / parts),
  })
  return y
}

/** Parts of at most so many operations: some of the tiles, and where these alone are too many, some of the heads. */
function divide(
  tiles: AttentionTiles,
  heads: number,
  flopsOf: (span: AttentionSpan) => number,
  most: number,
): OperationPart[] {
  const costs = tiles.spans.map((span) => heads * flopsOf(span))
  return costRanges(costs, most, tiles).flatMap((range) => {
    const spans = tiles.spans.slice(range.first, range.first + range.count)
    const perHead = spans.reduce((sum, span) => sum + flopsOf(span), 0)
    const each = Math.max(1, Math.min(heads, Math.floor(most / perHead)))
    return Array.from({ length: Math.ceil(heads / each) }, (_, i) => {
      const count = Math.min(each, heads - i * each)
      return {
        params: { first_head: i * each },
        tensors: { tiles: rowsIn(tiles, range) },
        workgroups: [range.count, count],
        flops: count * perHead,
      } as const
    })
  })
}
