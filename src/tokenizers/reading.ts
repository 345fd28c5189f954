import { parseJson } from '../json.ts'
import type { ByteSource } from '../platform/files.ts'
import { TokenizerError } from './errors.ts'

const maxFileBytes = 128 * 2 ** 20

/** The whole of a file, which is closed then. */
export async function readAll(file: ByteSource): Promise<Uint8Array> {
  try {
    if (file.size > maxFileBytes)
      throw new TokenizerError(
        'tokenizer-invalid',
        `${file.name} has ${file.size} bytes; expected a tokenizer of at most ${maxFileBytes}`,
      )
    return await file.read(0, file.size)
  } finally {
    await file.close()
  }
}

/** The JSON of a file, which is closed then. */
export async function readJson(file: ByteSource): Promise<unknown> {
  const bytes = await readAll(file)
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new TokenizerError(
      'tokenizer-invalid',
      `${file.name} is no JSON in UTF-8 (${cause instanceof Error ? cause.message : cause})`,
      { cause },
    )
  }
}
