import { describe, expect, it } from 'vitest'
import { openIndex } from '../../src/retrieval/index-reader.ts'
import { type IndexWork, writeIndex } from '../../src/retrieval/index-writer.ts'
import { numbersOf } from '../../src/retrieval/vectors.ts'
import { farthest } from '../embedders/fixtures.ts'
import { randomNumbers } from '../tensor/harness.ts'
import { memoryFolder } from './memory-folder.ts'

const dimensions = 3
const settings: IndexWork['settings'] = {
  model: 'a model',
  modelFiles: 'abc',
  dtype: 'f16',
  activations: 'f32',
  dimensions,
  pooling: 'mean',
  normalize: true,
  similarity: 'cosine',
  prompt: '',
  maxLength: 256,
}

const corpus = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: `id "${i}" ü`, text: `text ${i}` }))

/** A vector that its text alone decides. */
const vectorOf = (text: string) => randomNumbers(Number(text.replace(/\D/g, '')), dimensions)

type Passages = ReturnType<typeof corpus>

const work = (
  folder: IndexWork['folder'],
  passages: Passages,
  changes: Partial<IndexWork> = {},
): IndexWork => ({
  folder,
  settings,
  passages: async function* () {
    yield* passages
  },
  embed: async (texts) => texts.map(vectorOf),
  ...changes,
})

/** The files of an index that nothing interrupted. */
async function made(passages: Passages) {
  const { folder, files } = memoryFolder()
  await writeIndex(work(folder, passages))
  return files
}

/** A folder with copies of files. */
const copyOf = (files: ReadonlyMap<string, Uint8Array>) =>
  memoryFolder(new Map([...files].map(([file, bytes]) => [file, bytes.slice()])))

type Files = ReadonlyMap<string, Uint8Array>

function expectFiles(found: Files, expected: Files): void {
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
  for (const [file, bytes] of expected) {
    expect(Buffer.compare(found.get(file)!, bytes), file).toBe(0)
  }
}

describe('writes and opens an index', () => {
  it.each([0, 1, 1023, 1024, 1025, 2500])('of %i passages', async (count) => {
    const { folder } = memoryFolder()
    const passages = corpus(count)
    const progress: number[] = []
    const result = await writeIndex(
      work(folder, passages, { onProgress: ({ done }) => progress.push(done) }),
    )
    expect(result).toEqual({ passages: count, resumed: 0 })
    expect(progress.at(-1)).toBe(count)
    const { ids, vectors, settings: found } = await openIndex(folder)
    expect(found).toMatchObject(settings)
    expect(ids).toEqual(passages.map(({ id }) => id))
    const numbers = numbersOf(await vectors.read(0, count))
    expect(numbers.length).toBe(count * dimensions)
    for (const row of [0, 1, 1023, 1024, count - 1].filter((row) => row >= 0 && row < count)) {
      const own = numbers.subarray(row * dimensions, (row + 1) * dimensions)
      expect(farthest(numbersOf(await vectors.read(row, row + 1)), own)).toBe(0)
      expect(farthest(own, vectorOf(passages[row]!.text))).toBeLessThan(1e-3)
      expect(vectors.norm(row, row + 1)).toBeGreaterThanOrEqual(Math.hypot(...own))
    }
  })
})

describe('goes on where it was killed', () => {
  it('after any number of bytes: the same files', async () => {
    const passages = corpus(2100)
    const expected = await made(passages)
    const appended = ['vectors.f16', 'ids.jsonl', 'blocks.jsonl']
    const all = appended.reduce((sum, file) => sum + expected.get(file)!.length, 0)
    // Somewhere in each part of each block, and right before the end.
    for (const bytes of [
      ...Array.from({ length: 24 }, (_, i) => 1 + Math.floor((i * all) / 24)),
      all - 1,
      all,
    ]) {
      const memory = memoryFolder()
      memory.killAfter(bytes)
      await expect(writeIndex(work(memory.folder, passages))).rejects.toThrow('killed')
      memory.killAfter(Number.POSITIVE_INFINITY)
      const embedded: string[] = []
      const embed = async (texts: readonly string[]) => {
        embedded.push(...texts)
        return texts.map(vectorOf)
      }
      const { resumed } = await writeIndex(work(memory.folder, passages, { embed }))
      expect(resumed === passages.length || resumed % 1024 === 0).toBe(true)
      expect(embedded).toEqual(passages.slice(resumed).map(({ text }) => text))
      expectFiles(memory.files, expected)
    }
  })

  it('where embedding fails or is stopped', async () => {
    const passages = corpus(3000)
    const { folder, files } = memoryFolder()
    let calls = 0
    const embed = async (texts: readonly string[]) => {
      if (++calls === 2) throw new Error('device lost')
      return texts.map(vectorOf)
    }
    await expect(writeIndex(work(folder, passages, { embed }))).rejects.toThrow('device lost')
    const stop = new AbortController()
    const onProgress = ({ done }: { done: number }) => done >= 1024 && stop.abort(new Error('stop'))
    await expect(
      writeIndex(work(folder, passages, { signal: stop.signal, onProgress })),
    ).rejects.toThrow('stop')
    await expect(openIndex(folder)).rejects.toThrow(/vectors of \d+ of 3000 passages/)
    await writeIndex(work(folder, passages))
    expectFiles(files, await made(passages))
  })

  it('where nothing is left to do', async () => {
    const files = await made(corpus(1500))
    const { folder, files: copy } = copyOf(files)
    const embed = () => Promise.reject(new Error('must not be called'))
    const result = await writeIndex(work(folder, corpus(1500), { embed }))
    expect(result).toEqual({ passages: 1500, resumed: 1500 })
    expectFiles(copy, files)
  })
})

it('the last passage of an id counts', async () => {
  const passages = [
    { id: 'a', text: 'text 1' },
    { id: 'b', text: 'text 2' },
    { id: 'a', text: 'text 3' },
    { id: 'a', text: 'text 4' },
  ]
  const { folder } = memoryFolder()
  expect(await writeIndex(work(folder, passages))).toEqual({ passages: 2, resumed: 0 })
  const { ids, vectors } = await openIndex(folder)
  expect(ids).toEqual(['b', 'a'])
  expect(farthest(numbersOf(await vectors.read(1, 2)), vectorOf('text 4'))).toBeLessThan(1e-3)
})

describe('refuses an index of something else', () => {
  it.each<[what: string, changes: Partial<IndexWork['settings']>, message: RegExp]>([
    ['model', { modelFiles: 'xyz' }, /another modelFiles \("abc" by "a model"; now "xyz"\)/],
    ['dtype', { dtype: 'int8' }, /another dtype/],
    ['dimensions', { dimensions: 4 }, /another dimensions/],
    ['pooling', { pooling: 'cls' }, /another pooling/],
    ['prompt', { prompt: 'passage: ' }, /another prompt/],
    ['length', { maxLength: 128 }, /another maxLength/],
  ])('%s', async (_, changes, message) => {
    const { folder, files } = copyOf(await made(corpus(10)))
    const before = new Map(files)
    const other = work(folder, corpus(10), { settings: { ...settings, ...changes } })
    await expect(writeIndex(other)).rejects.toThrow(message)
    expectFiles(files, before)
  })

  it.each<[what: string, passages: Passages, message: RegExp]>([
    ['a passage more', corpus(11), /another passages \(10 by "a model"; now 11\)/],
    [
      'another text',
      corpus(10).map((one, i) => (i === 4 ? { ...one, text: 'x' } : one)),
      /checksum of the corpus/,
    ],
    ['another order', corpus(10).toReversed(), /checksum of the corpus/],
  ])('corpus: %s', async (_, passages, message) => {
    const { folder } = copyOf(await made(corpus(10)))
    await expect(writeIndex(work(folder, passages))).rejects.toThrow(message)
  })

  it('a name of the model is no difference', async () => {
    const { folder } = copyOf(await made(corpus(10)))
    const other = work(folder, corpus(10), { settings: { ...settings, model: 'moved' } })
    expect((await writeIndex(other)).resumed).toBe(10)
  })
})

describe('tells of damage', () => {
  const flip = (file: string, at: number) => (files: Map<string, Uint8Array>) => {
    const bytes = files.get(file)!
    bytes[at < 0 ? bytes.length + at : at]! ^= 1
  }
  const cut = (file: string, by: number) => (files: Map<string, Uint8Array>) => {
    files.set(file, files.get(file)!.slice(0, -by))
  }
  const text =
    (file: string, from: string | RegExp, to: string) => (files: Map<string, Uint8Array>) => {
      const changed = new TextDecoder().decode(files.get(file)!).replace(from, to)
      files.set(file, new TextEncoder().encode(changed))
    }
  const damages: [
    what: string,
    damage: (files: Map<string, Uint8Array>) => unknown,
    message: RegExp,
  ][] = [
    [
      'a bit of the first vector',
      flip('vectors.f16', 0),
      /vectors.f16: passages 0 on have the checksum/,
    ],
    ['a bit of the last vector', flip('vectors.f16', -1), /vectors.f16: passages 1024 on have/],
    ['a bit of an id', flip('ids.jsonl', 5), /ids.jsonl: passages 0 on have the checksum/],
    ['vectors cut off', cut('vectors.f16', 1), /vectors.f16/],
    ['ids cut off', cut('ids.jsonl', 1), /ids.jsonl: has fewer than/],
    ['no vectors', (files) => files.delete('vectors.f16'), /vectors.f16/],
    ['no settings', (files) => files.delete('index.json'), /index.json/],
    ['settings that are no JSON', text('index.json', '{', ''), /is not JSON/],
    [
      'settings without a field',
      text('index.json', '"pooling"', '"pool"'),
      /"pooling" is undefined/,
    ],
    [
      'settings of another kind',
      text('index.json', '"dimensions": 3', '"dimensions": "3"'),
      /"dimensions" is "3"/,
    ],
    [
      'another version',
      text('index.json', '"version": 1', '"version": 2'),
      /found format .* version 2/,
    ],
    ['a line that is no block', text('blocks.jsonl', '{', '['), /blocks.jsonl:1: is not the line/],
    [
      'a block too short',
      text('blocks.jsonl', '"rows":1024', '"rows":1023'),
      /blocks.jsonl:1: is not/,
    ],
    [
      'a checksum of another form',
      text('blocks.jsonl', /"ids":"..../, '"ids":"'),
      /blocks.jsonl:1/,
    ],
  ]
  it.each(damages)('%s', async (_, damage, message) => {
    const passages = corpus(1500)
    const { folder, files } = copyOf(await made(passages))
    damage(files)
    const opened = openIndex(folder).then(({ vectors }) => vectors.read(0, vectors.count))
    await expect(opened).rejects.toThrow(message)
    const before = new Map(files)
    await expect(writeIndex(work(folder, passages))).rejects.toThrow(message)
    expectFiles(files, before)
  })

  it('an index that is not finished, or none', async () => {
    const { folder, files } = copyOf(await made(corpus(1500)))
    text('blocks.jsonl', /\n.*\n$/, '\n')(files)
    await expect(openIndex(folder)).rejects.toThrow('has the vectors of 1024 of 1500 passages')
    await expect(openIndex(memoryFolder().folder)).rejects.toThrow('has no index.json')
  })

  it('more vectors than passages', async () => {
    const { folder, files } = copyOf(await made(corpus(1500)))
    text('index.json', '"passages": 1500', '"passages": 1200')(files)
    await expect(openIndex(folder)).rejects.toThrow('has 1500 vectors of 1200 passages')
  })
})

it('a vector that f16 cannot hold', async () => {
  const { folder } = memoryFolder()
  const embed = async (texts: readonly string[]) => texts.map(() => new Float32Array(3).fill(1e6))
  await expect(writeIndex(work(folder, corpus(3), { embed }))).rejects.toThrow('not finite')
})

it('a corpus that changes while it is read', async () => {
  const { folder } = memoryFolder()
  let reads = 0
  const passages = async function* () {
    yield* corpus(reads++ === 0 ? 5 : 4)
  }
  await expect(writeIndex(work(folder, [], { passages }))).rejects.toThrow('must not change')
})
