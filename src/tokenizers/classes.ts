import {
  bertTemplates,
  plainTemplates,
  robertaTemplates,
  type Templates,
} from './post-processors.ts'

/** The names that special tokens have, in the order in which transformers goes through them. */
export const specialNames = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const

/** What a tokenizer_config.json may name. */
export type SpecialName = (typeof specialNames)[number]

/** The id of a special token; throws where none is named. */
export type IdOf = (name: SpecialName) => number

/** What a class of transformers (4.46, the fast one) takes for granted, and changes in what tokenizer.json says. */
export interface TokenizerClass {
  /** What special tokens are called where no file says. */
  readonly names: Readonly<Partial<Record<SpecialName, string>>>
  /** A `mask_token` that a file declares by its text alone includes the white space on its left. */
  readonly maskTakesSpace?: boolean
  /**
   * An `unk_token` that a file declares by its text alone is looked for in the normalized text, where there is no
   * tokenizer.json.
   */
  readonly unkIsNormalized?: boolean
  /**
   * Whether bos and eos stand around each text as `add_bos_token` (true unless set otherwise) and `add_eos_token`
   * say, whatever the post-processor.
   */
  readonly frames?: boolean
  /** What `build_inputs_with_special_tokens` makes; without it, what the post-processor makes. */
  readonly build?: (idOf: IdOf) => Templates
  /** Its `model_input_names` are without `token_type_ids`. */
  readonly isUntyped?: boolean
  /**
   * What `do_lower_case` (true unless set otherwise), `strip_accents` (null) and `tokenize_chinese_chars` (true) say
   * takes the place of what a BertNormalizer says.
   */
  readonly setsBertNormalizer?: boolean
  /** `add_prefix_space` (false unless set otherwise) takes the place of what a ByteLevel pre-tokenizer says. */
  readonly setsPrefixSpace?: boolean
}

const llamaTokens = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }
const robertaTokens = {
  ...llamaTokens,
  sep_token: '</s>',
  pad_token: '<pad>',
  cls_token: '<s>',
  mask_token: '<mask>',
}
const gemmaTokens = {
  bos_token: '<bos>',
  eos_token: '<eos>',
  unk_token: '<unk>',
  pad_token: '<pad>',
}
const gpt2Tokens = {
  bos_token: '<|endoftext|>',
  eos_token: '<|endoftext|>',
  unk_token: '<|endoftext|>',
}
const bertTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
}
const bertClass: TokenizerClass = {
  names: bertTokens,
  build: (idOf) => bertTemplates(idOf('cls_token'), idOf('sep_token')),
  setsBertNormalizer: true,
}

const classes: Readonly<Record<string, TokenizerClass>> = {
  LlamaTokenizer: { names: llamaTokens, frames: true, isUntyped: true },
  GemmaTokenizer: { names: gemmaTokens, frames: true, isUntyped: true },
  XLMRobertaTokenizer: {
    names: robertaTokens,
    maskTakesSpace: true,
    build: (idOf) => robertaTemplates(idOf('cls_token'), idOf('sep_token')),
    isUntyped: true,
  },
  RobertaTokenizer: {
    names: robertaTokens,
    maskTakesSpace: true,
    build: (idOf) => robertaTemplates(idOf('bos_token'), idOf('eos_token')),
    isUntyped: true,
    setsPrefixSpace: true,
  },
  GPT2Tokenizer: {
    names: gpt2Tokens,
    build: () => plainTemplates,
    isUntyped: true,
    setsPrefixSpace: true,
  },
  Qwen2Tokenizer: {
    names: {
      eos_token: '<|endoftext|>',
      unk_token: '<|endoftext|>',
      pad_token: '<|endoftext|>',
    },
    build: () => plainTemplates,
    isUntyped: true,
  },
  DebertaV2Tokenizer: {
    names: { bos_token: '[CLS]', eos_token: '[SEP]', ...bertTokens },
    unkIsNormalized: true,
    build: (idOf) => bertTemplates(idOf('cls_token'), idOf('sep_token')),
  },
  BertTokenizer: bertClass,
  DistilBertTokenizer: { ...bertClass, isUntyped: true },
  ElectraTokenizer: bertClass,
  MobileBertTokenizer: bertClass,
  PreTrainedTokenizer: { names: {}, build: () => plainTemplates },
  // What transformers 5 writes.
  TokenizersBackend: { names: {}, isUntyped: true },
}

/** The class that each `model_type` of a config.json has. */
const classOfModel: Readonly<Record<string, string>> = {
  bert: 'BertTokenizer',
  'deberta-v2': 'DebertaV2Tokenizer',
  distilbert: 'DistilBertTokenizer',
  electra: 'ElectraTokenizer',
  ernie: 'BertTokenizer',
  gemma: 'GemmaTokenizer',
  gemma2: 'GemmaTokenizer',
  gpt2: 'GPT2Tokenizer',
  llama: 'LlamaTokenizer',
  'megatron-bert': 'BertTokenizer',
  mistral: 'LlamaTokenizer',
  mixtral: 'LlamaTokenizer',
  mobilebert: 'MobileBertTokenizer',
  modernbert: 'PreTrainedTokenizer',
  qwen2: 'Qwen2Tokenizer',
  qwen3: 'Qwen2Tokenizer',
  roberta: 'RobertaTokenizer',
  'xlm-roberta': 'XLMRobertaTokenizer',
  'xlm-roberta-xl': 'XLMRobertaTokenizer',
}

/** A class by its name without "Fast", where it is known. */
export const tokenizerClass = (name: string | undefined): TokenizerClass | undefined =>
  name !== undefined && Object.hasOwn(classes, name) ? classes[name] : undefined

/** The class that AutoTokenizer takes for a `model_type`. */
export const classNameOf = (modelType: string): string | undefined =>
  Object.hasOwn(classOfModel, modelType) ? classOfModel[modelType] : undefined
