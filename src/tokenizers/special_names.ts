import type { Field } from './field.ts'

/** What a tokenizer_config.json may name. */
export type SpecialName =
  | 'bos_token'
  | 'eos_token'
  | 'unk_token'
  | 'sep_token'
  | 'pad_token'
  | 'cls_token'
  | 'mask_token'

type Names = Readonly<Partial<Record<SpecialName, string>>>

const LLAMA: Names = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }
const GEMMA: Names = {
  bos_token: '<bos>',
  eos_token: '<eos>',
  unk_token: '<unk>',
  pad_token: '<pad>',
}
const XLM_ROBERTA: Names = {
  ...LLAMA,
  sep_token: '</s>',
  pad_token: '<pad>',
  cls_token: '<s>',
  mask_token: '<mask>',
}

/** What the classes of transformers take where a file says nothing. */
const DEFAULTS: Readonly<Record<string, Names>> = {
  LlamaTokenizer: LLAMA,
  GemmaTokenizer: GEMMA,
  XLMRobertaTokenizer: XLM_ROBERTA,
}

/**
 * The text of a special token by its name, as transformers 4 finds it: in tokenizer_config.json; in
 * special_tokens_map.json before that, where the config is an old one without `added_tokens_decoder`; or by the class.
 */
export function specialToken(
  name: SpecialName,
  config: Field | undefined,
  map: Field | undefined,
): string | undefined {
  const mapped = map && isOldConfig(config) ? map.at(name) : undefined
  const token = mapped && !mapped.absent ? mapped : config?.at(name)
  if (!token || token.value === undefined) return DEFAULTS[classOf(config) ?? '']?.[name]
  if (token.absent) return undefined
  return typeof token.value === 'string' ? token.string() : token.at('content').string()
}

/** Whether the names of a special_tokens_map.json count. */
export const isOldConfig = (config: Field | undefined): boolean =>
  !config || config.at('added_tokens_decoder').absent

/** The `tokenizer_class`, without the "Fast" at its end. */
export function classOf(config: Field | undefined): string | undefined {
  const name = config?.at('tokenizer_class')
  return !name || name.absent ? undefined : name.string().replace(/Fast$/, '')
}
