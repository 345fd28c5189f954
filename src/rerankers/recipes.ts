import { Checkpoint, show } from '../checkpoint/index.ts'
import { ModelError } from '../models/errors.ts'
import type { Family } from '../models/family.ts'
import { families } from '../models/registry.ts'
import type { Folder } from '../platform/files.ts'
import { chatTemplateOf } from './chat-template.ts'
import { RerankerError } from './errors.ts'
import type { RecipeName, SettingsDefaults } from './options.ts'
import type { PairTemplate, PromptTemplate, Template } from './templates.ts'

/** What makes a reranker of a model: how inputs are built, what is the score, and the settings when nothing is said. */
export interface Recipe extends SettingsDefaults {
  /** The models that it is for, by their head. */
  readonly head: Family['head']
  readonly templates: Readonly<Record<'flag' | 'plain', Template>>
  /** Of a causal language model, the word whose logit is the score. */
  readonly word?: string
  /** Whether its models have a score at several layers. */
  readonly layerwise?: boolean
}

/** FlagEmbedding's inputs for encoders, and those of transformers. */
const pairs = {
  flag: { form: 'pair', framing: 'class', truncation: 'passage' },
  plain: { form: 'pair', framing: 'template', truncation: 'longest' },
} as const satisfies Record<string, PairTemplate>

const question = [
  'bos',
  'query',
  { text: '\n' },
  'passage',
  { text: '\n' },
  'prompt',
] as const satisfies PromptTemplate['parts']

/** FlagEmbedding's inputs for language models (`BaseLLMReranker`, `LayerWiseLLMReranker`), and those of its README. */
const questions = (alwaysBos: boolean) =>
  ({
    flag: { form: 'prompt', parts: question, suffixIsExtra: true, alwaysBos },
    plain: { form: 'prompt', parts: question, suffixIsExtra: false, alwaysBos: true },
  }) as const satisfies Record<string, PromptTemplate>

const llmDefaults = {
  inputs: 'flag',
  maxLength: { flag: 512, plain: 1024 },
  queryInstruction: 'A: ',
  passageInstruction: 'B: ',
  prompt:
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a prediction of either 'Yes' or 'No'.",
} as const

const encoderDefaults = { maxLength: { flag: 512, plain: 512 }, templates: pairs } as const

/** The recipes by name. Those of FlagEmbedding's classes have a loader of their own. */
export const recipes = {
  FlagReranker: {
    name: 'FlagReranker',
    head: 'classifier',
    inputs: 'flag',
    ...encoderDefaults,
  },
  CrossEncoder: {
    name: 'CrossEncoder',
    head: 'classifier',
    inputs: 'plain',
    ...encoderDefaults,
  },
  FlagLLMReranker: {
    name: 'FlagLLMReranker',
    head: 'word',
    word: 'Yes',
    templates: questions(false),
    ...llmDefaults,
  },
  LayerWiseFlagLLMReranker: {
    name: 'LayerWiseFlagLLMReranker',
    head: 'layers',
    layerwise: true,
    templates: questions(true),
    ...llmDefaults,
  },
} as const satisfies Readonly<Record<RecipeName, Recipe>>

/** The recipe that the publisher of a model of each kind uses, unless the row of its architecture says otherwise. */
const published: Readonly<Record<Family['head'], RecipeName>> = {
  classifier: 'FlagReranker',
  word: 'FlagLLMReranker',
  layers: 'LayerWiseFlagLLMReranker',
}

/** Architectures whose published rerankers are used in another way: those of sentence-transformers. */
const publishedOtherwise: Readonly<Record<string, RecipeName>> = {
  BertForSequenceClassification: 'CrossEncoder',
}

/** A model's family, and the recipe that makes a reranker of it. */
export interface Choice {
  readonly architecture: string
  readonly family: Family
  readonly recipe: Recipe
}

/**
 * The family of a folder's model, and its recipe: the one that is `asked` for, or that of its publisher.
 *
 * @throws CheckpointError; ModelError `architecture-unsupported`; RerankerError `recipe-ambiguous` where the files leave open whether the
 * model is a reranker at all
 */
export async function chooseRecipe(folder: Folder, asked: RecipeName | undefined): Promise<Choice> {
  const config = await Checkpoint.readConfig(folder)
  const found = config.strings('architectures', { default: [] })
  const fits = (name: string) => !asked || families[name]?.head === recipes[asked].head
  const known = Object.keys(families).filter(fits)
  const architecture = found.find((name) => known.includes(name))
  if (architecture === undefined) {
    throw new ModelError(
      'architecture-unsupported',
      `${config.file}: architectures is ${list(found)}; ${asked ? `${asked} takes` : 'known are'} ${known.join(', ')}`,
    )
  }
  const family = families[architecture] as Family
  const name = asked ?? publishedOtherwise[architecture] ?? published[family.head]
  const chat = !asked && family.head === 'word' ? await chatTemplateOf(folder) : undefined
  if (chat !== undefined) {
    throw new RerankerError(
      'recipe-ambiguous',
      `${folder.name}: ${chat} has a chat template, so this is a chat model and not a reranker by its files. Where it was trained as one after all, load it with ${name}.load, the option recipe: ${show(name)}, or --recipe ${name}`,
    )
  }
  return { architecture, family, recipe: recipes[name] }
}

const list = (names: readonly string[]) => `[${names.slice(0, 4).map(show).join(', ')}]`
