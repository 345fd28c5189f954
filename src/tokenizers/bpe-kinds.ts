import { parseBpe } from './bpe.ts'
import { byteNormalizer, bytePreTokenizer, gpt2Pattern, prefixSpace } from './byte-level.ts'
import type { PreTokenizer } from './buffers.ts'
import type { Field } from './field.ts'
import type { Kinds } from './kinds.ts'
import { splitPlaces } from './pre-tokenizers.ts'

/** BPE, over bytes or not. */
export const bpeKinds: Kinds = {
  models: { BPE: parseBpe },
  normalizers: { ByteLevel: () => byteNormalizer },
  preTokenizers: { ByteLevel: parseByteLevel },
}

function parseByteLevel(field: Field, { regex }: Kinds): PreTokenizer[] {
  const steps = [bytePreTokenizer]
  const useRegex = field.at('use_regex')
  if (regex && (useRegex.value === undefined || useRegex.boolean()))
    steps.unshift(splitPlaces(regex.findRegex(gpt2Pattern), 'Isolated', false))
  if (field.at('add_prefix_space').boolean()) steps.unshift(prefixSpace)
  return steps
}
