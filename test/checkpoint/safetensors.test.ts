import { describe, expect, it } from 'vitest'
import { Checkpoint } from '../../src/checkpoint/index.ts'
import { entry, expectFault, folderOf, memoryFolder } from './folders.ts'

const open = (header: unknown, dataBytes = 0) => Checkpoint.open(folderOf(header, dataBytes))

const openBytes = (...bytes: number[]) =>
  Checkpoint.open(memoryFolder({ 'config.json': {}, 'model.safetensors': Uint8Array.from(bytes) }))

const weightsPath = 'folder/model.safetensors'

describe('a safetensors file', () => {
  it('may hold no tensor', async () => {
    expect((await open('{}')).tensors.size).toBe(0)
    expect((await open({ __metadata__: { format: 'pt' } })).tensors.size).toBe(0)
    expect((await open({ __metadata__: null })).tensors.size).toBe(0)
    expect((await open('{ }   \n')).tensors.size).toBe(0)
  })

  it('may hold scalars and empty tensors, in any order of the header', async () => {
    const header = {
      last: entry('F16', [2], 8, 12),
      scalar: entry('F64', [], 0, 8),
      empty: entry('F32', [3, 0], 8, 8),
    }
    const { tensors } = await open(header, 12)
    const start = 8 + JSON.stringify(header).length
    expect([...tensors.values()]).toEqual([
      { name: 'scalar', dtype: 'f64', shape: [], bytes: 8, file: 'model.safetensors', start },
      {
        name: 'empty',
        dtype: 'f32',
        shape: [3, 0],
        bytes: 0,
        file: 'model.safetensors',
        start: start + 8,
      },
      {
        name: 'last',
        dtype: 'f16',
        shape: [2],
        bytes: 4,
        file: 'model.safetensors',
        start: start + 8,
      },
    ])
  })

  it('may hold any dtype of the format', async () => {
    const bits = {
      ...{ BOOL: 8, U8: 8, I8: 8, I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32 },
      ...{ F64: 64, I64: 64, U64: 64, C64: 64, F4: 4, F6_E2M3: 6, F6_E3M2: 6 },
      ...{ F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
    }
    for (const [dtype, size] of Object.entries(bits)) {
      const { tensors } = await open({ x: entry(dtype, [2, 4], 0, size) }, size)
      expect(tensors.get('x')).toMatchObject({ dtype: dtype.toLowerCase(), bytes: size })
    }
  })

  it('may have 64 dimensions', async () => {
    const shape = Array(64).fill(1)
    expect((await open({ x: entry('U8', shape, 0, 1) }, 1)).tensors.get('x')).toMatchObject({
      shape,
    })
  })

  it('may name its tensors as objects name what they inherit', async () => {
    const header = `{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
      "constructor":{"dtype":"U8","shape":[1],"data_offsets":[1,2],"__proto__":{"shape":[9]}}}`
    const checkpoint = await open(header, 2)
    expect([...checkpoint.tensors.keys()]).toEqual(['__proto__', 'constructor'])
    expect(checkpoint.has('__proto__')).toBe(true)
    expect(checkpoint.has('toString')).toBe(false)
    expect(({} as { dtype?: unknown }).dtype).toBeUndefined()
  })

  it('may have escapes in names, and keys that are not known in entries', async () => {
    const checkpoint = await open(
      '{"a\\"\\u00e9\\\\":{"dtype":"U8","more":[{"x":[1.5e3,null,true,"y"]}],"shape":[1],"data_offsets":[0,1]}}',
      1,
    )
    expect([...checkpoint.tensors.keys()]).toEqual(['a"é\\'])
  })
})

describe('the length of the header', () => {
  it('must be there', async () => {
    await expectFault(openBytes(), 'header-invalid', weightsPath, '0 bytes')
    await expectFault(openBytes(1, 0, 0, 0, 0, 0, 0), 'header-invalid', '7 bytes', 'at least 8')
  })

  it('must fit the file', async () => {
    await expectFault(openBytes(0, 0, 0, 0, 0, 0, 0, 0), 'header-invalid', 'length', '0')
    await expectFault(
      openBytes(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d),
      'header-invalid',
      'header is 3 bytes, the file ends after 10',
    )
  })

  it('must be at most 100 MB', async () => {
    const faults = [
      [
        openBytes(0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, 0x7b, 0x7d),
        'the length of the header is 100000001 bytes; at most 100000000',
      ],
      [openBytes(255, 255, 255, 255, 255, 255, 255, 255), '18446744073709551615 bytes'],
    ] as const
    for (const [fault, text] of faults) await expectFault(fault, 'header-invalid', text)
  })

  it('is not that of a Git LFS pointer', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n'
    const folder = memoryFolder({ 'config.json': {}, 'model.safetensors': pointer })
    await expectFault(Checkpoint.open(folder), 'header-invalid', 'git lfs pull')
  })
})

describe('the header', () => {
  const good = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'

  it('must begin with {', async () => {
    await expectFault(open(` {"x":${good}}`, 1), 'header-invalid', 'byte 0x20; expected "{"')
    await expectFault(open(`[${good}]`, 1), 'header-invalid', 'byte 0x5b')
  })

  it('must be UTF-8', async () => {
    const header = Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d])
    await expectFault(open(header), 'header-invalid', 'not UTF-8')
  })

  it.each([
    ['{', 'found the end of the text; expected a key in double quotes'],
    ['{"x"', 'found the end of the text; expected ":"'],
    ['{x:1}', 'expected a key in double quotes'],
    ['{"x":1,}', 'at "x": found "1,}"; expected an object with dtype'],
    [`{"x":${good},}`, 'expected a key in double quotes'],
    [`{"x":${good}"y":${good}}`, 'expected "," or "}"'],
    [`{"x":${good}}{}`, 'found "{}"; expected nothing more'],
    [`{"x":${good}}\u0000`, 'expected nothing more'],
    ['{"x\n":1}', 'expected the end of a key in double quotes'],
    ['{"x\\q":1}', 'bad escape'],
    ['{"x\\u12g4":1}', 'bad escape'],
    ['{"x\\ud800":1}', 'bad escape'],
    ['{"x', 'expected the end of a key'],
    ['{"x\\', 'expected the end of a key'],
    ['{"x":[]}', 'at "x": found "[]}"; expected an object with dtype'],
    ['{"x":{"dtype":7}}', 'at "x" > "dtype": found "7}}"; expected the name of a dtype'],
    ['{"x":{"shape":3}}', 'at "x" > "shape": found "3}}"; expected a list of sizes'],
    ['{"x":{"shape":[1,-1]}}', 'at "x" > "shape" > 1: found -1; expected a whole number'],
    ['{"x":{"shape":[1.5]}}', 'found 1.5'],
    ['{"x":{"shape":[2.0]}}', 'found 2.0'],
    ['{"x":{"shape":[1e2]}}', 'found 1e2'],
    ['{"x":{"shape":[-0]}}', 'found -0'],
    ['{"x":{"shape":[01]}}', 'expected "," or "]"'],
    ['{"x":{"shape":[9007199254740993]}}', 'found 9007199254740993'],
    ['{"x":{"shape":["1"]}}', 'expected a whole number'],
    ['{"x":{"shape":[null]}}', 'found null; expected a whole number'],
    ['{"x":{"data_offsets":[0,NaN]}}', 'at "x" > "data_offsets" > 1: found "NaN]}}"'],
    ['{"__metadata__":{"format":7}}', 'at "__metadata__" > "format": found "7}}"'],
    ['{"__metadata__":{"a":{"b":"c"}}}', 'expected a string'],
    ['{"__metadata__":"pt"}', 'at "__metadata__"'],
    ['{"__metadata__":nul}', 'at "__metadata__"'],
    ['{"__metadata__":{"a":"b","a":"b"}}', 'the key "a" stands twice'],
    [`{"x":${good},"x":${good}}`, 'the key "x" stands twice'],
    ['{"x":{"dtype":"U8","dtype":"U8"}}', 'at "x": the key "dtype" stands twice'],
    [`{"x":{"y":${'['.repeat(200)}`, 'nested deeper than 128 levels'],
    [`{"x":{"y":${'{"z":'.repeat(100_000)}`, 'nested deeper than 128 levels'],
  ])('must be of its form: %s', async (header, fault) => {
    await expectFault(open(header, 1), 'header-invalid', weightsPath, fault)
  })

  it('is quoted in short, with control characters escaped', async () => {
    const name = `\\u001b[31m${'x'.repeat(100_000)}`
    const fault = await open(`{"${name}":7}`).catch((error: Error) => error.message)
    expect(fault).toContain('\\u001b[31mxxx')
    expect(String(fault).length).toBeLessThan(400)
  })
})

describe('a tensor of the header', () => {
  it.each([
    [{ shape: [1], data_offsets: [0, 1] }, 'no dtype'],
    [{ dtype: 'U8', data_offsets: [0, 1] }, 'no shape'],
    [{ dtype: 'U8', shape: [1] }, 'no data_offsets'],
    [entry('U7', [1], 0, 1), 'dtype "U7" is not known; known are BOOL, F4'],
    [entry('u8', [1], 0, 1), 'dtype "u8" is not known'],
    [entry('toString', [1], 0, 1), 'dtype "toString" is not known'],
    [{ dtype: 'U8', shape: [1], data_offsets: [0] }, 'not a list of two'],
    [{ dtype: 'U8', shape: [1], data_offsets: [] }, 'not a list of two'],
    [{ dtype: 'U8', shape: [1], data_offsets: [0, 1, 1] }, 'not a list of two'],
    [entry('U8', [1], 1, 0), 'begin at 1, after their end at 0'],
    [entry('U8', [2], 0, 2), 'is the download complete?'],
    [entry('U8', [2 ** 53 - 1], 0, 2 ** 53 - 1), 'is the download complete?'],
    [entry('U8', [2], 0, 1), 'span 1 bytes; U8 [2] takes 2'],
    [entry('F16', [1], 0, 1), 'span 1 bytes; F16 [1] takes 2'],
    [entry('U8', [2], 1, 1), 'span 0 bytes; U8 [2] takes 2'],
    [entry('F4', [3], 0, 1), 'F4 [3] takes 1.5'],
    [entry('U8', [2 ** 27, 2 ** 27, 0], 0, 1), 'more elements than can be counted'],
    [entry('F64', [2 ** 51], 0, 1), 'more elements than can be counted'],
    [entry('U8', Array(65).fill(1), 0, 1), 'more than 64 dimensions'],
  ])('must not contradict itself: %j', async (tensor, fault) => {
    await expectFault(open({ x: tensor }, 1), 'tensor-invalid', weightsPath, 'tensor "x"', fault)
  })

  it('must end with the file', async () => {
    const header = { x: entry('U8', [2], 0, 2) }
    const end = 8 + JSON.stringify(header).length + 2
    await expectFault(
      open(header, 1),
      'tensor-invalid',
      `ends at byte ${end} of the file, which has ${end - 1}`,
    )
  })

  it('must not overlap another', async () => {
    const header = { a: entry('U8', [3], 0, 3), b: entry('U8', [2], 2, 4) }
    await expectFault(open(header, 4), 'tensor-invalid', '"b" begins 1 bytes inside tensor "a"')
    const same = { a: entry('U8', [4], 0, 4), b: entry('U8', [4], 0, 4) }
    await expectFault(open(same, 4), 'tensor-invalid', '4 bytes inside')
  })

  it('must lie without gaps', async () => {
    const first = { a: entry('U8', [3], 1, 4) }
    await expectFault(open(first, 4), 'tensor-invalid', '1 bytes after the end of the header')
    const between = { a: entry('U8', [1], 0, 1), b: entry('U8', [1], 3, 4) }
    await expectFault(open(between, 4), 'tensor-invalid', '2 bytes after the end of tensor "a"')
    const after = { a: entry('U8', [3], 0, 3) }
    await expectFault(open(after, 4), 'header-invalid', '1 bytes follow the last tensor')
    await expectFault(open('{}', 4), 'header-invalid', '4 bytes follow')
  })
})
