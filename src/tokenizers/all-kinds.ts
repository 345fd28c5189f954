import { bpeKinds } from './bpe-kinds.ts'
import { type Kinds, mergeKinds } from './kinds.ts'
import * as regex from './regex.ts'
import { wordKinds } from './word-kinds.ts'

/** All kinds, where the size of what is imported does not matter. */
export const kindsAtOnce: Kinds | undefined = mergeKinds([bpeKinds, wordKinds, { regex }])
