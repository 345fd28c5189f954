/** How a file begins that is neither UTF-8 text nor gzip. */
interface Signature {
  readonly what: string
  /** Its first bytes, or those from `at` on, each as a character. */
  readonly bytes: string
  readonly at?: number
  /** What makes text of it. */
  readonly command: string
}

const from32 = { command: 'iconv -f UTF-32 -t UTF-8' }
const from16 = { command: 'iconv -f UTF-16 -t UTF-8' }
/** Stands for what could not be decoded. */
const replacement = '\ufffd'

// A signature stands before those that it begins with.
const signatures: readonly Signature[] = [
  { what: 'UTF-32LE text', bytes: '\xff\xfe\0\0', ...from32 },
  { what: 'UTF-32BE text', bytes: '\0\0\xfe\xff', ...from32 },
  { what: 'UTF-16LE text', bytes: '\xff\xfe', ...from16 },
  { what: 'UTF-16BE text', bytes: '\xfe\xff', ...from16 },
  { what: 'zstd data', bytes: '\x28\xb5\x2f\xfd', command: 'zstd -dc' },
  { what: 'bzip2 data', bytes: '1AY&SY', at: 4, command: 'bzip2 -dc' },
  { what: 'bzip2 data', bytes: '\x17rE8P\x90', at: 4, command: 'bzip2 -dc' },
  { what: 'xz data', bytes: '\xfd7zXZ\0', command: 'xz -dc' },
  { what: 'LZMA data', bytes: ']\0\0', command: 'xz -dc' },
  { what: 'lzip data', bytes: 'LZIP\x01', command: 'lzip -dc' },
  { what: 'LZ4 data', bytes: '\x04\x22\x4d\x18', command: 'lz4 -dc' },
  { what: 'Snappy data', bytes: '\xff\x06\0\0sNaPpY', command: 'snzip -dc' },
  { what: 'zlib data', bytes: 'x\x9c', command: 'pigz -dc' },
  { what: 'zlib data', bytes: 'x\xda', command: 'pigz -dc' },
  { what: 'zlib data', bytes: 'x\x01', command: 'pigz -dc' },
  { what: 'data of compress', bytes: '\x1f\x9d', command: 'uncompress -c' },
  { what: 'a ZIP archive', bytes: 'PK\x03\x04', command: 'unzip -p' },
  { what: 'a ZIP archive', bytes: 'PK\x05\x06', command: 'unzip -p' },
  { what: 'a 7z archive', bytes: '7z\xbc\xaf\x27\x1c', command: '7z e -so' },
  { what: 'a tar archive', bytes: 'ustar', at: 257, command: 'tar -xO' },
  { what: 'a Parquet table', bytes: 'PAR1\x15', command: 'pandas.read_parquet' },
]

/** How many bytes tell all kinds but the archives of tar, which are seen in more. */
export const longestSignature = 10
const headSize = 1024

/** Whether bytes are gzip. */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

/** What bytes are that begin a file, and what to do, where they are known not to be UTF-8 text. */
export function foreignContent(head: Uint8Array): string | undefined {
  const start = head.subarray(0, headSize)
  const text = String.fromCharCode(...start)
  const found = signatures.find(({ bytes, at = 0 }) => text.startsWith(bytes, at)) ?? utf16(start)
  if (!found) return undefined
  return `found ${found.what}; expected UTF-8 text, plain or gzip: convert it first, such as by ${found.command}`
}

/**
 * UTF-16 text without a byte order mark: its ASCII characters have a zero byte each, all on the same side, and its line
 * breaks are among them.
 */
function utf16(head: Uint8Array): Pick<Signature, 'what' | 'command'> | undefined {
  const zeros = [0, 0]
  head.forEach((byte, i) => {
    if (byte === 0) zeros[i % 2]!++
  })
  const [even, odd] = zeros as [number, number]
  const breaks = [...head.keys()].filter((i) => head[i] === 0x0a)
  const share = breaks.length > 0 ? 1 / 32 : 1 / 4
  if (Math.min(even, odd) > 0 || even + odd <= share * head.length) return undefined
  const first = even > 0 ? 1 : 0
  const zeroBeside = (i: number) => (head[i + 1 - 2 * first] ?? 0) === 0
  if (!breaks.every((i) => i % 2 === first && zeroBeside(i))) return undefined
  const encoding = even > 0 ? 'UTF-16BE' : 'UTF-16LE'
  return { what: `${encoding} text`, command: `iconv -f ${encoding} -t UTF-8` }
}

/** Why a line is not UTF-8, and what to do. */
export function utf8Fault(line: Uint8Array): string {
  const at = firstInvalid(line)
  const byte = `byte 0x${line[at]!.toString(16).padStart(2, '0')} at position ${at + 1}`
  // Letters of Latin-1 stand between ASCII; elsewhere a character is two such bytes or more.
  const single = !(line[at - 1]! >= 0x80 || line[at + 1]! >= 0x80)
  const encodings = single ? 'Latin-1 or Windows-1252' : 'GB18030, Shift_JIS or EUC-KR'
  const example = single ? 'WINDOWS-1252' : 'GB18030'
  return `not valid UTF-8 (${byte}), rather ${encodings}: convert the file first, such as by iconv -f ${example} -t UTF-8`
}

/** Where bytes stop being UTF-8. */
function firstInvalid(bytes: Uint8Array): number {
  const replaced = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const encoder = new TextEncoder()
  for (let at = replaced.indexOf(replacement); ; at = replaced.indexOf(replacement, at + 1)) {
    const offset = encoder.encode(replaced.slice(0, at)).length
    // The text may hold the sign of replacement itself.
    if (encoder.encode(replacement).some((byte, i) => bytes[offset + i] !== byte)) return offset
  }
}
