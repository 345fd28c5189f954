import type { SpecialName } from './classes.ts'
import { TokenizerError } from './errors.ts'
import type { Settings } from './settings.ts'
import { linesOf } from './vocabulary.ts'

/**
 * The tokenizer.json that transformers 4 makes of BERT's vocab.txt, one piece a line (`BertConverter` in
 * convert_slow_tokenizer.py). What the settings say of the normalizer is not in it yet.
 */
export function convertVocab(bytes: Uint8Array, settings: Settings, where: string): unknown {
  if (!settings.class?.setsBertNormalizer)
    throw new TokenizerError(
      'tokenizer-unsupported',
      `${where}: the tokenizer_class is ${JSON.stringify(settings.className ?? null)}, which is not supported; a vocab.txt needs BertTokenizer or one like it in tokenizer_config.json, other classes a tokenizer.json`,
    )
  const lines = linesOf(bytes, where)
  if (lines.at(-1) === '') lines.pop()
  // Of equal lines the last one counts.
  const ids = new Map(lines.map((line, id) => [line, id]))
  const tokenOf = (name: SpecialName): [string, number] => {
    const token = settings.text(name)
    const id = token === undefined ? undefined : ids.get(token)
    if (token !== undefined && id !== undefined) return [token, id]
    throw new TokenizerError(
      'tokenizer-invalid',
      `${where}: there is no line for the ${name}, ${JSON.stringify(token ?? null)}, which stands around texts`,
    )
  }
  return {
    normalizer: { type: 'BertNormalizer', clean_text: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    model: {
      type: 'WordPiece',
      unk_token: settings.text('unk_token'),
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(ids),
    },
    post_processor: {
      type: 'BertProcessing',
      cls: tokenOf('cls_token'),
      sep: tokenOf('sep_token'),
    },
  }
}
