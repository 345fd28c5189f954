import { readFileSync } from 'node:fs'
import { inflateSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { f16ToF32 } from '../../src/checkpoint/index.ts'
import { readTorchTensors } from '../../src/checkpoint/torch-tensors.ts'
import { DawnrankError } from '../../src/error.ts'
import { Random } from '../mutations.ts'

const file = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../fixtures/embed-bge-m3/model/${name}`, import.meta.url)))
const sparse = file('sparse_linear.pt')

/** The fixture with bytes in place of others of the same length. */
function replaced(from: string, to: string): Uint8Array<ArrayBuffer> {
  const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
  const text = latin(sparse)
  expect(text).toContain(from)
  expect(to.length).toBe(from.length)
  return new Uint8Array(Buffer.from(text.replaceAll(from, to), 'latin1'))
}

it('the tensors are those of the safetensors file', () => {
  for (const name of ['sparse_linear', 'colbert_linear']) {
    const found = readTorchTensors(file(`${name}.pt`), name)
    const stored = file(`${name}.safetensors`)
    const length = Number(new DataView(stored.buffer).getBigUint64(0, true))
    const header = JSON.parse(new TextDecoder().decode(stored.subarray(8, 8 + length)))
    for (const part of ['weight', 'bias']) {
      const { shape, data_offsets } = header[part]
      const tensor = found.get(part)
      expect(tensor).toMatchObject({ shape, dtype: 'f16' })
      const [start, end] = data_offsets.map((at: number) => at + 8 + length)
      expect(tensor?.data).toEqual(stored.slice(start, end))
      expect(
        f16ToF32(new Uint16Array(tensor?.data.buffer as ArrayBuffer)).every(Number.isFinite),
      ).toBe(true)
    }
  }
})

// As torch.save(linear.state_dict()) writes it: an OrderedDict with metadata, its numbers from a GPU. weight [[1.5, -2]], bias [0.25].
const stateDict =
  'eNp1krtOwzAUhu00pSVcyqVcN5iKhHqBjQEWxOKBUIQUWKI0sZqI0HBit0yVOgASL8HIEzAx8QAszAwMPAKMDNgJqNQFS0exjs93/P/HMUlGL6J0raDjj5OHVYyQjCmRcWLXDzq04jncKZ+fhj3NdaMwpC4PohYz9mOPxtTbDVxuAFqrAy5ZIwK7oEHT56C5PBINynabByEz7Jg22kHo2Zy2WBTbnQ0DMqWSlRMEE5VOk4KeIsZeGDn8ME0akLWEHlSFkaS72/acrSrkiMYhf0AQwUS7hlGiEXwNxo0vhYxxGK/DhKWL+kbgMJj0xVW+7qetalDwcwRzmEr4K5j2p1NwhsNsHYrtLsxZo6LSPqPckfZhPjlfsOSkYLELS4nwDo2ZmAUsE8wYa5TNgXlurb8+5cVOxqQyz0oVoccdkXwcZD5P7l6kbP0vpoZQb3uw/vm2eaSJnYzCr/pvZZuGSbBWzPz/yD+rJycz9OQqrVrq0yZWDaqsaq3PXqpsTWVVm332Hg+ZNklW/iniIh29i+9bYu0LEVuhQw=='

it('a state_dict is read, its metadata left out', () => {
  const bytes = new Uint8Array(inflateSync(Buffer.from(stateDict, 'base64')))
  const found = readTorchTensors(bytes, 'x')
  expect([...found.keys()]).toEqual(['weight', 'bias'])
  const numbers = [...found.values()].map(({ data }) => [...new Float32Array(data.buffer)])
  expect(numbers).toEqual([[1.5, -2], [0.25]])
  expect([...found.values()].map(({ shape }) => shape)).toEqual([[1, 2], [1]])
})

it.each<[string, Uint8Array<ArrayBuffer>, string]>([
  ['nothing', new Uint8Array(), 'no zip archive'],
  ['no archive', new Uint8Array(64), 'no zip archive'],
  [
    'another function',
    replaced('_rebuild_tensor_v2', '_rebuild_tensor_v3'),
    'its pickle calls "torch._utils _rebuild_tensor_v3"',
  ],
  [
    'a call of the system',
    replaced('collections\nOrderedDict', 'posix\nsystem           '),
    'its pickle calls "posix system',
  ],
  ['an unknown storage', replaced('HalfStorage', 'QuatStorage'), 'an unknown storage'],
  ['an instruction of objects', replaced('\x89c', '\x81c'), 'its pickle has the instruction 129'],
  [
    'missing numbers',
    replaced('linear/data/0', 'linear/data/9'),
    'the numbers of "weight" are not all there',
  ],
])('%s is refused, with how to convert it', (_, bytes, message) => {
  const read = () => readTorchTensors(bytes, 'folder/sparse_linear.pt')
  expect(read).toThrow(message)
  expect(read).toThrow('Convert it once in Python: safetensors.torch.save_file(torch.load(')
})

it('damaged files are refused or read, and never run', () => {
  const codes = new Set<string>()
  const random = new Random(1)
  for (let round = 0; round < 2000; round++) {
    const bytes = sparse.slice()
    for (let i = 0; i <= random.below(3); i++) bytes[random.below(bytes.length)] = random.below(256)
    try {
      readTorchTensors(bytes, 'x')
      codes.add('read')
    } catch (fault) {
      if (!(fault instanceof DawnrankError)) throw new Error(`round ${round}`, { cause: fault })
      codes.add(fault.code)
    }
  }
  expect([...codes].sort()).toEqual(['read', 'torch-unsupported'])
})
