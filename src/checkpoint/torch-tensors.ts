/**
 * Files of `torch.save` that hold nothing but tensors by name. They are zip archives with a pickle, which is a program: this
 * one is not run. Its few instructions for dictionaries of tensors are read as data, and all others are refused.
 */
import { CheckpointError, show } from './errors.ts'
import { type StoredDtype, storedBits } from './safetensors.ts'

/** A tensor, as safetensors stores it. */
export interface TorchTensor {
  readonly dtype: StoredDtype
  readonly shape: readonly number[]
  readonly data: Uint8Array<ArrayBuffer>
}

/** The storages of PyTorch by what their numbers are. */
const storages: Readonly<Record<string, StoredDtype>> = {
  'torch FloatStorage': 'f32',
  'torch HalfStorage': 'f16',
  'torch BFloat16Storage': 'bf16',
  'torch DoubleStorage': 'f64',
}

const rebuild = 'torch._utils _rebuild_tensor_v2'
const orderedDict = 'collections OrderedDict'

/** More entries than any such file has. */
const mostSteps = 10000

/**
 * The tensors of a file of `torch.save`, by name.
 *
 * @param what how messages call the file
 * @throws CheckpointError `torch-unsupported`; the message says how to convert the file
 */
export function readTorchTensors(
  bytes: Uint8Array<ArrayBuffer>,
  what: string,
): Map<string, TorchTensor> {
  const refuse: Refuse = (fault) => {
    throw new CheckpointError(
      'torch-unsupported',
      `${what}: ${fault}; expected a file of torch.save with tensors by name alone. Convert it once in Python: safetensors.torch.save_file(torch.load("${fileOf(what)}", weights_only=True), "${fileOf(what).replace(/\.pt$/, '.safetensors')}")`,
    )
  }
  const files = readZip(bytes, refuse)
  const [pickle, ...others] = [...files.keys()].filter((path) => path.endsWith('/data.pkl'))
  if (pickle === undefined || others.length > 0) return refuse('no archive with one data.pkl')
  const root = pickle.slice(0, -'data.pkl'.length)
  const order = files.get(`${root}byteorder`)
  if (order && new TextDecoder().decode(order).trim() !== 'little') {
    return refuse('its numbers are not little-endian')
  }
  const value = readPickle(files.get(pickle) as Uint8Array, refuse)
  if (!(value instanceof Map)) return refuse('its content is no dictionary')
  const tensors = new Map<string, TorchTensor>()
  for (const [name, tensor] of value) {
    if (typeof name !== 'string' || !(tensor instanceof TensorRecord)) {
      return refuse(`${show(name)} is no tensor`)
    }
    const { storage, offset, shape } = tensor
    const data = files.get(`${root}data/${storage.key}`)
    const count = shape.reduce((product, size) => product * size, 1)
    const bytes = storedBits(storage.dtype) / 8
    const [start, end] = [offset * bytes, (offset + count) * bytes]
    if (!data || !Number.isSafeInteger(end) || end > data.length) {
      return refuse(`the numbers of ${show(name)} are not all there`)
    }
    tensors.set(name, { dtype: storage.dtype, shape, data: data.slice(start, end) })
  }
  return tensors
}

type Refuse = (fault: string) => never

const fileOf = (what: string) => what.slice(what.lastIndexOf('/') + 1)

/** The files of a zip archive whose entries are stored as they are. */
function readZip(
  bytes: Uint8Array<ArrayBuffer>,
  refuse: Refuse,
): Map<string, Uint8Array<ArrayBuffer>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const files = new Map<string, Uint8Array<ArrayBuffer>>()
  try {
    let end = bytes.length - 22
    while (view.getUint32(end, true) !== 0x06054b50) end--
    const count = view.getUint16(end + 10, true)
    let at = view.getUint32(end + 16, true)
    for (let i = 0; i < count; i++) {
      if (view.getUint32(at, true) !== 0x02014b50) return refuse('a damaged archive')
      const [method, size, nameLength] = [
        view.getUint16(at + 10, true),
        view.getUint32(at + 24, true),
        view.getUint16(at + 28, true),
      ]
      const local = view.getUint32(at + 42, true)
      const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength))
      if (method !== 0) return refuse(`${show(name)} is compressed`)
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
      if (start + size > bytes.length) return refuse(`${show(name)} is not all there`)
      files.set(name, bytes.subarray(start, start + size))
      at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
    }
  } catch (fault) {
    if (fault instanceof RangeError) return refuse('no zip archive')
    throw fault
  }
  return files
}

/** What a pickle may name. */
class Global {
  constructor(readonly name: string) {}
}

class StorageRecord {
  constructor(
    readonly key: string,
    readonly dtype: StoredDtype,
  ) {}
}

class TensorRecord {
  constructor(
    readonly storage: StorageRecord,
    readonly offset: number,
    readonly shape: readonly number[],
  ) {}
}

const mark = Symbol('mark')

/** What a pickle of protocol 2 describes, where it is a dictionary of tensors. */
function readPickle(bytes: Uint8Array, refuse: Refuse): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const stack: unknown[] = []
  const memo = new Map<number, unknown>()
  let at = 0
  const byte = () => view.getUint8(at++)
  const take = (length: number) => {
    if (at + length > bytes.length) throw new RangeError('end')
    at += length
    return new TextDecoder().decode(bytes.subarray(at - length, at))
  }
  const line = () => {
    const end = bytes.indexOf(0x0a, at)
    if (end < 0) throw new RangeError('end')
    const text = take(end - at)
    at++
    return text
  }
  const word = () => {
    at += 4
    return view.getUint32(at - 4, true)
  }
  const toMark = () => {
    const from = stack.lastIndexOf(mark)
    return from < 0 ? refuse('a damaged pickle') : stack.splice(from).slice(1)
  }
  const last = (count: number) =>
    stack.length < count ? refuse('a damaged pickle') : stack.splice(stack.length - count)
  const set = (entries: readonly unknown[]) => {
    const target = stack.at(-1)
    if (!(target instanceof Map)) return refuse('entries of what is no dictionary')
    for (let i = 0; i + 1 < entries.length; i += 2) target.set(entries[i], entries[i + 1])
  }
  const steps: Readonly<Record<number, () => void>> = {
    // PROTO
    128: () => void byte(),
    // EMPTY_DICT, MARK, NEWFALSE, NEWTRUE, NONE, EMPTY_TUPLE
    125: () => void stack.push(new Map()),
    40: () => void stack.push(mark),
    137: () => void stack.push(false),
    136: () => void stack.push(true),
    78: () => void stack.push(null),
    41: () => void stack.push([]),
    // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
    113: () => void memo.set(byte(), stack.at(-1)),
    114: () => void memo.set(word(), stack.at(-1)),
    104: () => void stack.push(memo.get(byte())),
    106: () => void stack.push(memo.get(word())),
    // BINUNICODE, BININT, BININT1, BININT2
    88: () => void stack.push(take(word())),
    74: () => void stack.push(word() | 0),
    75: () => void stack.push(byte()),
    77: () => void stack.push(byte() | (byte() << 8)),
    // TUPLE, TUPLE1, TUPLE2, TUPLE3
    116: () => void stack.push(toMark()),
    133: () => void stack.push(last(1)),
    134: () => void stack.push(last(2)),
    135: () => void stack.push(last(3)),
    // SETITEM, SETITEMS, GLOBAL, BINPERSID, REDUCE
    115: () => set(last(2)),
    117: () => set(toMark()),
    99: () => void stack.push(new Global(`${line()} ${line()}`)),
    81: () => void stack.push(storageOf(stack.pop(), refuse)),
    82: () => {
      const [made, values] = last(2)
      stack.push(reduced(made, values, refuse))
    },
    // BUILD, of the state of an OrderedDict: its metadata
    98: () => void last(1),
  }
  try {
    for (let count = 0; count < mostSteps; count++) {
      const code = byte()
      if (code === 46) return stack.at(-1)
      const step = steps[code]
      if (!step) return refuse(`its pickle has the instruction ${code}`)
      step()
    }
  } catch (fault) {
    if (fault instanceof RangeError) return refuse('a pickle without an end')
    throw fault
  }
  return refuse('a pickle of too many instructions')
}

function storageOf(value: unknown, refuse: Refuse): StorageRecord {
  const [kind, type, key] = Array.isArray(value) ? value : []
  const dtype = type instanceof Global ? storages[type.name] : undefined
  if (kind !== 'storage' || !dtype || typeof key !== 'string') return refuse('an unknown storage')
  return new StorageRecord(key, dtype)
}

/** What a function makes of its arguments: an empty dictionary, or a tensor whose rows follow one another. */
function reduced(made: unknown, values: unknown, refuse: Refuse): unknown {
  const name = made instanceof Global ? made.name : ''
  if (!Array.isArray(values)) return refuse('a damaged pickle')
  if (name === orderedDict && values.length === 0) return new Map()
  if (name !== rebuild) return refuse(`its pickle calls ${show(name)}`)
  const [storage, offset, shape, strides] = values
  const isCounts = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((size) => Number.isSafeInteger(size) && size >= 0)
  const isStorage = storage instanceof StorageRecord
  if (!isStorage || !isCounts([offset]) || !isCounts(shape) || !isCounts(strides)) {
    return refuse('a damaged tensor')
  }
  let stride = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if ((shape[i] as number) > 1 && strides[i] !== stride)
      return refuse('a tensor in another order')
    stride *= shape[i] as number
  }
  return new TensorRecord(storage, offset as number, shape)
}
