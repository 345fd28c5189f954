import type { TokenForm } from './added-tokens.ts'
import type { Normalizer } from './buffers.ts'
import { Charsmap } from './charsmap.ts'
import { TokenizerError } from './errors.ts'
import { replace, strip } from './normalizers.ts'
import type { Converted } from './pipeline.ts'
import { bertTemplates, robertaTemplates } from './post-processors.ts'
import { metaspace, punctuationSplit } from './pre-tokenizers.ts'
import { precompiled } from './precompiled.ts'
import { findRegex } from './regex.ts'
import { convertSentencePieceBpe } from './sentencepiece-bpe.ts'
import type { SentencePieceModel } from './sentencepiece-model.ts'
import type { Settings } from './settings.ts'
import { lowercase } from './unicode-normalizers.ts'
import { Unigram } from './unigram.ts'

const modelTypes = ['0', 'unigram', 'BPE', 'word', 'char']

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
const familyTypes: Readonly<Record<string, number>> = {
  XLMRobertaTokenizer: 1,
  LlamaTokenizer: 2,
  GemmaTokenizer: 2,
  DebertaV2Tokenizer: 1,
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
      `${where}: a SentencePiece model does not contain the ids of its family, and no tokenizer_config.json with a tokenizer_class is beside it; add that file, or a tokenizer.json`,
    )
  if (!Object.hasOwn(familyTypes, family))
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: the tokenizer_class is ${JSON.stringify(family)}, which is not supported; supported: ${Object.keys(familyTypes).join(', ')}, with or without "Fast" (for other families a tokenizer.json is needed)`,
    )
  if (model.modelType !== familyTypes[family])
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: the model is of type ${modelTypes[model.modelType] ?? model.modelType}; for ${family} only ${modelTypes[familyTypes[family]!]} is supported`,
    )
  if (family === 'XLMRobertaTokenizer') return convertXlmRoberta(model, where)
  if (family === 'DebertaV2Tokenizer') return convertDebertaV2(model, settings, where)
  return convertSentencePieceBpe(model, settings, where)
}

/** The steps of a charsmap, where there is one. */
const charsmapSteps = ({ charsmap }: SentencePieceModel, where: string): Normalizer[] =>
  charsmap?.length ? [precompiled(new Charsmap(charsmap, where))] : []

/**
 * XLM-R's (`XLMRobertaConverter` over `SpmConverter` in convert_slow_tokenizer.py, 4.46): `<s> <pad> </s> <unk>`,
 * the pieces from the fourth on, `<mask>`. Of the normalizer_spec only the charsmap counts there, and white space at
 * the end of a text goes.
 */
function convertXlmRoberta(model: SentencePieceModel, where: string): Converted {
  const pieces = ['<s>', '<pad>', '</s>', '<unk>', ...model.pieces.slice(3), '<mask>']
  const scores = Float64Array.from([0, 0, 0, 0, ...model.scores.slice(3), 0])
  return {
    normalizers: [
      ...charsmapSteps(model, where),
      strip(false, true),
      replace(findRegex(' {2,}'), '▁'),
    ],
    preTokenizers: [metaspace('▁', 'always', true)],
    model: new Unigram(pieces, scores, 3, false),
    templates: robertaTemplates(0, 2),
  }
}

/** DeBERTa-v2's and -v3's (`DebertaV2Converter`): the pieces with their ids, white space cut at both ends. */
function convertDebertaV2(model: SentencePieceModel, settings: Settings, where: string): Converted {
  const { pieces, unkId } = model
  const idOf = (piece: string): number => {
    const id = pieces.indexOf(piece)
    if (id >= 0) return id
    throw new TokenizerError(
      'tokenizer-invalid',
      `${where}: there is no piece ${piece}, which stands around texts`,
    )
  }
  if (pieces[unkId] === undefined)
    throw new TokenizerError(
      'tokenizer-invalid',
      `${where}: trainer_spec.unk_id is ${unkId}; expected the id of one of ${pieces.length} pieces`,
    )
  return {
    normalizers: [
      ...(settings.flag('do_lower_case', false) ? [lowercase()] : []),
      strip(true, true),
      ...charsmapSteps(model, where),
      replace(findRegex(' {2,}'), ' '),
    ],
    preTokenizers: [
      ...(settings.flag('split_by_punct', false) ? [punctuationSplit('Isolated')] : []),
      metaspace('▁', 'always', true),
    ],
    model: new Unigram(pieces, Float64Array.from(model.scores), unkId, false),
    templates: bertTemplates(idOf('[CLS]'), idOf('[SEP]')),
  }
}
