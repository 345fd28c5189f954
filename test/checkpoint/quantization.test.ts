import { describe, expect, it } from 'vitest'
import {
  bf16ToF32,
  Config,
  checkScales,
  dequantizeRows,
  isLayerMatrix,
  isWordTable,
  quantizeRows,
} from '../../src/checkpoint/index.ts'
import {
  quantizationConfig,
  quantizedTensors,
  readQuantization,
} from '../../src/checkpoint/quantization.ts'
import { Random } from '../mutations.ts'
import { dequantized } from '../tensor/harness.ts'
import { expectFault } from './folders.ts'

const dtypes = [
  { dtype: 'int8', bits: 8 },
  { dtype: 'int4', bits: 4 },
] as const

/** The nearest number of bf16, by trying its neighbours. */
function bf16(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer) as unknown as [number]
  const candidates = [bits >>> 16, (bits >>> 16) + 1].map(
    (pattern) => bf16ToF32(Uint16Array.of(pattern))[0]!,
  )
  const off = candidates.map((candidate) => Math.abs(candidate - value))
  // Halfway, the even pattern.
  if (off[0] === off[1]) return candidates[(bits >>> 16) & 1]!
  return off[0]! < off[1]! ? candidates[0]! : candidates[1]!
}

/** Of all numbers from 0 to 2^bits - 1, how far the nearest value of a grid is. */
function distance(value: number, scale: number, offset: number, bits: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let number = 0; number < 2 ** bits; number++) {
    least = Math.min(least, Math.abs(number * scale + offset - value))
  }
  return least
}

/** The grid from the least to the greatest of a group. */
function gridOf(group: readonly number[], bits: number): [scale: number, offset: number] {
  const least = bf16(Math.min(...group))
  return [bf16(Math.max(0, Math.max(...group) - least) / (2 ** bits - 1)), least]
}

/** The number at a place of a row. */
const numberAt = (row: Uint8Array, k: number, bits: number): number =>
  bits === 8 ? row[k]! : Math.floor(row[k >> 1]! / 16 ** (k % 2)) % 16

describe.each(dtypes)('$dtype', ({ dtype, bits }) => {
  const kinds: Record<string, (random: Random) => number> = {
    even: (random) => random.below(2 ** 20) / 2 ** 19 - 1,
    positive: (random) => 3 + random.below(2 ** 20) / 2 ** 20,
    'with outliers': (random) => (random.below(40) === 0 ? 50 : random.below(1000) / 1e3 - 0.5),
    'very small': (random) => (random.below(2000) - 1000) * 1e-33,
    'very large': (random) => (random.below(2000) - 1000) * 1e34,
    'all alike': () => -0.1,
    zero: () => 0,
  }
  // One, and just below, at and above one group and two.
  const widths = [1, 2, 31, 32, 33, 63, 64, 65]

  it.each(Object.keys(kinds))(
    'takes the nearest values between the least and the greatest: %s',
    (kind) => {
      const random = new Random(7)
      for (const inner of widths) {
        const rows = 1 + random.below(3)
        const values = Float32Array.from({ length: rows * inner }, () => kinds[kind]!(random))
        const groups = Math.ceil(inner / 32)
        const { numbers, scales } = quantizeRows(values, inner, dtype, 'w')
        const rowBytes = bits === 8 ? inner : Math.ceil(inner / 2)
        expect([numbers.length, scales.length]).toEqual([rows * rowBytes, rows * groups * 2])
        const pairs = bf16ToF32(scales)
        for (let row = 0; row < rows; row++) {
          const bytes = numbers.subarray(row * rowBytes, (row + 1) * rowBytes)
          for (let group = 0; group < groups; group++) {
            const [scale, offset] = pairs.subarray(2 * (row * groups + group))
            const ks = Array.from(
              { length: Math.min(32, inner - 32 * group) },
              (_, i) => 32 * group + i,
            )
            const weights = ks.map((k) => values[row * inner + k]!)
            expect([scale, offset]).toEqual(gridOf(weights, bits))
            const size = Math.max(...weights.map(Math.abs))
            weights.forEach((weight, i) => {
              const found = numberAt(bytes, ks[i]!, bits) * scale! + offset!
              const more = Math.abs(found - weight) - distance(weight, scale!, offset!, bits)
              expect(more, `${kind}, ${inner}: weight ${weight}`).toBeLessThanOrEqual(1e-12 * size)
            })
          }
        }
      }
    },
  )

  it('gives back the values of its grids', () => {
    const random = new Random(8)
    for (const inner of widths) {
      const values = Float32Array.from({ length: 3 * inner }, () => kinds.even!(random))
      const rows = quantizeRows(values, inner, dtype, 'w')
      expect(dequantizeRows(rows, inner, dtype)).toEqual(dequantized(rows, inner, dtype))
    }
  })

  it('refuses what is not finite', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const at of [0, 5, 39]) {
        const values = new Float32Array(40)
        values[at] = value
        await expectFault(
          () => quantizeRows(values, 20, dtype, 'layers.0.x'),
          'weights-not-finite',
          'tensor "layers.0.x" has a weight that is infinite or not a number',
        )
      }
    }
  })
})

it('puts weights back on a grid of fewer steps that they were on, and loses less of others', () => {
  const random = new Random(9)
  const squares = (values: Float32Array, fits: boolean) =>
    dequantizeRows(quantizeRows(values, 64, 'int4', 'w', fits), 64, 'int4').reduce(
      (sum, value, i) => sum + (value - values[i]!) ** 2,
      0,
    )
  for (const most of [1, 2, 7, 12, 14, 15]) {
    const grid = Float32Array.from({ length: 128 }, (_, i) =>
      // Both ends are there in each group.
      i % 32 < 2 ? (i % 2) * most * 0.25 - 1 : random.below(most + 1) * 0.25 - 1,
    )
    expect(squares(grid, true), `${most} steps`).toBe(0)
  }
  const others = Float32Array.from({ length: 6400 }, () => random.below(2 ** 20) / 2 ** 19 - 1)
  expect(squares(others, true)).toBeLessThan(squares(others, false))
  expect(squares(others, true)).toBeGreaterThan(0)
})

it('packs two numbers of four bits to a byte, each row on its own', () => {
  const row = [0, 1, 2, 3, 15]
  const { numbers, scales } = quantizeRows(
    Float32Array.of(...row, ...row.toReversed()),
    5,
    'int4',
    'w',
  )
  expect([...numbers]).toEqual([0x10, 0x32, 0x0f, 0x3f, 0x12, 0x00])
  // bf16 has 1 as 0x3f80.
  expect([...scales]).toEqual([0x3f80, 0, 0x3f80, 0])
})

it('stores a matrix of three rows of 33 as numbers, and two groups for each row', () => {
  const scales = { name: 'w.scales', shape: [3, 2, 2] }
  for (const [dtype, bytes] of [
    ['int8', 33],
    ['int4', 17],
  ] as const) {
    const numbers = { name: 'w', shape: [3, bytes] }
    expect(quantizedTensors('w', [3, 33], dtype)).toEqual({ numbers, scales })
  }
})

it.each([
  ['roberta.encoder.layer.11.attention.self.query.weight', true],
  ['model.layers.0.mlp.up_proj.weight', true],
  ['layers.0.weight', true],
  ['model.layers.0.self_attn.q_proj.bias', false],
  ['model.embed_tokens.weight', false],
  ['lm_head.0.linear_head.weight', false],
  ['classifier.dense.weight', false],
  ['players.0.x.weight', false],
  ['model.layers.x.weight', false],
  ['model.layers.0.mlp.up_proj.weight.scales', false],
])('%s is a matrix of a layer: %s', (name, expected) => {
  expect(isLayerMatrix(name)).toBe(expected)
})

it.each([
  ['roberta.embeddings.word_embeddings.weight', true],
  ['embeddings.word_embeddings.weight', true],
  ['model.embed_tokens.weight', true],
  ['model.embeddings.tok_embeddings.weight', true],
  ['lm_head.weight', true],
  ['lm_head.0.linear_head.weight', false],
  ['embeddings.position_embeddings.weight', false],
  ['embeddings.token_type_embeddings.weight', false],
  ['deberta.encoder.rel_embeddings.weight', false],
  ['lm_head.weight.scales', false],
  ['my_lm_head.weight', false],
])('%s has a row for each word: %s', (name, expected) => {
  expect(isWordTable(name)).toBe(expected)
})

it.each([
  ['infinity', 0x7f80],
  ['minus infinity', 0xff80],
  ['not a number', 0x7fc1],
])('a scale or an offset that is %s is refused', async (_, pattern) => {
  checkScales(Uint16Array.of(0x3f80, 0, 0x7f7f, 0xff7f), 'w')
  for (const at of [0, 3]) {
    await expectFault(
      () => checkScales(new Uint16Array(4).fill(pattern, at, at + 1), 'w'),
      'weights-not-finite',
      'tensor "w.scales" has a scale or an offset that is infinite or not a number; is the file damaged?',
    )
  }
})

describe('quantization_config', () => {
  const config = (section: unknown) => new Config('config.json', { quantization_config: section })

  it('says what the writer wrote', () => {
    for (const { dtype } of dtypes) {
      const written = quantizationConfig(dtype, 'int8')
      expect(readQuantization(config(written))).toEqual({ layers: dtype, words: 'int8' })
      const { embedding_bits, ...older } = written
      expect(embedding_bits).toBe(8)
      expect(readQuantization(config(older))).toEqual({ layers: dtype, words: undefined })
      const fewer = quantizationConfig(dtype, 'int4')
      expect(readQuantization(config(fewer))).toEqual({ layers: dtype, words: 'int4' })
    }
    expect(readQuantization(new Config('config.json', {}))).toBeUndefined()
    expect(readQuantization(config(null))).toBeUndefined()
  })

  const written = quantizationConfig('int8', 'int8')
  it.each<[unknown, string, string]>([
    [[], 'config-invalid', 'found a list of 0; expected an object'],
    ['dawnrank', 'config-invalid', 'found "dawnrank"; expected an object'],
    [{}, 'config-invalid', '"quant_method" is missing'],
    [
      { quant_method: 'gptq', bits: 4 },
      'quantization-unsupported',
      'the weights are quantized by "gptq"; expected "dawnrank" or none',
    ],
    [{ ...written, bits: '8' }, 'config-invalid', '"bits" is "8"; expected a whole number'],
    [{ ...written, bits: 2 }, 'quantization-unsupported', 'bits is 2; expected 8 or 4'],
    [
      { ...written, embedding_bits: 6 },
      'quantization-unsupported',
      'embedding_bits is 6; expected 8 or 4',
    ],
    [
      { ...written, embedding_bits: '8' },
      'config-invalid',
      '"embedding_bits" is "8"; expected a whole number',
    ],
    [{ ...written, group_size: 0 }, 'quantization-unsupported', 'group_size is 0; expected 32'],
    [{ ...written, group_size: 1e300 }, 'config-invalid', '"group_size" is 1e+300'],
  ])('%j is refused', async (section, code, message) => {
    await expectFault(() => readQuantization(config(section)), code, message)
  })
})
