import { Inflater } from './inflate.ts'

/** What a header has behind its fixed part, by bits of its flags (RFC 1952). */
const flag = { checksum: 2, extra: 4, name: 8, comment: 16, unknown: 0xe0 }
const deflate = 8

const checksumTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  return value
})

/** The CRC-32 of these bytes behind those that `before` is the CRC-32 of. */
function crc32(before: number, bytes: ArrayLike<number>): number {
  let value = ~before
  for (let i = 0; i < bytes.length; i++) {
    value = (value >>> 8) ^ checksumTable[(value ^ bytes[i]!) & 255]!
  }
  return ~value >>> 0
}

/**
 * Unpacks gzip: one member or several, and zeros behind any of them, as `cat`, pigz, bgzip and tar make it.
 *
 * @param fault makes the error of data that is damaged or cut off; what comes before is given first
 */
export async function* gunzip(
  chunks: AsyncIterable<Uint8Array>,
  fault: (what: string) => Error,
): AsyncGenerator<Uint8Array> {
  const input = new Inflater(chunks, fault)
  try {
    let first = await input.byte()
    while (first !== undefined) {
      const wrong = await skipHeader(input, first)
      if (wrong) throw fault(wrong)
      let checksum = 0
      let size = 0
      for await (const piece of input.inflate()) {
        checksum = crc32(checksum, piece)
        size += piece.length
        yield piece
      }
      if ((await input.number(4)) !== checksum) throw fault('the checksum does not fit')
      if ((await input.number(4)) !== size >>> 0) throw fault('the length does not fit')
      do first = await input.byte()
      while (first === 0)
    }
  } finally {
    await input.close()
  }
}

/** Reads the header of a member up to its data; gives what is wrong with it. */
async function skipHeader(input: Inflater, first: number): Promise<string | undefined> {
  let checksum = crc32(0, [first])
  const next = async () => {
    const byte = await input.number(1)
    checksum = crc32(checksum, [byte])
    return byte
  }
  const skip = async (count: number) => {
    for (let i = 0; i < count; i++) await next()
  }
  const skipText = async () => {
    while ((await next()) !== 0);
  }
  if (first !== 0x1f || (await next()) !== 0x8b) return 'what follows is not gzip'
  if ((await next()) !== deflate) return 'the method is unknown'
  const flags = await next()
  if (flags & flag.unknown) return 'the flags are unknown'
  await skip(6)
  if (flags & flag.extra) await skip((await next()) + 256 * (await next()))
  if (flags & flag.name) await skipText()
  if (flags & flag.comment) await skipText()
  if (!(flags & flag.checksum) || (await input.number(2)) === (checksum & 0xffff)) return undefined
  return 'the checksum of a header does not fit'
}
