import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/device.ts'
import { ExactSearch, type ExactSearchOptions } from '../../src/retrieval/exact-search.ts'
import { exactSearch } from '../../src/retrieval/open-search.ts'
import { asStored, memoryVectors, numbersOf, type Vectors } from '../../src/retrieval/vectors.ts'
import { randomNumbers, withFacts } from '../tensor/harness.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await Gpu.open()
})
afterAll(() => gpu.dispose())

type Numbers = Float32Array<ArrayBuffer>

/** The best k rows by plain loops over the stored numbers in double precision. */
async function reference(vectors: Vectors, query: Float32Array, k: number) {
  const { count, dimensions } = vectors
  const numbers = numbersOf(await vectors.read(0, count))
  const all = Array.from({ length: count }, (_, row) => {
    let score = 0
    for (let i = 0; i < dimensions; i++) score += query[i]! * numbers[row * dimensions + i]!
    return { row, score }
  })
  return all.sort((a, b) => b.score - a.score || a.row - b.row).slice(0, k)
}

async function expectExact(
  vectors: Vectors,
  queries: readonly Float32Array[],
  k: number,
  options: ExactSearchOptions = {},
  on = gpu,
) {
  const found = await new ExactSearch(on, vectors, options).search(queries, k)
  expect(found.length).toBe(queries.length)
  for (const [i, query] of queries.entries()) {
    expect(found[i], `query ${i}`).toEqual(await reference(vectors, query, k))
  }
}

const queriesOf = (count: number, dimensions: number) =>
  Array.from({ length: count }, (_, i) => randomNumbers(1000 + i, dimensions))

describe.each(['f32', 'f16'] as const)('%s', (dtype) => {
  it.each<[count: number, dimensions: number, k: number]>([
    [1, 1, 1],
    [2, 3, 5],
    [1023, 4, 10],
    [1024, 30, 10],
    [1025, 32, 1],
    [2500, 63, 100],
    [5000, 384, 100],
  ])('%i vectors of %i, the best %i', async (count, dimensions, k) => {
    const stored = asStored(randomNumbers(count, count * dimensions), dtype)
    const vectors = memoryVectors(stored, dimensions)
    for (const options of [{}, { sliceRows: 1024 }, { sliceRows: 1024, deviceBytes: 0 }]) {
      await expectExact(vectors, queriesOf(3, dimensions), k, options)
    }
  })

  const kinds: Readonly<Record<string, (numbers: Numbers) => Numbers>> = {
    'all vectors equal': (numbers) => numbers.map((_, i) => numbers[i % 8]!),
    'each vector many times': (numbers) => numbers.map((_, i) => numbers[i % (7 * 8)]!),
    'vectors closer than f32 tells apart': (numbers) =>
      numbers.map((v, i) => 1 + v * 1e-7 * (i % 3)),
    zeros: (numbers) => numbers.map(() => 0),
    'numbers of all sizes': (numbers) => numbers.map((v, i) => v * 2 ** ((i % 39) - 24)),
  }
  it.each(Object.entries(kinds))('%s', async (_, make) => {
    const stored = asStored(make(randomNumbers(5, 3000 * 8)), dtype)
    const vectors = memoryVectors(stored, 8)
    await expectExact(vectors, queriesOf(2, 8), 100, { sliceRows: 1024 })
    await expectExact(vectors, queriesOf(2, 8), 3000)
  })
})

it('products that are past the range of f32', async () => {
  const numbers = randomNumbers(9, 3000 * 8).map((v) => v * 1e30)
  const queries = queriesOf(2, 8).map((query) => query.map((v) => v * 1e10))
  await expectExact(memoryVectors(numbers, 8), queries, 10, { sliceRows: 1024 })
})

it('more queries than go together, and kernels of GPUs', async () => {
  const vectors = memoryVectors(asStored(randomNumbers(3, 3000 * 32), 'f16'), 32)
  const tiled = withFacts(gpu, { software: false, subgroupSize: 0 })
  await expectExact(vectors, queriesOf(200, 32), 5, { sliceRows: 2048 }, tiled)
})

it('searches at the same time do not mix', async () => {
  const vectors = memoryVectors(randomNumbers(3, 3000 * 16), 16)
  const search = new ExactSearch(gpu, vectors, { sliceRows: 1024, deviceBytes: 70_000 })
  const queries = queriesOf(4, 16)
  const found = await Promise.all(queries.map((query) => search.search([query], 7)))
  for (const [i, query] of queries.entries()) {
    expect(found[i]).toEqual([await reference(vectors, query, 7)])
  }
  expect(await search.search(queries, 7)).toEqual(found.flat())
})

it('reads few vectors where what the device names settles it', async () => {
  const whole = memoryVectors(asStored(randomNumbers(3, 20_000 * 32), 'f16'), 32)
  let read = 0
  const counted: Vectors = {
    ...whole,
    read: (first, end) => {
      read += end - first
      return whole.read(first, end)
    },
  }
  const search = new ExactSearch(gpu, counted, { sliceRows: 8192 })
  const queries = queriesOf(2, 32)
  for (const times of [1, 0]) {
    read = 0
    for (const query of queries) {
      expect(await search.search([query], 5)).toEqual([await reference(whole, query, 5)])
    }
    expect(read).toBeLessThan(20_000 * times + 400)
  }
})

it('a slice that cannot be read fails the search, and no later one', async () => {
  const whole = memoryVectors(randomNumbers(3, 3000 * 16), 16)
  let broken = true
  const vectors: Vectors = {
    ...whole,
    read: async (first, end) => {
      if (broken && first > 0) throw new Error('unreadable')
      return whole.read(first, end)
    },
  }
  const search = new ExactSearch(gpu, vectors, { sliceRows: 1024 })
  const [query] = queriesOf(1, 16) as [Numbers]
  await expect(search.search([query], 5)).rejects.toThrow('unreadable')
  broken = false
  expect(await search.search([query], 5)).toEqual([await reference(vectors, query, 5)])
})

it('opens a device, and closes it', async () => {
  const vectors = memoryVectors(randomNumbers(3, 300 * 16), 16)
  const search = await exactSearch(vectors)
  const [query] = queriesOf(1, 16) as [Numbers]
  expect(await search.find([query], 5)).toEqual([await reference(vectors, query, 5)])
  search.dispose()
  await expect(search.find([query], 5)).rejects.toThrow('disposed')
})

it('no vectors, no queries', async () => {
  const none = new ExactSearch(gpu, memoryVectors(new Float32Array(), 4))
  expect(await none.search(queriesOf(2, 4), 3)).toEqual([[], []])
  expect(await none.search([], 3)).toEqual([])
})

it.each<[what: string, run: () => unknown, message: string]>([
  ['a vector with a NaN', () => memoryVectors(Float32Array.of(0, Number.NaN), 1), 'vector 1: has'],
  [
    'a vector past f16',
    () => memoryVectors(asStored(Float32Array.of(70_000), 'f16'), 1),
    'f16 holds numbers up to 65504',
  ],
  ['half a vector', () => memoryVectors(new Float32Array(3), 2), 'expected a multiple of 2'],
  [
    'a query of other dimensions',
    () =>
      new ExactSearch(gpu, memoryVectors(new Float32Array(4), 2)).search([new Float32Array(3)], 1),
    'found 3; expected 2 finite numbers',
  ],
  [
    'a query with an infinity',
    () =>
      new ExactSearch(gpu, memoryVectors(new Float32Array(4), 2)).search(
        [Float32Array.of(0, Number.POSITIVE_INFINITY)],
        1,
      ),
    'not finite',
  ],
  [
    'k = 0',
    () => new ExactSearch(gpu, memoryVectors(new Float32Array(4), 2)).search([], 0),
    'k: found 0',
  ],
])('refuses %s', (_, run, message) => {
  expect(run).toThrow(message)
})
