import { readdirSync } from 'node:fs'
import { SafeTensor } from 'safetensors'
import { describe, expect, it } from 'vitest'
import { Checkpoint } from '../../src/checkpoint/index.ts'
import { blobFolder, type Folder } from '../../src/platform/files.ts'
import { openFolder } from '../../src/platform/server.ts'
import { safetensors } from '../mutations.ts'
import {
  entry,
  expectFault,
  fixtureFile,
  fixturePath,
  folderOf,
  memoryFolder,
  watched,
} from './folders.ts'

const fixtures = ['xlm-roberta-514', 'xlm-roberta-8194']

/** npm safetensors does not know `__metadata__`: it is given the same file without it. */
function secondReader(file: Uint8Array): SafeTensor {
  const length = new DataView(file.buffer).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)))
  delete header.__metadata__
  return new SafeTensor(safetensors(JSON.stringify(header), file.subarray(8 + length)))
}

/** All files of a fixture as Blobs, as a browser's file picker gives them. */
const blobsOf = (name: string): Folder =>
  blobFolder(
    Object.fromEntries(
      readdirSync(fixturePath(name)).map((file) => [file, new Blob([fixtureFile(name, file)])]),
    ),
  )

const ways = fixtures.flatMap((name) => [
  { name, way: 'disk', folderOf: () => openFolder(fixturePath(name)) },
  { name, way: 'blobs', folderOf: async () => blobsOf(name) },
])

describe.each(ways)('$name from $way', ({ name, folderOf }) => {
  it('has the tensors, shapes and bytes that npm safetensors finds', async () => {
    const checkpoint = await Checkpoint.open(await folderOf())
    let count = 0
    for (const file of readdirSync(fixturePath(name))) {
      if (!file.endsWith('.safetensors')) continue
      const other = secondReader(fixtureFile(name, file))
      for (const [tensor, { dtype, shape }] of other.metadata) {
        count++
        const info = checkpoint.tensors.get(tensor)!
        expect(info).toMatchObject({ name: tensor, dtype: dtype.toLowerCase(), shape, file })
        expect(Buffer.compare(await checkpoint.read(info), other.getTensor(tensor))).toBe(0)
      }
    }
    expect(count).toBe(checkpoint.tensors.size)
    expect(count).toBeGreaterThan(50)
    await checkpoint.close()
  })

  it('reads ranges of a tensor', async () => {
    const checkpoint = await Checkpoint.open(await folderOf())
    for (const info of checkpoint.tensors.values()) {
      const whole = await checkpoint.read(info)
      const middle = info.bytes >> 1
      const parts = [
        await checkpoint.read(info, 0, middle),
        await checkpoint.read(info, middle, info.bytes - 1),
        await checkpoint.read(info, info.bytes - 1),
        await checkpoint.read(info, middle, middle),
      ]
      expect(parts.map((part) => part.length)).toEqual([middle, info.bytes - 1 - middle, 1, 0])
      expect(Buffer.compare(Buffer.concat(parts), whole)).toBe(0)
      // Typed arrays of 16- and 32-bit elements can be laid over it.
      expect(whole.byteOffset % 4).toBe(0)
    }
    await checkpoint.close()
  })
})

describe('opening', () => {
  it.each(fixtures)('%s reads config, index and headers, nothing of the data', async (name) => {
    const folder = watched(await openFolder(fixturePath(name)))
    const checkpoint = await Checkpoint.open(folder)
    const files = readdirSync(fixturePath(name)).filter((file) => file.includes('safetensors'))
    const headers = files.map((file) =>
      file.endsWith('.json')
        ? fixtureFile(name, file).length
        : 8 + new DataView(fixtureFile(name, file).buffer).getUint32(0, true),
    )
    const expected = headers.reduce((a, b) => a + b, fixtureFile(name, 'config.json').length)
    expect(folder.bytes).toBe(expected)
    await checkpoint.close()
    expect(folder.nowOpen).toBe(0)
  })

  it('prefers model.safetensors to the index, as transformers does', async () => {
    const folder = memoryFolder({
      'config.json': {},
      'model.safetensors': safetensors('{}', new Uint8Array()),
      'model.safetensors.index.json': 'not looked at',
    })
    expect((await Checkpoint.open(folder)).tensors.size).toBe(0)
  })
})

describe('the tensors asked for', () => {
  const header = {
    'model.norm.weight': entry('F32', [2, 3], 0, 24),
    'model.norm.bias': entry('BF16', [3], 24, 30),
    'model.ids': entry('I64', [1], 30, 38),
    'model.scale': entry('F16', [], 38, 40),
  }
  const open = () => Checkpoint.open(folderOf(header, 40))

  it('are given in the shape that is asked for', async () => {
    const checkpoint = await open()
    expect(checkpoint.tensor('model.norm.weight', [2, 3]).dtype).toBe('f32')
    expect(checkpoint.tensor('model.norm.bias', [3]).dtype).toBe('bf16')
    expect(checkpoint.tensor('model.scale', []).bytes).toBe(2)
    expect([checkpoint.has('model.ids'), checkpoint.has('ids')]).toEqual([true, false])
  })

  it('are told apart from others', async () => {
    const checkpoint = await open()
    const where = 'folder/model.safetensors: tensor "model.norm.weight"'
    for (const shape of [[3, 2], [6], [2, 3, 1], []]) {
      await expectFault(
        () => checkpoint.tensor('model.norm.weight', shape),
        'tensor-shape',
        where,
        'is [2, 3]',
        `[${shape.join(', ')}]`,
      )
    }
    await expectFault(
      () => checkpoint.tensor('model.ids', [1]),
      'tensor-dtype',
      'stored as i64; expected f32, f16, bf16, f64',
    )
    await expectFault(
      () => checkpoint.tensor('bert.norm.bias', [3]),
      'tensor-missing',
      'folder: no tensor "bert.norm.bias" among the 4 of model.safetensors; most like it: "model.norm.bias"',
    )
    await expectFault(() => checkpoint.tensor('__proto__', [3]), 'tensor-missing')
  })

  it('are found under the names that transformers renames', async () => {
    const older = {
      'bert.norm.gamma': entry('F32', [3], 0, 12),
      'bert.norm.beta': entry('F32', [3], 12, 24),
      'norm.weight': entry('F32', [4], 24, 40),
    }
    const checkpoint = await Checkpoint.open(folderOf(older, 40))
    const names = (name: string, size: number, backbone?: string) =>
      checkpoint.tensor(name, [size], backbone).name
    expect(names('bert.norm.weight', 3)).toBe('bert.norm.gamma')
    expect(names('norm.bias', 3, 'bert')).toBe('bert.norm.beta')
    // The name with or without the backbone goes before an older end.
    expect(names('bert.norm.weight', 4, 'bert')).toBe('norm.weight')
    expect(checkpoint.has('head.bias', 'bert')).toBe(false)
    await expectFault(() => checkpoint.tensor('norm.bias', [3]), 'tensor-missing', '"norm.bias"')
    await expectFault(
      () => checkpoint.tensor('bert.norm.weight', [2]),
      'tensor-shape',
      'tensor "bert.norm.gamma" is [3]',
    )
  })

  it('are read within their bounds alone', async () => {
    const checkpoint = await open()
    const info = checkpoint.tensor('model.norm.bias', [3])
    for (const [start, end] of [
      [-1, 2],
      [0, 7],
      [4, 2],
      [0.5, 2],
      [0, Number.NaN],
      [Infinity, Infinity],
    ] as const) {
      await expectFault(
        checkpoint.read(info, start, end),
        'range-invalid',
        'tensor "model.norm.bias"',
        `bytes ${start} to ${end} of 6`,
      )
    }
    const stranger = { ...info, file: 'other.safetensors' }
    await expectFault(checkpoint.read(stranger), 'tensor-missing')
  })

  it('cannot be read after close, which may be called twice', async () => {
    const folder = watched(folderOf(header, 40))
    const checkpoint = await Checkpoint.open(folder)
    expect(folder.nowOpen).toBe(1)
    await Promise.all([checkpoint.close(), checkpoint.close()])
    await checkpoint.close()
    expect(folder.nowOpen).toBe(0)
    await expectFault(checkpoint.read(checkpoint.tensor('model.scale', [])), 'closed')
  })

  it('end with the file: one cut short since it was opened is an error', async () => {
    const folder = folderOf(header, 40)
    const cut = { ...folder, open: async (file: string) => shortened(await folder.open(file)) }
    const checkpoint = await Checkpoint.open(cut)
    const info = checkpoint.tensor('model.scale', [])
    await expectFault(checkpoint.read(info), 'file-truncated', 'found 1 of 2')

    type Source = Awaited<ReturnType<Folder['open']>>
    function shortened(source: Source): Source {
      if (!source) return undefined
      const read = (start: number, end: number) =>
        source.read(start, Math.min(end, source.size - 1))
      return source.name.endsWith('.json') ? source : { ...source, size: source.size, read }
    }
  })

  it('tell a failing disk', async () => {
    const folder = folderOf(header, 40)
    const broken: Folder = {
      name: folder.name,
      open: async (file) => {
        const source = await folder.open(file)
        if (!source || file === 'config.json') return source
        return { ...source, read: () => Promise.reject(new Error('EIO: i/o error, read')) }
      },
    }
    await expectFault(
      Checkpoint.open(broken),
      'file-unreadable',
      'folder/model.safetensors: bytes 0 to 8 cannot be read (EIO: i/o error, read)',
    )
  })
})

describe('a folder that is no model', () => {
  it.each([
    [{}, 'config-missing', 'no config.json; expected a model folder'],
    [{ 'model.safetensors': 'x' }, 'config-missing', 'no config.json'],
    [{ 'model.safetensors': 'x', 'adapter_config.json': {} }, 'config-missing', 'no config.json'],
    [
      { 'config.json': {} },
      'weights-missing',
      'no model.safetensors and no model.safetensors.index',
    ],
    [
      { 'config.json': {}, 'pytorch_model.bin': 'x' },
      'weights-missing',
      'only pytorch_model.bin; dawnrank reads safetensors alone',
    ],
    [
      { 'config.json': {}, 'pytorch_model.bin': 'x' },
      'weights-missing',
      '.save_pretrained(FOLDER, safe_serialization=True)',
    ],
    [
      { 'config.json': {}, 'pytorch_model.bin.index.json': '{}' },
      'weights-missing',
      'only pytorch_model.bin.index.json',
    ],
    [
      { 'config.json': {}, 'adapter_config.json': {}, 'adapter_model.safetensors': 'x' },
      'weights-missing',
      'merge_and_unload()',
    ],
    [
      { 'adapter_config.json': {}, 'adapter_model.safetensors': 'x' },
      'weights-missing',
      'a LoRA adapter',
    ],
  ])('tells what to do: %j', async (files, code, message) => {
    const folder = watched(memoryFolder(files))
    await expectFault(Checkpoint.open(folder), code, 'folder: ', message)
    expect(folder.nowOpen).toBe(0)
  })

  it('may hold an adapter beside full weights', async () => {
    const files = { 'config.json': {}, 'adapter_config.json': {} }
    const weights = { 'model.safetensors': safetensors('{}', new Uint8Array()) }
    expect((await Checkpoint.open(memoryFolder({ ...files, ...weights }))).tensors.size).toBe(0)
  })
})

describe('a sharded checkpoint', () => {
  const shard = (...names: string[]) => {
    const entries = names.map((name, i) => [name, entry('U8', [1], i, i + 1)])
    return safetensors(JSON.stringify(Object.fromEntries(entries)), Uint8Array.from(names.keys()))
  }
  const folderWith = (index: unknown, shards: Record<string, unknown> = {}) =>
    watched(
      memoryFolder({
        'config.json': {},
        'model.safetensors.index.json': index,
        'one.safetensors': shard('a', 'b'),
        'two.safetensors': shard('c'),
        ...shards,
      }),
    )
  const good = { a: 'one.safetensors', b: 'one.safetensors', c: 'two.safetensors' }
  const indexPath = 'folder/model.safetensors.index.json'

  it('is one set of tensors', async () => {
    const checkpoint = await Checkpoint.open(folderWith({ metadata: {}, weight_map: good }))
    expect([...checkpoint.tensors.values()].map(({ name, file }) => `${name} ${file}`)).toEqual([
      'a one.safetensors',
      'b one.safetensors',
      'c two.safetensors',
    ])
    expect(await checkpoint.read(checkpoint.tensors.get('b')!)).toEqual(Uint8Array.of(1))
    await expectFault(() => checkpoint.tensor('d', [1]), 'tensor-missing', '2 files')
  })

  it('may hold tensors that the index does not name', async () => {
    const { b: _, ...weight_map } = good
    expect((await Checkpoint.open(folderWith({ weight_map }))).has('b')).toBe(true)
  })

  it.each([
    ['another shard', { ...good, a: 'two.safetensors' }],
    ['a shard for a tensor that none has', { ...good, d: 'two.safetensors' }],
    [
      'each shard from the folder itself',
      { ...good, a: './one.safetensors', c: './/two.safetensors' },
    ],
  ])('may have an index that names %s', async (_, weight_map) => {
    const folder = folderWith({ metadata: null, weight_map })
    const checkpoint = await Checkpoint.open(folder)
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b', 'c'])
    expect(checkpoint.tensors.get('a')?.file).toBe('one.safetensors')
    await expectFault(() => checkpoint.tensor('d', [1]), 'tensor-missing')
    await checkpoint.close()
    expect([folder.opened, folder.nowOpen]).toEqual([4, 0])
  })

  it('closes every file when it is closed', async () => {
    const folder = folderWith({ weight_map: good })
    const checkpoint = await Checkpoint.open(folder)
    expect(folder.nowOpen).toBe(2)
    await checkpoint.close()
    expect(folder.nowOpen).toBe(0)
  })

  it.each([
    ['[]', 'expected an object with weight_map'],
    ['{"weight_map":{', 'expected a key'],
    ['{}', 'no weight_map'],
    [{ weight_map: {} }, 'an empty one'],
    [{ weight_map: [] }, 'at "weight_map": found "[]}"; expected an object of tensors'],
    [{ weight_map: { a: 7 } }, 'at "weight_map" > "a": found "7}}"; expected the name of a file'],
    [
      '{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}',
      'at "weight_map": the key "a" stands twice',
    ],
    [{ weight_map: { ...good, a: '../one.safetensors' } }, '"a" is in "../one.safetensors"'],
    [{ weight_map: { ...good, a: '/etc/one.safetensors' } }, '"/etc/one.safetensors"'],
    [{ weight_map: { ...good, a: 'sub/one.safetensors' } }, 'a file in the same folder'],
    [{ weight_map: { ...good, a: '..\\one.safetensors' } }, 'a file in the same folder'],
    [{ weight_map: { ...good, a: 'C:one.safetensors' } }, 'a file in the same folder'],
    [{ weight_map: { ...good, a: '..' } }, '"a" is in ".."'],
    [{ weight_map: { ...good, a: '.' } }, '"a" is in "."'],
    [{ weight_map: { ...good, a: '' } }, '"a" is in ""'],
    [{ weight_map: { ...good, a: 'one\u0000.safetensors' } }, '"one\\u0000.safetensors"'],
    [{ weight_map: { ...good, a: './../one.safetensors' } }, '"./../one.safetensors"'],
    [{ weight_map: { ...good, a: './/etc/one.safetensors' } }, '".//etc/one.safetensors"'],
    [{ weight_map: { ...good, a: './' } }, '"a" is in "./"'],
    ['{"weight_map":{"a":NaN}}', 'at "weight_map" > "a": found "NaN}}"; expected the name'],
    ['{"weight_map":{"a":"one.safetensors"},"x":nan}', 'at "x": found "nan}"; expected a value'],
  ])('must have an index that fits: %j', async (index, message) => {
    const folder = folderWith(index)
    await expectFault(Checkpoint.open(folder), 'index-invalid', indexPath, message)
    expect(folder.nowOpen).toBe(0)
  })

  it('must have all its files', async () => {
    const weight_map = { ...good, d: 'three.safetensors', e: '__proto__' }
    const folder = folderWith({ weight_map })
    await expectFault(
      Checkpoint.open(folder),
      'shard-missing',
      '2 of the 4 files that model.safetensors.index.json names are not there, such as "__proto__"',
    )
    expect([folder.opened, folder.nowOpen]).toEqual([4, 0])
  })

  it('must not hold a tensor twice', async () => {
    const folder = folderWith({ weight_map: good }, { 'two.safetensors': shard('c', 'a') })
    await expectFault(
      Checkpoint.open(folder),
      'index-invalid',
      'folder/two.safetensors: tensor "a" is in this file and in "one.safetensors"',
    )
    expect(folder.nowOpen).toBe(0)
  })

  it('leaves no file open when the header of one is broken', async () => {
    const folder = folderWith({ weight_map: good }, { 'two.safetensors': 'short' })
    await expectFault(Checkpoint.open(folder), 'header-invalid', 'folder/two.safetensors')
    expect([folder.opened, folder.nowOpen]).toEqual([4, 0])
  })

  it('leaves no file open when one cannot be opened', async () => {
    const inner = folderWith({ weight_map: good })
    const folder: Folder = {
      name: inner.name,
      open: async (file) => {
        if (file === 'one.safetensors') throw new Error('EMFILE')
        // The failure comes first, the other file is still on its way.
        if (file === 'two.safetensors') await new Promise((done) => setTimeout(done, 10))
        return inner.open(file)
      },
    }
    await expect(Checkpoint.open(folder)).rejects.toThrow('EMFILE')
    expect([inner.opened, inner.nowOpen]).toEqual([3, 0])
  })
})
