/**
 * Exact conversions between the float formats of IEEE 754 binary32 (f32), binary16 (f16) and
 * bfloat16 (bf16), on bit patterns, so that no NaN is changed on the way through a JavaScript number.
 */
import type { WeightDtype } from '../weight-dtypes.ts'

/** f16 patterns to f32: exact for every value, subnormals, infinities and the payloads of NaNs too. */
export function f16ToF32(src: Uint16Array, out = new Float32Array(src.length)): Float32Array {
  const bits = bitsOf(out, src.length)
  const table = f16Table()
  for (let i = 0; i < src.length; i++) bits[i] = table[src[i]!]!
  return out
}

/** bf16 patterns to f32: a bf16 is the upper half of an f32. */
export function bf16ToF32(src: Uint16Array, out = new Float32Array(src.length)): Float32Array {
  const bits = bitsOf(out, src.length)
  for (let i = 0; i < src.length; i++) bits[i] = src[i]! << 16
  return out
}

/**
 * f32 to the nearest f16, ties to the even pattern, as IEEE 754 rounds by default. Subnormals are
 * kept, what is 65520 or more becomes infinity, a NaN stays a (quiet) NaN with the upper bits of its payload.
 */
export function f32ToF16(src: Float32Array, out = new Uint16Array(src.length)): Uint16Array {
  const bits = bitsOf(src, src.length)
  checkRoom(out.length, src.length)
  for (let i = 0; i < src.length; i++) {
    const x = bits[i]!
    const magnitude = x & 0x7fffffff
    let half: number
    if (magnitude >= 0x47800000) {
      // 2^16 and above; bit patterns above infinity's are NaNs.
      half = magnitude > 0x7f800000 ? 0x7e00 | ((magnitude >>> 13) & 0x1ff) : 0x7c00
    } else if (magnitude >= 0x38800000) {
      // Normal in f16: move the exponent's bias from 127 to 15. A carry out of the mantissa goes into
      // the exponent, and from the largest value to infinity, which is what rounding asks for.
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13
    } else if (magnitude > 0x33000000) {
      // Subnormal in f16, a multiple of 2^-24: shift the mantissa, its leading one made explicit.
      const mantissa = (magnitude & 0x7fffff) | 0x800000
      const shift = 126 - (magnitude >>> 23)
      half = (mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift
    } else {
      // Up to 2^-25, half of the least f16: to zero.
      half = 0
    }
    out[i] = ((x >>> 16) & 0x8000) | half
  }
  return out
}

/** f32 to the nearest bf16, ties to the even pattern; a NaN stays a (quiet) NaN with the upper bits of its payload. */
export function f32ToBf16(src: Float32Array, out = new Uint16Array(src.length)): Uint16Array {
  const bits = bitsOf(src, src.length)
  checkRoom(out.length, src.length)
  for (let i = 0; i < src.length; i++) out[i] = nearestBf16(bits[i]!)
  return out
}

/** The bf16 pattern nearest to an f32 pattern. */
export function nearestBf16(x: number): number {
  const nan = (x & 0x7fffffff) > 0x7f800000
  return nan ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16
}

/** The formats that weights are stored in. */
export type FloatDtype = WeightDtype | 'f64'

/**
 * Numbers as they are stored, as f32; those of f32 in place. Those of f64 are rounded to the nearest f32, also on their way
 * to 16 bits, as the reference has them: it loads in f32 and halves that.
 */
export function storedToF32(
  { buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>,
  dtype: FloatDtype,
): Float32Array<ArrayBuffer> {
  if (dtype === 'f32') return new Float32Array(buffer, byteOffset, byteLength / 4)
  if (dtype === 'f64') return new Float32Array(new Float64Array(buffer, byteOffset, byteLength / 8))
  const values = new Float32Array(byteLength / 2)
  const patterns = new Uint16Array(buffer, byteOffset, byteLength / 2)
  if (dtype === 'f16') f16ToF32(patterns, values)
  else bf16ToF32(patterns, values)
  return values
}

/** Numbers of one format as the bit patterns of another; equal formats keep every bit. */
export function converted(
  bytes: Uint8Array<ArrayBuffer>,
  from: FloatDtype,
  to: WeightDtype,
): Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes
  if (from === to) {
    return to === 'f32'
      ? new Uint32Array(buffer, byteOffset, byteLength / 4)
      : new Uint16Array(buffer, byteOffset, byteLength / 2)
  }
  const values = storedToF32(bytes, from)
  if (to === 'f32') return new Uint32Array(values.buffer)
  const halves = new Uint16Array(values.length)
  if (to === 'f16') f32ToF16(values, halves)
  else f32ToBf16(values, halves)
  return halves
}

let table: Uint32Array | undefined

/** The f32 pattern of every f16 pattern; 256 KB, made at the first use. */
function f16Table(): Uint32Array {
  if (table) return table
  table = new Uint32Array(0x10000)
  for (let code = 0; code < 0x10000; code++) {
    const sign = (code & 0x8000) << 16
    const exponent = (code >>> 10) & 0x1f
    const mantissa = code & 0x3ff
    let magnitude: number
    if (exponent === 0x1f) {
      magnitude = 0x7f800000 | (mantissa << 13)
    } else if (exponent > 0) {
      magnitude = ((exponent + 112) << 23) | (mantissa << 13)
    } else if (mantissa > 0) {
      // mantissa · 2^-24, its leading one moved to where f32 leaves it out.
      const shift = Math.clz32(mantissa) - 21
      magnitude = ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)
    } else {
      magnitude = 0
    }
    table[code] = sign | magnitude
  }
  return table
}

function bitsOf(floats: Float32Array, length: number): Uint32Array {
  checkRoom(floats.length, length)
  return new Uint32Array(floats.buffer, floats.byteOffset, length)
}

function checkRoom(room: number, length: number): void {
  if (room < length) throw new RangeError(`out has room for ${room} values; expected ${length}`)
}
