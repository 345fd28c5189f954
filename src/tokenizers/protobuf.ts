import { TokenizerError } from './errors.ts'

/** One field of a protobuf message: a varint or fixed-size number, or the bytes of a string or message. */
export interface ProtoField {
  readonly number: number
  readonly value: number | Uint8Array
}

/** The fields of a protobuf message in the order they stand. Fixed 32-bit values are read as floats. */
export function* protoFields(message: Uint8Array, where: string): Generator<ProtoField> {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  let at = 0
  const fault = (what: string): never => {
    throw new TokenizerError('tokenizer-invalid', `${where}: no protobuf message: ${what}`)
  }
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 64; shift += 7) {
      if (at >= message.length) fault('it ends inside a number')
      const byte = message[at++]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    return fault('a number of over 64 bits')
  }
  const skip = (bytes: number): number => {
    if (bytes > message.length - at)
      fault(`a field of ${bytes} bytes where ${message.length - at} are left`)
    at += bytes
    return at - bytes
  }
  while (at < message.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const wire = tag % 8
    if (wire === 0) yield { number, value: varint() }
    else if (wire === 1) yield { number, value: view.getFloat64(skip(8), true) }
    else if (wire === 5) yield { number, value: view.getFloat32(skip(4), true) }
    else if (wire === 2) {
      const start = skip(varint())
      yield { number, value: message.subarray(start, at) }
    } else fault(`a field of wire type ${wire}`)
  }
}
