import { TokenizerError } from './errors.ts'
import { protoFields } from './protobuf.ts'

/** What is read of a SentencePiece `.model` (sentencepiece_model.proto, message ModelProto). */
export interface SentencePieceModel {
  readonly pieces: string[]
  readonly scores: number[]
  /** 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
  readonly types: number[]
  /** 1 unigram, 2 BPE, 3 word, 4 char. */
  readonly modelType: number
  readonly charsmap: Uint8Array | undefined
  /** The piece that stands for what is unknown. */
  readonly unkPiece: string
  readonly unkId: number
}

/** Reads the pieces, the type of the model and the charsmap. */
export function readSentencePiece(bytes: Uint8Array, where: string): SentencePieceModel {
  const fault = (message: string): never => {
    throw new TokenizerError('tokenizer-invalid', `${where}: ${message}`)
  }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const bytesOf = (value: number | Uint8Array, what: string): Uint8Array =>
    typeof value === 'number' ? fault(`${what} is a number; expected bytes`) : value
  const numberOf = (value: number | Uint8Array, what: string): number =>
    typeof value === 'number' && Number.isFinite(value)
      ? value
      : fault(`${what} is not a finite number`)

  const textOf = (value: number | Uint8Array, what: string): string => {
    const text = bytesOf(value, what)
    try {
      return decoder.decode(text)
    } catch {
      return fault(`${what} is not UTF-8`)
    }
  }

  const pieces: string[] = []
  const scores: number[] = []
  const types: number[] = []
  let modelType = 1
  let charsmap: Uint8Array | undefined
  let unkPiece = '<unk>'
  let unkId = 0
  for (const { number, value } of protoFields(bytes, where)) {
    if (number === 1) {
      const what = `piece ${pieces.length}`
      let piece = ''
      let score = 0
      let type = 1
      for (const part of protoFields(bytesOf(value, what), where)) {
        if (part.number === 1) piece = textOf(part.value, what)
        else if (part.number === 2) score = numberOf(part.value, `the score of ${what}`)
        else if (part.number === 3) type = numberOf(part.value, `the type of ${what}`)
      }
      pieces.push(piece)
      scores.push(score)
      types.push(type)
    } else if (number === 2) {
      for (const part of protoFields(bytesOf(value, 'trainer_spec'), where))
        if (part.number === 3) modelType = numberOf(part.value, 'trainer_spec.model_type')
        else if (part.number === 40) unkId = numberOf(part.value, 'trainer_spec.unk_id')
        else if (part.number === 45) unkPiece = textOf(part.value, 'trainer_spec.unk_piece')
    } else if (number === 3) {
      for (const part of protoFields(bytesOf(value, 'normalizer_spec'), where))
        if (part.number === 2) charsmap = bytesOf(part.value, 'precompiled_charsmap')
    }
  }
  if (pieces.length === 0) fault('holds no pieces; expected a SentencePiece model')
  return { pieces, scores, types, modelType, charsmap, unkPiece, unkId }
}
