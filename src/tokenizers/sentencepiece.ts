import type { TokenForm } from './added-tokens.ts'
import { Charsmap } from './charsmap.ts'
import { TokenizerError } from './errors.ts'
import { replace, strip } from './normalizers.ts'
import type { Parts } from './pipeline.ts'
import { robertaTemplates } from './post-processors.ts'
import { metaspace } from './pre-tokenizers.ts'
import { precompiled } from './precompiled.ts'
import { protoFields } from './protobuf.ts'
import { convertSentencePieceBpe } from './sentencepiece-bpe.ts'
import type { Settings } from './settings.ts'
import { Unigram } from './unigram.ts'

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
}

const modelTypes = ['0', 'unigram', 'BPE', 'word', 'char']

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
        else if (part.number === 45) unkPiece = textOf(part.value, 'trainer_spec.unk_piece')
    } else if (number === 3) {
      for (const part of protoFields(bytesOf(value, 'normalizer_spec'), where))
        if (part.number === 2) charsmap = bytesOf(part.value, 'precompiled_charsmap')
    }
  }
  if (pieces.length === 0) fault('holds no pieces; expected a SentencePiece model')
  return { pieces, scores, types, modelType, charsmap, unkPiece }
}

/** What a SentencePiece model makes; the added tokens are the settings' too. */
export type Converted = Pick<Parts, 'normalizers' | 'preTokenizers' | 'model' | 'templates'>

/** The control pieces of a model, which are special, and those that its user defined. */
export const addedPieces = ({ pieces, types }: SentencePieceModel): TokenForm[] =>
  pieces.flatMap((content, i) =>
    types[i] === 3 || types[i] === 4
      ? {
          content,
          singleWord: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
          special: types[i] === 3,
        }
      : [],
  )

/** The families whose conversion is known, and the type of model that each is for. */
const typeTokens: Readonly<Record<string, number>> = {
  XLMRobertaTokenizer: 1,
  LlamaTokenizer: 2,
  GemmaTokenizer: 2,
}

/** The first pieces of a conversion, by their ids, of which transformers takes the ids or texts from what files list. */
export function fixedPieces(
  { pieces }: SentencePieceModel,
  { className }: Settings,
): ReadonlyMap<number, string> {
  if (className === 'XLMRobertaTokenizer')
    return new Map([
      [0, '<s>'],
      [2, '</s>'],
    ])
  return new Map(className === 'LlamaTokenizer' ? pieces.slice(0, 3).entries() : [])
}

/** The tokenizer that transformers 4 makes of a SentencePiece model; the settings name the family. */
export function convertSentencePiece(
  model: SentencePieceModel,
  settings: Settings,
  where: string,
): Converted {
  const family = settings.className
  if (family === undefined)
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: a SentencePiece model does not tell the ids of its family, and no tokenizer_config.json with a tokenizer_class lies beside it; add that file, or a tokenizer.json`,
    )
  if (!Object.hasOwn(typeTokens, family))
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: the tokenizer_class is ${JSON.stringify(family)}, which is not supported; supported: ${Object.keys(typeTokens).join(', ')}, with or without "Fast" (for other families a tokenizer.json is needed)`,
    )
  if (model.modelType !== typeTokens[family])
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: the model is of type ${modelTypes[model.modelType] ?? model.modelType}; for ${family} only ${modelTypes[typeTokens[family]!]} is supported`,
    )
  return family === 'XLMRobertaTokenizer'
    ? convertXlmRoberta(model, where)
    : convertSentencePieceBpe(model, settings, where)
}

/**
 * XLM-R's (`XLMRobertaConverter` over `SpmConverter` in convert_slow_tokenizer.py, 4.46): `<s> <pad> </s> <unk>`,
 * the pieces from the fourth on, `<mask>`. Of the normalizer_spec only the charsmap counts there, and white space at
 * the end of a text goes.
 */
function convertXlmRoberta(model: SentencePieceModel, where: string): Converted {
  const pieces = ['<s>', '<pad>', '</s>', '<unk>', ...model.pieces.slice(3), '<mask>']
  const scores = Float64Array.from([0, 0, 0, 0, ...model.scores.slice(3), 0])
  const charsmap = model.charsmap?.length ? [precompiled(new Charsmap(model.charsmap, where))] : []
  return {
    normalizers: [...charsmap, strip(false, true), replace(/ {2,}/gu, '▁')],
    preTokenizers: [metaspace('▁', 'always', true)],
    model: new Unigram(pieces, scores, 3, false),
    templates: robertaTemplates(0, 2),
  }
}
