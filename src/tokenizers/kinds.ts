/** What reads the parts of a tokenizer.json by their `type`, where that is not what every tokenizer has. */
import type { Normalizer, PreTokenizer } from './buffers.ts'
import type { Field } from './field.ts'
import type { Find } from './find.ts'
import type { Model } from './pipeline.ts'

type Readers<Part> = Readonly<Record<string, (field: Field, kinds: Kinds) => Part>>

export interface Kinds {
  readonly models?: Readers<Model>
  readonly normalizers?: Readers<Normalizer>
  readonly preTokenizers?: Readers<PreTokenizer[]>
  readonly regex?: {
    findRegex(source: string): Find
    parseExpression(expression: Field): Find
  }
}

/** Several kinds as one. */
export const mergeKinds = (all: readonly Kinds[]): Kinds =>
  Object.assign({}, ...all, {
    models: Object.assign({}, ...all.map(({ models }) => models)),
    normalizers: Object.assign({}, ...all.map(({ normalizers }) => normalizers)),
    preTokenizers: Object.assign({}, ...all.map(({ preTokenizers }) => preTokenizers)),
  })
