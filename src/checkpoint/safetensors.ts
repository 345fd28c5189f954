/**
 * The safetensors format: 8 bytes with the length of the header (little-endian), the header (JSON),
 * then the tensors' data, without gaps. Described in the README of huggingface/safetensors; what is
 * refused follows that project's `Metadata::validate` and, where the text is stricter, the text.
 */
import type { ByteSource } from '../platform/files.ts'
import { decode, readExactly } from './bytes.ts'
import { CheckpointError, show, showShape } from './errors.ts'
import { JsonReader } from './json.ts'

/** Bits of one element, by the format's names. */
const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

type FormatDtype = keyof typeof dtypeBits

/** How a tensor's elements are stored: the format's names in lower case. */
export type StoredDtype = Lowercase<FormatDtype>

/** Bits of one element. */
export const storedBits = (dtype: StoredDtype): number =>
  dtypeBits[dtype.toUpperCase() as FormatDtype]

/** What the header says about a tensor. Data is little-endian, rows one after another. */
export interface TensorInfo {
  readonly name: string
  readonly dtype: StoredDtype
  /** `[]` for a scalar. */
  readonly shape: readonly number[]
  /** Size of the data. */
  readonly bytes: number
  /** Name of the file in the folder. */
  readonly file: string
  /** Where the data starts, in bytes from the start of the file. */
  readonly start: number
}

/** The reference implementation's limit on a header, in bytes. */
export const longestHeader = 100_000_000

// PyTorch and NumPy stop at 64; a longer list is made to cost memory.
const mostDimensions = 64

/**
 * Reads and checks the header of a safetensors file; of the data nothing is read.
 *
 * @param file name of the file in its folder, for {@link TensorInfo.file}
 * @returns the tensors in the order of their data
 * @throws CheckpointError `header-invalid`, `tensor-invalid`, `file-truncated`, `file-unreadable`
 */
export async function readHeader(source: ByteSource, file: string): Promise<TensorInfo[]> {
  const length = await headerLength(source)
  const bytes = await readExactly(source, 8, 8 + length)
  if (bytes[0] !== 0x7b) {
    throw invalid(source, `the header begins with byte 0x${hex(bytes[0] ?? 0)}; expected "{"`)
  }
  const text = decode(bytes, 'header-invalid', `${source.name}: the header`)
  const tensors = parseHeader(text, source, file, 8 + length)
  checkCoverage(tensors, source, 8 + length)
  return tensors
}

async function headerLength(source: ByteSource): Promise<number> {
  if (source.size < 8) {
    throw invalid(source, `${source.size} bytes; a safetensors file has at least 8`)
  }
  const start = await readExactly(source, 0, 8)
  if (String.fromCharCode(...start) === 'version ') {
    throw invalid(
      source,
      'a Git LFS pointer, not the file that it stands for; fetch that with "git lfs pull"',
    )
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true)
  if (length === 0n) throw invalid(source, 'the length of the header is 0')
  if (length > longestHeader) {
    throw invalid(
      source,
      `the length of the header is ${length} bytes; at most ${longestHeader} are allowed, so this is not safetensors or it is damaged`,
    )
  }
  if (8n + length > source.size) {
    throw invalid(
      source,
      `the length of the header is ${length} bytes, the file ends after ${source.size}; is the download complete?`,
    )
  }
  return Number(length)
}

function parseHeader(
  text: string,
  source: ByteSource,
  file: string,
  dataStart: number,
): TensorInfo[] {
  const reader = new JsonReader(text, (where, fault) =>
    invalid(source, `the header${where && `, at ${where}`}: ${fault}`),
  )
  const tensors: TensorInfo[] = []
  reader.object('an object of tensors', (name) => {
    if (name === '__metadata__') {
      if (!reader.null()) reader.object('an object of strings', () => reader.string('a string'))
    } else {
      tensors.push(parseTensor(reader, name, source, file, dataStart))
    }
  })
  reader.end()
  return tensors
}

function parseTensor(
  reader: JsonReader,
  name: string,
  source: ByteSource,
  file: string,
  dataStart: number,
): TensorInfo {
  let dtype: string | undefined
  let shape: number[] | undefined
  let offsets: number[] | undefined
  reader.object('an object with dtype, shape and data_offsets', (key) => {
    if (key === 'dtype') dtype = reader.string('the name of a dtype')
    else if (key === 'shape') shape = counts(reader, 'a list of sizes', mostDimensions)
    else if (key === 'data_offsets') offsets = counts(reader, 'a list of two offsets', 2)
    else reader.skip()
  })

  const fault = (what: string) =>
    new CheckpointError('tensor-invalid', `${source.name}: tensor ${show(name)}: ${what}`)
  if (dtype === undefined) throw fault('no dtype')
  if (shape === undefined) throw fault('no shape')
  if (offsets === undefined) throw fault('no data_offsets')
  if (shape.length > mostDimensions) throw fault(`more than ${mostDimensions} dimensions`)
  if (!isFormatDtype(dtype)) {
    throw fault(`dtype ${show(dtype)} is not known; known are ${Object.keys(dtypeBits).join(', ')}`)
  }
  const [begin, end] = offsets
  if (begin === undefined || end === undefined || offsets.length > 2) {
    throw fault(`data_offsets is not a list of two, where the data begins and ends`)
  }
  if (begin > end) throw fault(`data_offsets begin at ${begin}, after their end at ${end}`)
  if (dataStart + end > source.size) {
    throw fault(
      `the data ends at byte ${dataStart + end} of the file, which has ${source.size}; is the download complete?`,
    )
  }
  const bits = bitsOf(dtype, shape)
  if (bits === undefined) {
    throw fault(`${dtype} ${showShape(shape)} has more elements than can be counted`)
  }
  if (end - begin !== bits / 8) {
    throw fault(
      `data_offsets span ${end - begin} bytes; ${dtype} ${showShape(shape)} takes ${bits / 8}`,
    )
  }
  return {
    name,
    dtype: dtype.toLowerCase() as StoredDtype,
    shape,
    bytes: end - begin,
    file,
    start: dataStart + begin,
  }
}

/** A list of whole numbers; of one longer than `most`, only so many and one more are kept. */
function counts(reader: JsonReader, expected: string, most: number): number[] {
  const values: number[] = []
  reader.array(expected, (index) => {
    const value = reader.count('a whole number from 0 to 2^53 - 1')
    if (index <= most) values.push(value)
  })
  return values
}

const isFormatDtype = (name: string): name is FormatDtype => Object.hasOwn(dtypeBits, name)

/** Size of the data in bits, `undefined` where a double cannot count it. */
function bitsOf(dtype: FormatDtype, shape: readonly number[]): number | undefined {
  let elements = 1
  for (const size of shape) {
    elements *= size
    if (!Number.isSafeInteger(elements)) return undefined
  }
  const bits = elements * dtypeBits[dtype]
  return Number.isSafeInteger(bits) ? bits : undefined
}

/** Sorts the tensors by their data, which must fill the file from the header to the end. */
function checkCoverage(tensors: TensorInfo[], source: ByteSource, dataStart: number): void {
  // An empty tensor may be at the start of another.
  tensors.sort((a, b) => a.start - b.start || a.bytes - b.bytes)
  let covered = dataStart
  let before = 'the header'
  for (const { name, start, bytes } of tensors) {
    if (start !== covered) {
      const found =
        start < covered
          ? `${covered - start} bytes inside ${before}`
          : `${start - covered} bytes after the end of ${before}`
      throw new CheckpointError(
        'tensor-invalid',
        `${source.name}: tensor ${show(name)} begins ${found}; tensors must follow one another without gaps`,
      )
    }
    covered += bytes
    before = `tensor ${show(name)}`
  }
  if (covered !== source.size) {
    throw invalid(
      source,
      `${source.size - covered} bytes follow the last tensor; the file should end after ${covered}`,
    )
  }
}

const invalid = (source: ByteSource, fault: string) =>
  new CheckpointError('header-invalid', `${source.name}: ${fault}`)

const hex = (byte: number) => byte.toString(16).padStart(2, '0')
