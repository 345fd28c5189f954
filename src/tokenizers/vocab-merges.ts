import { qwen2Pattern } from './byte-level.ts'
import type { SpecialName } from './classes.ts'
import { TokenizerError } from './errors.ts'
import type { Field } from './field.ts'
import type { Settings } from './settings.ts'
import { linesOf } from './vocabulary.ts'

/** A named token and its id. */
type TokenOf = (name: SpecialName) => [token: string, id: number]

/** What a class makes of its files but for the model. The settings set `add_prefix_space` later. */
type Converter = (settings: Settings, tokenOf: TokenOf) => Record<string, unknown>

const gpt2PreTokenizer = { type: 'ByteLevel', add_prefix_space: false, use_regex: true }

const converters: Readonly<Record<string, Converter>> = {
  RobertaTokenizer: (_, tokenOf) => ({
    pre_tokenizer: gpt2PreTokenizer,
    post_processor: {
      type: 'RobertaProcessing',
      cls: tokenOf('cls_token'),
      sep: tokenOf('sep_token'),
    },
  }),
  GPT2Tokenizer: (settings, tokenOf) => ({
    pre_tokenizer: gpt2PreTokenizer,
    post_processor: settings.flag('add_bos_token', false)
      ? bosTemplate(...tokenOf('bos_token'))
      : null,
  }),
  Qwen2Tokenizer: () => ({
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: qwen2Pattern }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
  }),
}

function bosTemplate(token: string, id: number): unknown {
  const bos = { SpecialToken: { id: token, type_id: 0 } }
  const text = (id: string, type: number) => ({ Sequence: { id, type_id: type } })
  return {
    type: 'TemplateProcessing',
    single: [bos, text('A', 0)],
    pair: [bos, text('A', 0), text('B', 1)],
    special_tokens: { [token]: { ids: [id] } },
  }
}

/**
 * The tokenizer.json that transformers 4 makes of a vocab.json and a merges.txt (`RobertaConverter`, `GPT2Converter` and
 * `Qwen2Converter` in convert_slow_tokenizer.py, 4.46).
 */
export function convertVocabMerges(
  vocab: Field,
  merges: Uint8Array,
  settings: Settings,
  where: string,
): unknown {
  const name = settings.className
  if (name === undefined || !Object.hasOwn(converters, name))
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${vocab.where}the tokenizer_class is ${JSON.stringify(name ?? null)}, which is not supported; vocab.json and merges.txt need one of ${Object.keys(converters).join(', ')} in tokenizer_config.json, other classes a tokenizer.json`,
    )
  const tokenOf: TokenOf = (name) => {
    const token = settings.text(name)
    const id = token === undefined ? undefined : vocab.at(token).value
    if (token !== undefined && Number.isInteger(id)) return [token, id as number]
    return vocab.fail(
      `an object with the ${name}, ${JSON.stringify(token ?? null)}, which stands around texts`,
    )
  }
  return {
    ...converters[name]!(settings, tokenOf),
    model: {
      type: 'BPE',
      vocab: vocab.value,
      merges: readMerges(linesOf(merges, where), name === 'Qwen2Tokenizer'),
    },
  }
}

/** The merges, one a line; older classes leave out the first line and what stands after the last line feed, whatever they are. */
function readMerges(lines: readonly string[], skipsEmpty: boolean): string[][] {
  const kept = skipsEmpty
    ? lines.filter((line, i) => line.trim() !== '' && !(i === 0 && line.startsWith('#version:')))
    : lines.slice(1, -1)
  return kept.map((line) => line.trim().split(/\s+/))
}
