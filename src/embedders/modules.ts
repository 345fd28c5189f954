/** sentence-transformers' layout of a model's folder: modules, pooling, prompts, lengths. */
import { Config, maxLengthOf, show } from '../checkpoint/index.ts'
import { parseJson } from '../json.ts'
import type { Pooling } from '../models/pooling.ts'
import { type Folder, isInnerPath, readWhole } from '../platform/files.ts'
import { EmbedderError } from './errors.ts'

const similarities = ['cosine', 'dot', 'euclidean', 'manhattan'] as const

/** How two embeddings are compared (`SimilarityFunction`); of distances it is the negative. */
export type SimilarityName = (typeof similarities)[number]

/** What the files of a folder say. */
export interface Modules {
  readonly pooling: Pooling
  /** Whether the mean counts the tokens of the prompt. */
  readonly includePrompt: boolean
  /** Whether embeddings are divided by their length. */
  readonly normalize: boolean
  /** Prompts by name, and the name of the one that is put before texts of no kind. */
  readonly prompts: Readonly<Record<string, string>>
  readonly defaultPrompt: string | undefined
  readonly similarity: SimilarityName
  /** Tokens that texts are shortened to, special tokens included. */
  readonly maxLength: number
  /** Whether texts become lowercase before the tokenizer's own normalizer. */
  readonly lowercase: boolean
  readonly warnings: readonly string[]
}

const modulesFile = 'modules.json'
const settingsFile = 'config_sentence_transformers.json'

/**
 * Reads the files of sentence-transformers; a folder without them has what `SentenceTransformer` then makes of it: the mean
 * of all tokens, not normalized.
 *
 * @throws EmbedderError `modules-invalid`, `modules-unsupported`; CheckpointError `config-invalid`
 */
export async function readModules(folder: Folder, config: Config): Promise<Modules> {
  const modules = await readList(folder)
  const pooling = modules?.find(({ type }) => type === 'Pooling')
  const stored = pooling && (await readObject(folder, `${pooling.path}/config.json`))
  if (pooling && !stored) {
    throw new EmbedderError(
      'modules-invalid',
      `${folder.name}/${modulesFile} names ${show(pooling.path)}, and ${pooling.path}/config.json is not there`,
    )
  }
  const transformer = await readObject(folder, 'sentence_bert_config.json')
  const settings = await readObject(folder, settingsFile)
  const prompts = settings?.section('prompts')
  return {
    pooling: stored ? poolingOf(stored) : 'mean',
    includePrompt: stored?.boolean('include_prompt', { default: true }) ?? true,
    normalize: modules?.some(({ type }) => type === 'Normalize') ?? false,
    prompts: Object.fromEntries(
      Object.keys(prompts?.raw ?? {}).flatMap((name) =>
        prompts?.has(name) ? [[name, prompts.string(name)]] : [],
      ),
    ),
    defaultPrompt: settings?.string('default_prompt_name', { default: undefined }),
    similarity: similarityOf(settings),
    maxLength: await maxLengthOf(config, folder),
    lowercase: transformer?.boolean('do_lower_case', { default: false }) ?? false,
    warnings: modules
      ? []
      : [
          `${folder.name}: no ${modulesFile}; as sentence-transformers does then, the embedding is the mean of all tokens, not normalized`,
        ],
  }
}

/** A module of modules.json, by the last part of its class. */
interface Module {
  readonly type: string
  readonly path: string
}

/** The modules that are computed, one of each at most, in this order. */
const computed = ['Transformer', 'Pooling', 'Normalize']

async function readList(folder: Folder): Promise<Module[] | undefined> {
  const json = await readJson(folder, modulesFile)
  if (json === undefined) return undefined
  const file = `${folder.name}/${modulesFile}`
  const invalid = (fault: string) => new EmbedderError('modules-invalid', `${file}: ${fault}`)
  if (!Array.isArray(json)) throw invalid(`found ${show(json)}; expected a list of modules`)
  const modules = json.map((module): Module => {
    const { type, path } = Object(module)
    if (typeof type !== 'string' || typeof path !== 'string') {
      throw invalid(`found ${show(module)}; expected modules with type and path`)
    }
    return { type: type.slice(type.lastIndexOf('.') + 1), path: path.replace(/\/+$/, '') }
  })
  const types = modules.map(({ type }) => type)
  const order = types.map((type) => computed.indexOf(type))
  const isKnown =
    order.every((at, i) => at >= 0 && (i === 0 || at > (order[i - 1] as number))) &&
    ['Transformer', 'Pooling'].every((type) => types.includes(type))
  if (!isKnown) {
    throw new EmbedderError(
      'modules-unsupported',
      `${file}: the modules are ${types.map(show).join(', ')}; computed are Transformer, Pooling and Normalize, in this order`,
    )
  }
  const [transformer, pooling] = modules as [Module, Module]
  if (transformer.path !== '') {
    throw new EmbedderError(
      'modules-unsupported',
      `${file}: the Transformer is in ${show(transformer.path)}; expected config.json and the weights beside ${modulesFile}. Copy the files of ${show(transformer.path)} there, and make its path ""`,
    )
  }
  if (!isInnerPath(pooling.path)) {
    throw invalid(`the path of Pooling is ${show(pooling.path)}; expected a folder within`)
  }
  return modules
}

/** The names of modes, and whether a file that does not name one has it. */
const modes: Readonly<Record<string, { key: string; standard: boolean }>> = {
  cls: { key: 'pooling_mode_cls_token', standard: false },
  mean: { key: 'pooling_mode_mean_tokens', standard: true },
  max: { key: 'pooling_mode_max_tokens', standard: false },
  mean_sqrt_len_tokens: { key: 'pooling_mode_mean_sqrt_len_tokens', standard: false },
  weightedmean: { key: 'pooling_mode_weightedmean_tokens', standard: false },
  lasttoken: { key: 'pooling_mode_lasttoken', standard: false },
}

const isComputed = (mode: string): mode is Pooling => ['cls', 'mean', 'lasttoken'].includes(mode)

/** The mode of a Pooling module, by its newer key or its older ones, of which several may be true. */
function poolingOf(stored: Config): Pooling {
  const newer = stored.string('pooling_mode', { default: undefined })?.toLowerCase()
  const found =
    newer !== undefined
      ? [newer]
      : Object.entries(modes).flatMap(([mode, { key, standard }]) =>
          stored.boolean(key, { default: standard }) ? [mode] : [],
        )
  const [mode = 'none'] = found
  if (found.length === 1 && isComputed(mode)) return mode
  throw new EmbedderError(
    'modules-unsupported',
    `${stored.file}: the pooling is ${found.length > 0 ? found.map(show).join(' and ') : 'none'}; computed are "cls", "mean" and "lasttoken", one of them`,
  )
}

function similarityOf(settings: Config | undefined): SimilarityName {
  const found = settings?.string('similarity_fn_name', { default: undefined }) ?? 'cosine'
  const name = found === 'dot_product' ? 'dot' : found
  const known = similarities.find((one) => one === name)
  if (known) return known
  throw new EmbedderError(
    'modules-unsupported',
    `${settings?.file}: similarity_fn_name is ${show(found)}; computed are ${similarities.map(show).join(', ')}`,
  )
}

async function readObject(folder: Folder, file: string): Promise<Config | undefined> {
  const json = await readJson(folder, file)
  return json === undefined ? undefined : new Config(`${folder.name}/${file}`, json)
}

async function readJson(folder: Folder, file: string): Promise<unknown> {
  const bytes = await readWhole(folder, file)
  if (!bytes) return undefined
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new EmbedderError('modules-invalid', `${folder.name}/${file}: not JSON`, { cause })
  }
}
