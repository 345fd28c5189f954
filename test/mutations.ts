/**
 * Seeded damage to files, for tests that a hostile or broken file is refused and nothing worse: the
 * same seed gives the same damage, so that a failure can be looked at again.
 */

/** A seeded source of random numbers (mulberry32: 32 bits of state, made for tests, not for secrets). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in 0 to 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let x = this.#state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return (x ^ (x >>> 14)) >>> 0
  }

  /** A whole number from 0 to `n` - 1. */
  below(n: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * n)
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Values that programs expect least: borders of number types, names that objects inherit, wrong types. */
const hostileValues: readonly Json[] = [
  ...[null, true, false, 0, -0, -1, 1, 2, 0.5, 1e-320, 1e308, -1e308, 255, 256, 65535, 65536],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 64, 1e21],
  ...[
    '',
    ' ',
    '0',
    '-1',
    'NaN',
    'null',
    '__proto__',
    'constructor',
    'toString',
    '../x',
    '/x',
    'C:\\x',
  ],
  ...['\u0000', '\ud800', '\ufeff', '💥', 'x'.repeat(1000), 'gelu', 'F32', 'f32', 'U8'],
  ...[[], {}, [[]], [null], [0, 0], [-1], { a: 1 }],
]

/** A copy of a JSON value with one to three places in it changed. */
export function mutateJson(value: Json, random: Random): Json {
  let mutated = structuredClone(value)
  for (let left = 1 + random.below(3); left > 0; left--) mutated = mutateOnce(mutated, random)
  return mutated
}

/** Where a value stands: in `parent`, under `key`. */
interface Place {
  readonly parent: Json[] | { [key: string]: Json }
  readonly key: string
}

function mutateOnce(root: Json, random: Random): Json {
  const holder: { [key: string]: Json } = { root }
  const { parent, key } = random.pick(placesIn(holder))
  const old = get(parent, key)
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      set(parent, key, structuredClone(random.pick(hostileValues)))
      break
    case 3:
      remove(parent, key)
      break
    case 4: {
      // Give the value another's.
      const other = random.pick(placesIn(holder))
      set(parent, key, structuredClone(get(other.parent, other.key)))
      break
    }
    case 5:
      rename(parent, key, random)
      break
    case 6:
      set(parent, key, nest(old, random))
      break
    default:
      set(parent, key, nudge(old, random))
  }
  return holder.root ?? null
}

/** Every place in a value, nested ones too. */
function placesIn(value: Json): Place[] {
  const places: Place[] = []
  const open: Json[] = [value]
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    if (typeof parent !== 'object' || parent === null) continue
    for (const key of Object.keys(parent)) {
      places.push({ parent, key })
      open.push(get(parent, key))
    }
  }
  return places
}

const get = (parent: Place['parent'], key: string): Json =>
  (parent as { [key: string]: Json })[key] as Json

/** Defines rather than assigns, so that the key `__proto__` is a key like any other. */
function set(parent: Place['parent'], key: string, value: Json): void {
  Object.defineProperty(parent, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}

function remove(parent: Place['parent'], key: string): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1)
  else delete parent[key]
}

function rename(parent: Place['parent'], key: string, random: Random): void {
  if (Array.isArray(parent)) {
    // A list has no names: let the item stand twice.
    parent.splice(Number(key), 0, structuredClone(get(parent, key)))
    return
  }
  const value = get(parent, key)
  const names = ['__proto__', 'constructor', '__metadata__', '', `${key}x`, key.slice(1)]
  delete parent[key]
  set(parent, random.pick(names), value)
}

function nest(value: Json, random: Random): Json {
  let nested = value
  for (let levels = random.pick([1, 2, 200]); levels > 0; levels--) nested = [nested]
  return nested
}

/** A near neighbour: of a number by a step, a sign or a power, of a text by a character, of a list by an item. */
function nudge(value: Json, random: Random): Json {
  if (typeof value === 'number') {
    return random.pick([
      value + 1,
      value - 1,
      -value,
      value * 2,
      value / 2,
      value * 256,
      value + 0.5,
    ])
  }
  if (typeof value === 'string') {
    const at = random.below(value.length + 1)
    const code = random.pick([0, 0x22, 0x2e, 0x2f, 0x5c, 0x30 + random.below(75), 0xd800])
    return value.slice(0, at) + String.fromCharCode(code) + value.slice(at + random.below(2))
  }
  if (typeof value === 'boolean') return !value
  if (Array.isArray(value)) return value.length > 1 ? value.toReversed() : [...value, 0]
  return random.pick(hostileValues)
}

/** A copy of some bytes, damaged as disks, networks and editors damage files. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length)
  const span = 1 + random.below(Math.min(64, bytes.length - at))
  switch (random.below(6)) {
    case 0:
      return bytes.slice(0, at)
    case 1:
      return joinBytes(bytes.subarray(0, at), bytes.subarray(at + span))
    case 2:
      return joinBytes(bytes.subarray(0, at + span), bytes.subarray(at))
    case 3: {
      const copy = bytes.slice()
      for (let i = at; i < at + span; i++) copy[i] = random.below(256)
      return copy
    }
    default: {
      const copy = bytes.slice()
      for (let flips = 1 + random.below(4); flips > 0; flips--) {
        const i = random.below(bytes.length)
        copy[i] = copy[i]! ^ (1 << random.below(8))
      }
      return copy
    }
  }
}

/**
 * A copy of a safetensors file, damaged: anywhere, in the header's bytes, in what the header says,
 * or in its stated length.
 */
export function mutateSafetensors(file: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true))
  const header = file.subarray(8, 8 + length)
  const data = file.subarray(8 + length)
  switch (random.below(8)) {
    case 0:
      return mutateBytes(file, random)
    case 1: {
      const lengths = [0n, 1n, BigInt(length + random.below(17) - 8), BigInt(random.uint32())]
      const copy = file.slice()
      const stated = random.pick([...lengths, BigInt(file.length), 2n ** 63n, 2n ** 64n - 1n])
      new DataView(copy.buffer).setBigUint64(0, BigInt.asUintN(64, stated), true)
      return copy
    }
    case 2:
      return file.slice(0, random.below(random.pick([16, 8 + length, file.length])))
    case 3:
    case 4:
      // The length still fits, so that the fault lies in the text alone.
      return safetensors(mutateBytes(header, random), data)
    default: {
      const json = mutateJson(JSON.parse(new TextDecoder().decode(header)), random)
      return safetensors(new TextEncoder().encode(JSON.stringify(json)), data)
    }
  }
}

/** A safetensors file of a header, as text or bytes, and its data. */
export function safetensors(
  header: string | Uint8Array,
  data: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true)
  return joinBytes(length, bytes, data)
}

function joinBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
