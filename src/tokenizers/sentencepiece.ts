import type { AddedToken } from './added_tokens.ts'
import { Charsmap } from './charsmap.ts'
import { TokenizerError } from './errors.ts'
import type { Field } from './field.ts'
import { replace, strip } from './normalizers.ts'
import type { Parts } from './pipeline.ts'
import type { Template } from './post_processors.ts'
import { metaspace } from './pre_tokenizers.ts'
import { precompiled } from './precompiled.ts'
import { protoFields } from './protobuf.ts'
import { convertSentencePieceBpe } from './sentencepiece_bpe.ts'
import { classOf } from './special_names.ts'
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

const MODEL_TYPES = ['0', 'unigram', 'BPE', 'word', 'char']

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

/** The families whose conversion is known, and the type of model that each is for. */
const FAMILIES: Readonly<Record<string, number>> = {
  XLMRobertaTokenizer: 1,
  LlamaTokenizer: 2,
  GemmaTokenizer: 2,
}

/** The tokenizer that transformers 4 makes of a SentencePiece model; the config names the family. */
export function convertSentencePiece(
  model: SentencePieceModel,
  config: Field | undefined,
  where: string,
): Parts {
  const family = classOf(config)
  if (!config || family === undefined)
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: a SentencePiece model does not tell the ids of its family, and no tokenizer_config.json with a tokenizer_class lies beside it; add that file, or a tokenizer.json`,
    )
  if (!Object.hasOwn(FAMILIES, family))
    config
      .at('tokenizer_class')
      .unsupported(
        `${Object.keys(FAMILIES).join(', ')}, with or without "Fast" (for other families a tokenizer.json is needed)`,
      )
  if (model.modelType !== FAMILIES[family])
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: the model is of type ${MODEL_TYPES[model.modelType] ?? model.modelType}; for ${family} only ${MODEL_TYPES[FAMILIES[family]!]} is supported`,
    )
  return family === 'XLMRobertaTokenizer'
    ? convertXlmRoberta(model, config, where)
    : convertSentencePieceBpe(model, config, where)
}

/**
 * XLM-R's (`XLMRobertaConverter` over `SpmConverter` in convert_slow_tokenizer.py, 4.46): `<s> <pad> </s> <unk>`,
 * the pieces from the fourth on, `<mask>`. Of the normalizer_spec only the charsmap counts there, and white space at
 * the end of a text goes.
 */
function convertXlmRoberta(model: SentencePieceModel, config: Field, where: string): Parts {
  const pieces = ['<s>', '<pad>', '</s>', '<unk>', ...model.pieces.slice(3), '<mask>']
  const scores = Float64Array.from([0, 0, 0, 0, ...model.scores.slice(3), 0])
  const unigram = new Unigram(pieces, scores, 3, false)

  const added = new Map<string, AddedToken>()
  const add = (content: string, special: boolean, flags: Partial<AddedToken> = {}) => {
    const id = unigram.idOf(content)
    if (id >= 0)
      added.set(content, {
        id,
        content,
        singleWord: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special,
        ...flags,
      })
  }
  model.pieces.forEach((piece, i) => {
    if (model.types[i] === 3 || model.types[i] === 4) add(piece, model.types[i] === 3)
  })
  for (const token of ['<s>', '<pad>', '</s>', '<unk>']) add(token, true)
  add('<mask>', true, maskFlags(config))

  const charsmap = model.charsmap?.length ? [precompiled(new Charsmap(model.charsmap, where))] : []
  const single: Template = [0, 'A', 2]
  return {
    addedTokens: [...added.values()],
    normalizers: [...charsmap, strip(false, true), replace(/ {2,}/gu, '▁')],
    preTokenizers: [metaspace('▁', 'always', true)],
    model: unigram,
    templates: { single, pair: [...single, 2, 'B', 2] },
  }
}

/** How `<mask>` is found: as `added_tokens_decoder` says, else `mask_token`, else XLMRobertaTokenizer's own way. */
function maskFlags(config: Field): Partial<AddedToken> {
  const listed = config.at('added_tokens_decoder')
  const entries = listed.absent ? [] : Object.keys(listed.object()).map((id) => listed.at(id))
  const mask = config.at('mask_token')
  const told =
    entries.find((entry) => entry.at('content').value === '<mask>') ??
    (typeof mask.value === 'object' && !mask.absent ? mask : undefined)
  if (!told) return { lstrip: true }
  const flag = (key: string) => !told.at(key).absent && told.at(key).boolean()
  return {
    lstrip: flag('lstrip'),
    rstrip: flag('rstrip'),
    singleWord: flag('single_word'),
    normalized: told.at('normalized').absent || flag('normalized'),
  }
}
