import { type Folder, readJsonIfValid } from '../platform/files.ts'
import type { Config } from './config.ts'

/** Where no file says how long inputs may be. */
const defaultMaxLength = 512

/**
 * The longest input as sentence-transformers reads it from a model's files: `max_seq_length`, else the smaller of the
 * tokenizer's `model_max_length` and the model's `max_position_embeddings`.
 */
export async function maxLengthOf(config: Config, folder: Folder): Promise<number> {
  const own = await numberIn(folder, 'sentence_bert_config.json', 'max_seq_length')
  if (own !== undefined) return own
  const ofTokenizer = await numberIn(folder, 'tokenizer_config.json', 'model_max_length')
  const ofModel = config.raw.max_position_embeddings
  const lengths = [ofTokenizer, ofModel].filter(isLength)
  return lengths.length > 0 ? Math.min(...lengths) : defaultMaxLength
}

const isLength = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1

async function numberIn(folder: Folder, file: string, key: string): Promise<number | undefined> {
  const found = Object(await readJsonIfValid(folder, file))[key]
  return isLength(found) ? found : undefined
}
