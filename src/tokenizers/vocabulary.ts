import { TokenizerError } from './errors.ts'
import type { Field } from './field.ts'

// Ids may be left out, but a few pieces must not ask for much memory.
const maxId = 2 ** 20

/** The `vocab` of a model that lists ids: the pieces by id; `undefined` where an id is left out. */
export function parseVocab(field: Field): (string | undefined)[] {
  const members = field.object()
  const names = Object.keys(members)
  if (names.length === 0) field.fail('at least one piece')
  const most = Math.max(maxId, names.length - 1)
  let last = 0
  for (const name of names) {
    const id = members[name] as number
    if (!Number.isInteger(id) || id < 0 || id > most)
      field.at(name).fail(`an integer from 0 to ${most} that no other piece has`)
    // It would match half of a character.
    if ((name.charCodeAt(name.length - 1) & 0xfc00) === 0xd800)
      field.at(name).fail('under a name without lone surrogates')
    if (id > last) last = id
  }
  const pieces = new Array<string | undefined>(last + 1).fill(undefined)
  for (const name of names) {
    const id = members[name] as number
    if (pieces[id] !== undefined)
      field.at(name).fail(`an integer from 0 to ${most} that no other piece has`)
    pieces[id] = name
  }
  return pieces
}

/** Reports a text that needs the unknown piece, which the model names but does not have. */
export function noUnknown(data: Uint16Array, start: number, end: number): never {
  const word = String.fromCharCode(...data.subarray(start, Math.min(end, start + 60)))
  throw new TokenizerError(
    'tokenizer-no-unk',
    `the text holds ${JSON.stringify(word)}, for which there are no pieces, and model.unk_token is no piece`,
  )
}

/** The lines of a file in UTF-8; the last one is what stands after the last line feed. */
export function linesOf(bytes: Uint8Array, where: string): string[] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.split(/\r\n|\r|\n/)
  } catch (cause) {
    throw new TokenizerError('tokenizer-invalid', `${where} is not UTF-8`, { cause })
  }
}
