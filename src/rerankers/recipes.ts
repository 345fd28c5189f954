import { Checkpoint, type Config, maxLengthOf, show } from '../checkpoint/index.ts'
import { ModelError } from '../models/errors.ts'
import type { Family } from '../models/family.ts'
import { type FamilyRow, families, familyOf } from '../models/registry.ts'
import type { Folder } from '../platform/files.ts'
import { chatTemplateOf } from './chat-template.ts'
import { RerankerError } from './errors.ts'
import type { Inputs, RecipeName, SettingsDefaults } from './options.ts'
import { flagQuestion, lightweightQuestion, mxbaiV2, qwen3 } from './prompts.ts'
import { activationOfFiles } from './sentence-transformers.ts'
import type { PairTemplate, PromptTemplate, Template } from './templates.ts'

/** What makes a reranker of a model: how inputs are built, what is the score, and the settings when nothing is said. */
export interface Recipe extends SettingsDefaults {
  /** The models that it is for, by their head. */
  readonly head: Family['head']
  readonly templates: Readonly<Partial<Record<Inputs, Template>>>
  /** Of a causal language model, the words whose logits are the score: that of the first, less that of the second. */
  readonly words?: readonly [string] | readonly [string, string]
  /** Special tokens of the template, which the tokenizer must have. */
  readonly specials?: readonly string[]
  /** Whether the longest input is what the files of the model say. */
  readonly lengthIsFromFiles?: boolean
  /** `center` of models by the end of their names. */
  readonly centers?: Readonly<Record<string, number>>
  /** Whether its models have a score at several layers. */
  readonly layerwise?: boolean
  /** Whether its models can merge tokens of passages. */
  readonly merges?: boolean
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

/**
 * FlagEmbedding's inputs for language models (`BaseLLMReranker`, `LayerWiseLLMReranker`, `LightweightLLMReranker`), and those of its
 * README.
 */
const questions = (alwaysBos: boolean) =>
  ({
    flag: { form: 'prompt', parts: question, limits: 'all and a suffix', alwaysBos },
    plain: { form: 'prompt', parts: question, limits: 'all before the suffix', alwaysBos: true },
  }) as const satisfies Record<string, PromptTemplate>

const llmDefaults = {
  inputs: 'flag',
  maxLength: { flag: 512, plain: 1024 },
  queryInstruction: 'A: ',
  passageInstruction: 'B: ',
  prompt: flagQuestion,
  activation: 'identity',
} as const

const encoderDefaults = { templates: pairs } as const

/** The recipes by name. Those of FlagEmbedding's classes have a loader of their own. */
export const recipes = {
  FlagReranker: {
    name: 'FlagReranker',
    head: 'classifier',
    inputs: 'flag',
    ...encoderDefaults,
    maxLength: { flag: 512, plain: 512 },
    activation: 'identity',
    window: false,
  },
  CrossEncoder: {
    name: 'CrossEncoder',
    head: 'classifier',
    inputs: 'plain',
    ...encoderDefaults,
    maxLength: { flag: 512, plain: 'files' },
    activation: 'files',
    window: false,
  },
  FlagLLMReranker: {
    name: 'FlagLLMReranker',
    head: 'word',
    words: ['Yes'],
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
  LightWeightFlagLLMReranker: {
    name: 'LightWeightFlagLLMReranker',
    head: 'layers',
    layerwise: true,
    merges: true,
    templates: questions(true),
    ...llmDefaults,
    prompt: lightweightQuestion,
  },
  Qwen3Reranker: {
    name: 'Qwen3Reranker',
    head: 'word',
    words: ['yes', 'no'],
    specials: qwen3.specials,
    templates: {
      own: {
        form: 'text',
        prefix: qwen3.prefix,
        body: { text: qwen3.query + qwen3.passage },
        suffix: qwen3.suffix,
      },
    },
    inputs: 'own',
    maxLength: { own: 8192 },
    instruction: qwen3.instruction,
    activation: 'sigmoid',
  },
  Qwen3Classifier: {
    name: 'Qwen3Classifier',
    head: 'last-token',
    specials: qwen3.specials,
    templates: {
      own: {
        form: 'prompt',
        parts: ['query', 'passage', { text: qwen3.suffix }],
        query: { text: qwen3.prefix + qwen3.query },
        passage: { text: qwen3.passage },
        limits: 'all',
        keepsQuery: true,
        alwaysBos: false,
      },
    },
    inputs: 'own',
    maxLength: { own: 'files' },
    instruction: qwen3.instruction,
    activation: 'files',
  },
  MxbaiRerankV2: {
    name: 'MxbaiRerankV2',
    head: 'word',
    words: ['1', '0'],
    specials: mxbaiV2.specials,
    templates: {
      own: {
        form: 'prompt',
        parts: [
          { text: mxbaiV2.prefix },
          'query',
          { text: '\n' },
          'passage',
          { text: '\n' },
          'prompt',
          { text: mxbaiV2.suffix },
        ],
        query: { text: mxbaiV2.query, instructed: mxbaiV2.instructedQuery },
        passage: { text: mxbaiV2.passage },
        limits: 'query and passage',
        alwaysBos: false,
      },
    },
    inputs: 'own',
    maxLength: { own: 8192 },
    instruction: null,
    prompt: mxbaiV2.question,
    activation: 'identity',
    center: 6,
    centers: { 'mxbai-rerank-base-v2': 4.5 },
  },
  BCEReranker: {
    name: 'BCEReranker',
    head: 'classifier',
    inputs: 'plain',
    ...encoderDefaults,
    maxLength: { flag: 512, plain: 512 },
    activation: 'sigmoid',
    window: true,
  },
} as const satisfies Readonly<Record<RecipeName, Recipe>>

/** The recipe that the publisher of a model of each kind uses, unless the row of its architecture says otherwise. */
const published: Readonly<Record<Family['head'], RecipeName>> = {
  classifier: 'FlagReranker',
  word: 'FlagLLMReranker',
  layers: 'LayerWiseFlagLLMReranker',
  'last-token': 'Qwen3Classifier',
}

/**
 * Architectures whose published rerankers are used in another way: those of sentence-transformers, Qwen, mixedbread and Youdao, and
 * the lightweight one of FlagEmbedding. A row may depend on the config, and on what the model is called.
 */
const publishedOtherwise: Readonly<
  Record<string, (config: Config, names: readonly string[]) => RecipeName>
> = {
  // jina-reranker-v2 has the architecture of bge-reranker, and a key of its own implementation; bce-reranker has its name alone.
  XLMRobertaForSequenceClassification: ({ raw }, names) => {
    if (Object.hasOwn(raw, 'use_flash_attn')) return 'CrossEncoder'
    return names.some((name) => /(^|[/\\-])bce-reranker/i.test(name))
      ? 'BCEReranker'
      : 'FlagReranker'
  },
  BertForSequenceClassification: () => 'CrossEncoder',
  BertWithSimilarityForSequenceClassification: () => 'CrossEncoder',
  RobertaForSequenceClassification: () => 'CrossEncoder',
  ElectraForSequenceClassification: () => 'CrossEncoder',
  DebertaV2ForSequenceClassification: () => 'CrossEncoder',
  JinaBertForSequenceClassification: () => 'CrossEncoder',
  ModernBertForSequenceClassification: () => 'CrossEncoder',
  NewForSequenceClassification: () => 'CrossEncoder',
  CostWiseGemmaForCausalLM: () => 'LightWeightFlagLLMReranker',
  Qwen3ForCausalLM: () => 'Qwen3Reranker',
  Qwen2ForCausalLM: () => 'MxbaiRerankV2',
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
  const fits = (name: string) => !asked || takes(recipes[asked], families[name] as FamilyRow)
  const known = Object.keys(families).filter(fits)
  const architecture = found.find((name) => known.includes(name))
  if (architecture === undefined) {
    const isEmbedder = await hasFile(folder, 'modules.json')
    throw new ModelError(
      'architecture-unsupported',
      `${config.file}: architectures is ${list(found)}; ${asked ? `${asked} takes` : 'known are'} ${known.join(', ')}${isEmbedder ? '. The folder has modules.json, as embedders do: use Embedder.load' : nearest(found, known)}`,
    )
  }
  const row = familyOf(architecture, config)
  const names = namesOf(folder.name, config)
  const name = asked ?? publishedOtherwise[architecture]?.(config, names) ?? published[row.head]
  const mayChat = !asked && (row.head === 'word' || row.head === 'last-token')
  const chat = mayChat ? await chatTemplateOf(folder) : undefined
  const isNamed = architecture in publishedOtherwise && names.some((text) => /rerank/i.test(text))
  if (chat !== undefined && !isNamed) {
    throw new RerankerError(
      'recipe-ambiguous',
      `${folder.name}: ${chat} has a chat template, so this is a chat model and not a reranker by its files. Where it was trained as one after all, load it with ${name}.load, the option recipe: ${show(name)}, or --recipe ${name}`,
    )
  }
  const recipe: Recipe = recipes[name]
  const [family, settled] = await Promise.all([
    row.load(),
    settleRecipe(recipe, config, folder, names),
  ])
  return { architecture, family, recipe: settled }
}

/** Whether a recipe is for the models of a family. */
const takes = ({ head, merges = false }: Recipe, family: FamilyRow): boolean =>
  family.head === head && merges === (family.merges ?? false)

/** What a model is called: by its folder, or its repository in a hub cache, and by what its config was saved as. */
function namesOf(folder: string, config: Config): string[] {
  const repository = /models--([^/\\]+)[/\\]snapshots[/\\][^/\\]+[/\\]?$/.exec(folder)?.[1]
  const name = repository ?? folder.split(/[/\\]/).findLast((part) => part !== '') ?? ''
  const savedAs = config.string('_name_or_path', { default: '', null: '' })
  return [name, savedAs]
}

/** Fills in what a recipe leaves to the files of a model. */
async function settleRecipe(
  recipe: Recipe,
  config: Config,
  folder: Folder,
  names: readonly string[],
): Promise<Recipe> {
  const { inputs, maxLength, activation, centers = {} } = recipe
  const center = Object.keys(centers).find((end) => names.some((name) => name.endsWith(end)))
  const length = maxLength[inputs] === 'files' ? await maxLengthOf(config, folder) : undefined
  return {
    ...recipe,
    ...(length !== undefined && {
      maxLength: { ...maxLength, [inputs]: length },
      lengthIsFromFiles: true,
    }),
    activation: activation === 'files' ? activationOfFiles(config) : activation,
    ...(center !== undefined && { center: centers[center] as number }),
  }
}

async function hasFile(folder: Folder, file: string): Promise<boolean> {
  const source = await folder.open(file)
  await source?.close()
  return source !== undefined
}

/** The known architecture that an unknown one is most like, by common beginning, where that is more than a few letters. */
function nearest(found: readonly string[], known: readonly string[]): string {
  const common = (a: string, b: string) => {
    let length = 0
    while (length < a.length && a[length] === b[length]) length++
    return length
  }
  const pairs = found.flatMap((own) => known.map((name) => ({ name, length: common(own, name) })))
  const best = pairs.toSorted((a, b) => b.length - a.length)[0]
  return best && best.length >= 4 ? `. The nearest is ${best.name}` : ''
}

const list = (names: readonly string[]) => `[${names.slice(0, 4).map(show).join(', ')}]`
