import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quantizeRows } from '../../src/checkpoint/index.ts'
import { Gpu } from '../../src/gpu/device.ts'
import { ropeFrequencies } from '../../src/models/rope-scaling.ts'
import { embed, embedRows, gatherTable } from '../../src/tensor/embedding.ts'
import { gatherRows } from '../../src/tensor/gather-rows.ts'
import { headProducts } from '../../src/tensor/head-products.ts'
import { layerNorm } from '../../src/tensor/layer-norm.ts'
import { groupedRows } from '../../src/tensor/layout.ts'
import { neighbors } from '../../src/tensor/neighbors.ts'
import { rmsNorm } from '../../src/tensor/rms-norm.ts'
import { rotary, rotaryTable } from '../../src/tensor/rotary.ts'
import { softCap } from '../../src/tensor/soft-cap.ts'
import type { Tape } from '../../src/tensor/tape.ts'
import {
  activation,
  asWords,
  expectClose,
  randomNumbers,
  runOn,
  stored,
  table,
  vector,
  withFacts,
  withoutSubgroups,
} from './harness.ts'

/** (x - mean) / sqrt(var + eps) * weight + bias by plain loops in double precision. */
function layerNormReference(
  x: Float32Array,
  width: number,
  weight: Float32Array,
  bias: Float32Array,
  eps: number,
): number[] {
  const out: number[] = []
  for (let start = 0; start < x.length; start += width) {
    const row = Array.from(x.subarray(start, start + width))
    const mean = row.reduce((a, b) => a + b, 0) / width
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / width
    row.forEach((value, i) => {
      out.push(((value - mean) / Math.sqrt(variance + eps)) * weight[i]! + bias[i]!)
    })
  }
  return out
}

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

type Numbers = Float32Array<ArrayBuffer>

/** The kernels of norms, by the facts for which they are chosen. */
const kinds: Readonly<Record<string, (gpu: Gpu) => Gpu>> = {
  'own kernel': (gpu) => gpu,
  'kernel without subgroups': withoutSubgroups,
  'kernel of GPUs': (gpu) => withFacts(gpu, { software: false, subgroupSize: 0 }),
}

describe('layerNorm', () => {
  for (const [kind, chosen] of Object.entries(kinds)) {
    it(`equals the reference, ${kind}`, async () => {
      const on = chosen(gpu)
      for (const [rows, width] of [
        [1, 1],
        [3, 7],
        [2, 8],
        [5, 36],
        [3, 63],
        [2, 64],
        [4, 65],
        [3, 124],
        [2, 132],
        [3, 384],
        [1, 1028],
      ] as const) {
        const x = randomNumbers(1, rows * width).map((v) => 5 * v + 2)
        const [weight, bias] = [randomNumbers(2, width), randomNumbers(3, width)]
        const norm = {
          weight: vector(gpu, 'norm.weight', weight),
          bias: vector(gpu, 'norm.bias', bias),
          eps: 1e-5,
        }
        const found = await runOn(on, 'f32', (tape) =>
          layerNorm(tape, activation(tape, x, [rows, width]), norm),
        )
        const other = randomNumbers(4, rows * width)
        const added = await runOn(on, 'f32', (tape) => {
          const [input, more] = [x, other].map((own) => activation(tape, own, [rows, width]))
          return layerNorm(tape, input!, norm, more)
        })
        const expected = layerNormReference(x, width, weight, bias, 1e-5)
        expectClose(found, expected, 3e-6, `${rows} x ${width}`)
        const sums = expected.map((value, i) => value + other[i]!)
        expectClose(added, sums, 3e-6, `${rows} x ${width}, added to another`)
      }
    })
  }
})

describe('rmsNorm', () => {
  for (const [kind, chosen] of Object.entries(kinds)) {
    it(`equals the reference, ${kind}`, async () => {
      const on = chosen(gpu)
      for (const [rows, width, offset] of [
        [1, 1, 0],
        [3, 7, 1],
        [5, 65, 0],
        [2, 384, 1],
        [1, 2304, 1],
      ] as const) {
        const x = randomNumbers(1, rows * width).map((v) => 5 * v + 2)
        const weight = randomNumbers(2, width)
        const norm = { weight: vector(gpu, 'norm.weight', weight), eps: 1e-6, offset }
        const found = await runOn(on, 'f32', (tape) =>
          rmsNorm(tape, activation(tape, x, [rows, width]), norm),
        )
        const other = randomNumbers(3, rows * width)
        const added = await runOn(on, 'f32', (tape) => {
          const [input, more] = [x, other].map((own) => activation(tape, own, [rows, width]))
          return rmsNorm(tape, input!, norm, more)
        })
        const expected = Array.from(x, (value, i) => {
          const row = x.subarray(i - (i % width), i - (i % width) + width)
          const mean = row.reduce((sum, v) => sum + v * v, 0) / width
          return (value / Math.sqrt(mean + 1e-6)) * (weight[i % width]! + offset)
        })
        expectClose(found, expected, 3e-6, `${rows} x ${width}`)
        const sums = expected.map((value, i) => value + other[i]!)
        expectClose(added, sums, 3e-6, `${rows} x ${width}, added to another`)
      }
    })
  }
})

describe('softCap', () => {
  it.each([1, 63, 64, 65])('of %d scores is never beyond the cap', async (count) => {
    const x = randomNumbers(1, count).map((value, i) => value * 10 ** (i % 8))
    const found = await runOn(gpu, 'f32', (tape) =>
      softCap(tape, activation(tape, x, [count, 1]), 8),
    )
    const expected = Array.from(x, (value) => 8 * Math.tanh(value / 8))
    expectClose(found, expected, 1e-6, `${count}`)
  })

  it('leaves what is not finite', async () => {
    const x = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38)
    const found = await runOn(gpu, 'f32', (tape) => softCap(tape, activation(tape, x, [4, 1]), 8))
    expect([...found]).toEqual([Number.NaN, Infinity, -Infinity, 8])
  })
})

describe('rotary', () => {
  const [headDim, half] = [10, 5]
  const turns = rotaryTable(301, ropeFrequencies({ theta: 10000 }, headDim))
  const turned = (x: Float32Array, positions: Uint32Array) => {
    const width = x.length / positions.length
    return Array.from(x, (value, i) => {
      const [d, position] = [i % headDim, positions[Math.floor(i / width)]!]
      const angle = position * 10000 ** ((-2 * (d % half)) / headDim)
      const other = d < half ? -x[i + half]! : x[i - half]!
      return value * Math.cos(angle) + other * Math.sin(angle)
    })
  }

  it.each([
    ['all tokens', [0, 1, 2, 300, 7]],
    ['those that are scored', [300, 7]],
  ])('turns the halves of each head by position and frequency: queries of %s', async (_, own) => {
    const keyed = new Uint32Array([0, 1, 2, 300, 7])
    const positions = new Uint32Array(own)
    const q = randomNumbers(1, positions.length * 3 * headDim)
    const k = randomNumbers(2, keyed.length * 2 * headDim)
    for (const which of [0, 1] as const) {
      const found = await runOn(gpu, 'f32', (tape) => {
        const upload = (x: Uint32Array<ArrayBuffer>) => tape.upload(x, [x.length], 'u32')
        const ofKeys = upload(keyed)
        const ofQueries = positions.length === keyed.length ? ofKeys : upload(positions)
        const heads = [
          activation(tape, q, [positions.length, 3 * headDim]),
          activation(tape, k, [keyed.length, 2 * headDim]),
        ] as const
        const table = tape.upload(turns, [301, headDim], 'f32')
        return rotary(tape, heads, [ofQueries, ofKeys], table)[which]
      })
      expectClose(found, which === 0 ? turned(q, positions) : turned(k, keyed), 2e-5, 'turned')
    }
  })
})

describe('gatherRows', () => {
  it('gives the rows asked for, also repeated and out of order', async () => {
    const [width, rows] = [67, [4, 0, 4, 2]]
    const x = randomNumbers(1, 5 * width)
    const found = await runOn(gpu, 'f32', (tape) =>
      gatherRows(
        tape,
        activation(tape, x, [5, width]),
        tape.upload(new Uint32Array(rows), [rows.length], 'u32'),
      ),
    )
    expect([...found]).toEqual(rows.flatMap((row) => [...x.slice(row * width, (row + 1) * width)]))
  })
})

describe('embed', () => {
  for (const dtype of ['f32', 'f16', 'bf16'] as const) {
    it(`adds word, token type and position rows of ${dtype}, of odd widths too`, async () => {
      for (const width of [1, 8, 35, 130]) {
        const ids = new Uint32Array([6, 0, 6, 3])
        const types = new Uint32Array([0, 1, 1, 0])
        const positions = new Uint32Array([2, 3, 1, 2])
        const tables = [7, 2, 4].map((rows, i) => randomNumbers(i, rows * width))
        const [words, typeRows, places] = tables as [Numbers, Numbers, Numbers]
        const padded = 2 * Math.ceil(width / 2)
        const host = {
          name: 'words',
          shape: [7, width] as const,
          dtype,
          words: asWords(words, dtype, width, padded),
        }
        const type = table(gpu, 'types', typeRows, [2, width], dtype)
        const position = table(gpu, 'positions', places, [4, width], dtype)
        for (const terms of ['both', 'type', 'position', 'none']) {
          const [hasType, hasPosition] = [
            ['both', 'type'].includes(terms),
            ['both', 'position'].includes(terms),
          ]
          const found = await runOn(gpu, 'f32', (tape) =>
            embed(tape, gatherTable(tape, host, ids), host, {
              ...(hasType && { type: { table: type, rows: tape.upload(types, [4], 'u32') } }),
              ...(hasPosition && {
                position: { table: position, rows: tape.upload(positions, [4], 'u32') },
              }),
            }),
          )
          const [w, k, p] = tables.map((numbers) => stored(numbers, dtype)) as [
            Float32Array,
            Float32Array,
            Float32Array,
          ]
          const expected = Array.from(ids, (id, t) =>
            Array.from(
              { length: width },
              (_, i) =>
                w[id * width + i]! +
                (hasType ? k[types[t]! * width + i]! : 0) +
                (hasPosition ? p[positions[t]! * width + i]! : 0),
            ),
          ).flat()
          expectClose(found, expected, 1e-6, `width ${width}, ${terms}`)
        }
      }
    })
  }
})

describe('rows of whole numbers', () => {
  const ids = new Uint32Array([6, 0, 6, 3])

  it.each([
    ['int8', 'f32'],
    ['int8', 'f16'],
    ['int8', 'bf16'],
    ['int4', 'f16'],
  ] as const)('of %s are added to tables of %s, and scaled', async (dtype, tableDtype) => {
    // 1, and just below, at and above a group and two; more than a workgroup has.
    for (const width of [1, 2, 31, 32, 33, 63, 64, 65, 130, 384]) {
      const [words, positions] = [7, 4].map((rows, i) => randomNumbers(i, rows * width)) as [
        Numbers,
        Numbers,
      ]
      const { numbers, scales } = quantizeRows(words, width, dtype, 'words')
      const shape = [7, width] as const
      const host = {
        name: 'words',
        shape,
        dtype,
        words: groupedRows(numbers, scales, width, dtype),
      }
      const position = table(gpu, 'positions', positions, [4, width], tableDtype)
      const places = new Uint32Array([2, 3, 1, 2])
      const rows = (tape: Tape) => gatherTable(tape, host, ids)
      const summed = await runOn(gpu, 'f32', (tape) =>
        embed(tape, rows(tape), host, {
          position: { table: position, rows: tape.upload(places, [4], 'u32') },
        }),
      )
      const alone = await runOn(gpu, 'f32', (tape) => embed(tape, rows(tape), host, {}))
      const scaled = await runOn(gpu, 'f32', (tape) => embedRows(tape, rows(tape), host, 3))
      const [w, p] = [stored(words, dtype, width), stored(positions, tableDtype)]
      const expected = [...ids].flatMap((id) => [...w.slice(id * width, (id + 1) * width)])
      // The kernel's values are the format's to the bit.
      expect([...alone], `width ${width}`).toEqual(expected)
      const at = (i: number) => p[places[Math.floor(i / width)]! * width + (i % width)]!
      expectClose(
        summed,
        expected.map((value, i) => value + at(i)),
        1e-6,
        `width ${width}, sum`,
      )
      expectClose(
        scaled,
        expected.map((value) => 3 * value),
        1e-6,
        `width ${width}, scaled`,
      )
    }
  })
})

describe('headProducts', () => {
  for (const [kind, chosen] of Object.entries(kinds)) {
    it.each([
      [1, 1, 4, 1],
      [15, 2, 8, 31],
      [17, 3, 20, 33],
      [65, 2, 18, 65],
      [64, 1, 64, 64],
    ])(
      `${kind}: %d rows, %d heads of %d, %d rows of the table`,
      async (rows, heads, headDim, count) => {
        const width = heads * headDim
        const x = randomNumbers(1, rows * width)
        // Rows that are not asked for are not read.
        const table = randomNumbers(2, (count + 3) * width)
          .fill(Number.NaN, 0, 2 * width)
          .fill(Number.NaN, (count + 2) * width)
        const on = chosen(gpu)
        const found = await runOn(on, 'f32', (tape) =>
          headProducts(
            tape,
            activation(tape, x, [rows, width]),
            activation(tape, table, [count + 3, width]),
            { headDim, first: 2, count, scale: 0.5 },
          ),
        )
        const stride = found.length / (rows * heads)
        expect(stride).toBe(4 * Math.ceil(count / 4))
        const kept = found.filter((_, i) => i % stride < count)
        const expected = Array.from({ length: rows * heads * count }, (_, i) => {
          const [row, head, r] = [
            Math.floor(i / (heads * count)),
            Math.floor(i / count) % heads,
            i % count,
          ]
          let dot = 0
          for (let at = head * headDim; at < (head + 1) * headDim; at++) {
            dot += x[row * width + at]! * table[(r + 2) * width + at]!
          }
          return 0.5 * dot
        })
        expectClose(kept, expected, 1e-5, 'products')
      },
    )
  }
})

it('neighbors of a row are those of its sequence', async () => {
  const [width, tokens] = [3, 6]
  const x = randomNumbers(3, tokens * width)
  const spans = [
    [0, 0, 4],
    [1, 0, 4],
    [3, 0, 4],
    [4, 4, 6],
    [5, 4, 6],
  ]
  for (const reach of [0, 1, 3]) {
    const found = await runOn(gpu, 'f32', (tape) => {
      const table = tape.upload(Uint32Array.from(spans.flat()), [spans.length, 3], 'u32')
      return neighbors(tape, activation(tape, x, [tokens, width]), table, reach)
    })
    const size = 2 * reach + 1
    const expected = spans.flatMap(([row = 0, first = 0, end = 0]) =>
      Array.from({ length: width * size }, (_, i) => {
        const at = row + (i % size) - reach
        return at >= first && at < end ? x[at * width + Math.floor(i / size)]! : 0
      }),
    )
    expect([...found]).toEqual(expected)
  }
})
