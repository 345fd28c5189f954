import { describe, expect, it } from 'vitest'
import { converted, type FloatDtype } from '../../src/checkpoint/float.ts'
import {
  bf16ToF32,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  storedToF32,
} from '../../src/checkpoint/index.ts'
import { Random } from '../mutations.ts'

const allCodes = Uint16Array.from({ length: 0x10000 }, (_, code) => code)

/** The value of an f16 pattern by the definition of the format, in float64. */
function f16Value(code: number): number {
  const sign = code & 0x8000 ? -1 : 1
  const exponent = (code >> 10) & 0x1f
  const mantissa = code & 0x3ff
  if (exponent === 31) return mantissa ? Number.NaN : sign * Infinity
  return exponent ? sign * 2 ** (exponent - 25) * (1024 + mantissa) : sign * 2 ** -24 * mantissa
}

/** The value of a bf16 pattern by the definition of the format, in float64. */
function bf16Value(code: number): number {
  const sign = code & 0x8000 ? -1 : 1
  const exponent = (code >> 7) & 0xff
  const mantissa = code & 0x7f
  if (exponent === 255) return mantissa ? Number.NaN : sign * Infinity
  return exponent ? sign * 2 ** (exponent - 134) * (128 + mantissa) : sign * 2 ** -133 * mantissa
}

const f16Values = Array.from({ length: 0x7c00 }, (_, code) => f16Value(code))
const bf16Values = Array.from({ length: 0x7f80 }, (_, code) => bf16Value(code))

/**
 * The pattern nearest to x by search among all finite values of a format, least first; of two as
 * near, the even pattern. Above the largest, rounding goes on as if one more value stood there, and
 * that one is infinity.
 */
function nearest(values: readonly number[], x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0
  const magnitude = Math.abs(x)
  let low = 0
  let high = values.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (values[middle]! <= magnitude) low = middle
    else high = middle - 1
  }
  const next = values[low + 1] ?? 2 * values[low]! - values[low - 1]!
  const below = magnitude - values[low]!
  const above = next - magnitude
  const up = above < below || (above === below && low % 2 === 1)
  return sign | (up ? low + 1 : low)
}

/** The middles between neighbours, with the f32 just below and above: both ends of every interval that rounds to one pattern. */
function borders(values: readonly number[]): Float32Array {
  const found: number[] = []
  for (let code = 0; code < values.length; code++) {
    const next = values[code + 1] ?? 2 * values[code]! - values[code - 1]!
    const bits = f32Bits(Float32Array.of((values[code]! + next) / 2))[0]!
    const around = new Float32Array(Uint32Array.of(bits - 1, bits, bits + 1).buffer)
    for (const x of around) found.push(x, -x)
  }
  return Float32Array.from(found)
}

const f32Bits = (x: Float32Array) => new Uint32Array(x.buffer, x.byteOffset, x.length)

function wrong(found: ArrayLike<number>, wanted: (i: number) => number): string[] {
  const faults: string[] = []
  for (let i = 0; i < found.length; i++) {
    if (!Object.is(found[i], wanted(i))) faults.push(`${i}: ${found[i]}, not ${wanted(i)}`)
  }
  return faults.slice(0, 5)
}

describe('f16 to f32', () => {
  it('is exact for all 65,536 codes', () => {
    expect(wrong(f16ToF32(allCodes), f16Value)).toEqual([])
  })

  it('keeps sign and payload of a NaN', () => {
    expect([...f32Bits(f16ToF32(Uint16Array.of(0x7c01, 0x7e00, 0xffff)))]).toEqual([
      0x7f802000, 0x7fc00000, 0xffffe000,
    ])
  })
})

describe('bf16 to f32', () => {
  it('is exact for all 65,536 codes', () => {
    expect(wrong(bf16ToF32(allCodes), bf16Value)).toEqual([])
  })

  it('keeps the pattern as the upper half', () => {
    expect(wrong(f32Bits(bf16ToF32(allCodes)), (code) => code * 0x10000)).toEqual([])
  })
})

describe.each([
  { name: 'f16', narrow: f32ToF16, widen: f16ToF32, values: f16Values, quiet: 0x0200 },
  { name: 'bf16', narrow: f32ToBf16, widen: bf16ToF32, values: bf16Values, quiet: 0x0040 },
])('f32 to $name', ({ narrow, widen, values, quiet }) => {
  it('gives back all codes; of NaNs the quiet ones', () => {
    const wide = widen(allCodes)
    const wanted = (code: number) => (Number.isNaN(wide[code]) ? code | quiet : code)
    expect(wrong(narrow(wide), wanted)).toEqual([])
  })

  it('rounds to the nearest, ties to even, around every border between two codes', () => {
    const source = borders(values)
    expect(source.length).toBe(values.length * 6)
    expect(wrong(narrow(source), (i) => nearest(values, source[i]!))).toEqual([])
  })

  it('agrees with the definition on random patterns of all magnitudes', () => {
    const random = new Random(1)
    const patterns = Uint32Array.from({ length: 200_000 }, () => random.uint32())
    const source = new Float32Array(patterns.buffer)
    const ours = narrow(source)
    const back = widen(ours)
    const faults = wrong(ours, (i) => {
      if (!Number.isNaN(source[i])) return nearest(values, source[i]!)
      return Number.isNaN(back[i]) ? ours[i]! | quiet : Number.NaN
    })
    expect(faults).toEqual([])
  })

  it('keeps a NaN whose payload lies in the lower bits alone', () => {
    const low = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001).buffer)
    expect([...widen(narrow(low))]).toEqual([Number.NaN, Number.NaN])
  })
})

it('f32 to f16 handles the ends of the range', () => {
  const source = [0, -0, 65504, 65519.996, 65520, 1e38, Infinity, -Infinity, 2 ** -24, 2 ** -25]
  expect([...f32ToF16(Float32Array.from(source))]).toEqual([
    0, 0x8000, 0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00, 1, 0,
  ])
})

it('f32 to bf16 handles the ends of the range', () => {
  const source = [0, -0, 1, 3.4e38, -Infinity, 2 ** -133, 2 ** -134]
  expect([...f32ToBf16(Float32Array.from(source))]).toEqual([
    0, 0x8000, 0x3f80, 0x7f80, 0xff80, 1, 0,
  ])
})

it('f64 is rounded to the nearest f32, ties to the even pattern', () => {
  const ulp = 2 ** -23
  const source = [0.1, 1 + ulp / 2, 1 + 1.5 * ulp, 1 + ulp / 2 + 2 ** -52, 1e39, -1e-46, 2 ** -149]
  const stored = new Uint8Array(Float64Array.of(...source, -0, Number.NaN, -Infinity).buffer)
  expect([...storedToF32(stored, 'f64')]).toEqual([
    ...[Math.fround(0.1), 1, 1 + 2 * ulp, 1 + ulp, Infinity, -0, 2 ** -149, -0],
    ...[Number.NaN, -Infinity],
  ])
})

describe('stored numbers', () => {
  // 1, -2 and 0.5.
  const patterns = {
    f32: Uint32Array.of(0x3f800000, 0xc0000000, 0x3f000000),
    f16: Uint16Array.of(0x3c00, 0xc000, 0x3800),
    bf16: Uint16Array.of(0x3f80, 0xc000, 0x3f00),
  }
  const stored = { ...patterns, f64: Float64Array.of(1, -2, 0.5) }

  /** The bytes of an array, behind others of their buffer. */
  function bytesOf({ buffer }: { readonly buffer: ArrayBuffer }): Uint8Array<ArrayBuffer> {
    const room = new Uint8Array(buffer.byteLength + 8)
    room.set(new Uint8Array(buffer), 8)
    return room.subarray(8)
  }

  it.each(Object.keys(stored) as FloatDtype[])('of %s are read, and written in each', (from) => {
    const bytes = bytesOf(stored[from])
    expect(storedToF32(bytes, from)).toEqual(Float32Array.of(1, -2, 0.5))
    for (const to of ['f32', 'f16', 'bf16'] as const) {
      expect(converted(bytes, from, to), to).toEqual(patterns[to])
    }
  })

  it('keep every bit in their own format', () => {
    const signalling = { f32: Uint32Array.of(0x7f800001), bf16: Uint16Array.of(0xff81) }
    expect(converted(bytesOf(signalling.f32), 'f32', 'f32')).toEqual(signalling.f32)
    expect(converted(bytesOf(signalling.bf16), 'bf16', 'bf16')).toEqual(signalling.bf16)
  })
})

describe('out', () => {
  it('is filled from its first element and returned; the rest stays', () => {
    const room = new Float32Array(4).fill(7)
    const out = room.subarray(1)
    expect(f16ToF32(Uint16Array.of(0x3c00, 0xc000), out)).toBe(out)
    expect([...room]).toEqual([7, 1, -2, 7])
    bf16ToF32(Uint16Array.of(0x4040), out)
    expect([...room]).toEqual([7, 3, -2, 7])
    const half = new Uint16Array(3).fill(9)
    expect(f32ToF16(room.subarray(1, 3), half.subarray(1))).toEqual(Uint16Array.of(0x4200, 0xc000))
    expect(half[0]).toBe(9)
  })

  it('must have room', () => {
    const message = 'out has room for 1 values; expected 2'
    expect(() => f16ToF32(new Uint16Array(2), new Float32Array(1))).toThrow(message)
    expect(() => bf16ToF32(new Uint16Array(2), new Float32Array(1))).toThrow(message)
    expect(() => f32ToF16(new Float32Array(2), new Uint16Array(1))).toThrow(message)
    expect(() => f32ToBf16(new Float32Array(2), new Uint16Array(1))).toThrow(message)
  })
})
