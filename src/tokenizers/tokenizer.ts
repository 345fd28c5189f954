import { openFolder, openParent } from '#platform'
import { type ByteSource, blobSource, type Folder, type Place } from '../platform/files.ts'
import { parseAddedTokens } from './added_tokens.ts'
import { parseBpe } from './bpe.ts'
import { Ids } from './buffers.ts'
import { TokenizerError } from './errors.ts'
import { Field } from './field.ts'
import { parseNormalizer } from './normalizers.ts'
import { type Model, type Parts, Pipeline } from './pipeline.ts'
import { fillTemplate, parsePostProcessor } from './post_processors.ts'
import { parsePreTokenizer } from './pre_tokenizers.ts'
import { convertSentencePiece, readSentencePiece } from './sentencepiece.ts'
import { isOldConfig, type SpecialName, specialToken } from './special_names.ts'
import { parseUnigram } from './unigram.ts'

const CONFIG = 'tokenizer_config.json'
const TOKENS_MAP = 'special_tokens_map.json'
const SENTENCEPIECE = ['sentencepiece.bpe.model', 'spm.model', 'tokenizer.model']
const MAX_FILE_BYTES = 128 * 2 ** 20

/**
 * Text to token ids, as a tokenizer.json of Hugging Face says: added tokens, normalizer, pre-tokenizer, model,
 * post-processor. Truncation and padding that the file carries are left out, as AutoTokenizer leaves them out.
 * All methods throw {@link TokenizerError}.
 */
export class Tokenizer {
  readonly #parts: Parts
  readonly #pipeline: Pipeline
  readonly #ids = new Ids()
  readonly #added = new Map<number, string>()
  readonly #addedIds = new Map<string, number>()

  /** How many ids there are: all ids are below. */
  readonly vocabSize: number
  /** How many special tokens {@link joinPair} adds. */
  readonly pairOverhead: number
  /**
   * The id of unknown text, from the model; the others by the names in tokenizer_config.json (of old folders, in
   * special_tokens_map.json), or those that its `tokenizer_class` has without being told.
   */
  readonly unkId: number | undefined
  readonly padId: number | undefined
  readonly bosId: number | undefined
  readonly eosId: number | undefined
  readonly clsId: number | undefined
  readonly sepId: number | undefined
  readonly maskId: number | undefined

  private constructor(parts: Parts, config?: Field, map?: Field) {
    this.#parts = parts
    this.#pipeline = new Pipeline(parts)
    let size = parts.model.pieces.length
    for (const { id, content } of parts.addedTokens) {
      this.#added.set(id, content)
      this.#addedIds.set(content, id)
      size = Math.max(size, id + 1)
    }
    this.vocabSize = size
    this.pairOverhead = parts.templates.pair.length - 2
    this.unkId = parts.model.unkId
    const named = (name: SpecialName): number | undefined => {
      const token = specialToken(name, config, map)
      return token === undefined ? undefined : this.idOf(token)
    }
    this.padId = named('pad_token')
    this.bosId = named('bos_token')
    this.eosId = named('eos_token')
    this.clsId = named('cls_token')
    this.sepId = named('sep_token')
    this.maskId = named('mask_token')
  }

  /**
   * Opens a tokenizer: a folder (path, URL, {@link Folder} or files) with tokenizer.json, or else with a SentencePiece
   * model and the tokenizer_config.json that names its family; one of these files itself (path or URL that ends in
   * .json or .model); or a Blob of a tokenizer.json. Errors: `tokenizer-missing`, and those of {@link Tokenizer.from}.
   */
  static async load(place: Blob | Place): Promise<Tokenizer> {
    if (place instanceof Blob)
      return Tokenizer.from(await readJson(blobSource('tokenizer.json', place)))
    if (typeof place === 'string' || place instanceof URL) {
      const { folder, file } = openParent(place)
      if (/\.(json|model)$/i.test(file)) {
        const tokenizer = await Tokenizer.#open(file, (name) => folder.open(name))
        if (tokenizer) return tokenizer
        throw new TokenizerError('tokenizer-missing', `${place}: there is no such file`)
      }
    }
    const folder = await openFolder(place)
    const names = ['tokenizer.json', ...SENTENCEPIECE]
    for (const name of names) {
      const tokenizer = await Tokenizer.#open(name, (file) => folder.open(file))
      if (tokenizer) return tokenizer
    }
    const why = await folder.whyMissing?.('tokenizer.json')
    throw new TokenizerError(
      'tokenizer-missing',
      `${folder.name}: no tokenizer; expected tokenizer.json or one of ${SENTENCEPIECE.join(', ')}${why ? `. ${why}` : ''}`,
    )
  }

  /** Reads a tokenizer file and what lies beside it; `undefined` where there is no such file. */
  static async #open(name: string, open: Folder['open']): Promise<Tokenizer | undefined> {
    const file = await open(name)
    if (!file) return undefined
    const isModel = name.toLowerCase().endsWith('.model')
    const content = isModel ? await readAll(file) : await readJson(file)
    const configFile = await open(CONFIG)
    const config = configFile && new Field(await readJson(configFile), `${configFile.name}: `)
    const mapFile = isOldConfig(config) ? await open(TOKENS_MAP) : undefined
    const map = mapFile && new Field(await readJson(mapFile), `${mapFile.name}: `)
    if (!(content instanceof Uint8Array))
      return Tokenizer.#fromFields(new Field(content, `${file.name}: `), config, map)
    const model = readSentencePiece(content, file.name)
    return new Tokenizer(convertSentencePiece(model, config, file.name), config, map)
  }

  /**
   * A tokenizer from a parsed tokenizer.json, and a parsed tokenizer_config.json for the names of the special
   * tokens. Errors: `tokenizer-invalid`, `tokenizer-unsupported`; both name the field.
   */
  static from(json: unknown, config?: unknown): Tokenizer {
    return Tokenizer.#fromFields(
      new Field(json, 'tokenizer.json: '),
      config === undefined ? undefined : new Field(config, `${CONFIG}: `),
    )
  }

  static #fromFields(json: Field, config?: Field, map?: Field): Tokenizer {
    const model = parseModel(json.at('model'))
    const size = model.pieces.length
    const addedTokens = parseAddedTokens(json.at('added_tokens'), size, (piece) =>
      model.idOf(piece),
    )
    const vocabSize = addedTokens.reduce((most, { id }) => Math.max(most, id + 1), size)
    return new Tokenizer(
      {
        addedTokens,
        normalizers: parseNormalizer(json.at('normalizer')),
        preTokenizers: parsePreTokenizer(json.at('pre_tokenizer')),
        model,
        templates: parsePostProcessor(json.at('post_processor'), vocabSize),
      },
      config,
      map,
    )
  }

  /**
   * The ids of a text, without special tokens unless asked for. Special tokens that stand in the text as such
   * (`</s>`) become their ids, as in the reference. A lone surrogate counts as U+FFFD. Where a BPE model has no
   * unknown piece, a character that it does not know goes, as in the reference.
   * Errors: `tokenizer-input` (no string, or too long), `tokenizer-no-unk`.
   */
  encode(text: string, options: { specialTokens?: boolean } = {}): Uint32Array {
    if (typeof text !== 'string')
      throw new TokenizerError(
        'tokenizer-input',
        `the text is ${text === null ? 'null' : `a value of type ${typeof text}`}; expected a string`,
      )
    const ids = this.#ids
    ids.length = 0
    this.#pipeline.encode(text, ids)
    const found = ids.data.slice(0, ids.length)
    return options.specialTokens ? fillTemplate(this.#parts.templates.single, found) : found
  }

  /** The ids of two texts in the post-processor's template for pairs. */
  encodePair(first: string, second: string): Uint32Array {
    return this.joinPair(this.encode(first), this.encode(second))
  }

  /** The template for pairs over ids that are there already, perhaps truncated. */
  joinPair(first: Uint32Array, second: Uint32Array): Uint32Array {
    return fillTemplate(this.#parts.templates.pair, first, second)
  }

  /** The pieces of ids, to be read by people. Errors: `tokenizer-input` (an id that is none). */
  pieces(ids: Iterable<number>): string[] {
    return Array.from(ids, (id) => {
      const piece = this.#added.get(id) ?? this.#parts.model.pieces[id]
      if (piece === undefined)
        throw new TokenizerError(
          'tokenizer-input',
          `${id} is no token id; expected an integer from 0 to ${this.vocabSize - 1}`,
        )
      return piece
    })
  }

  /** The id of a piece or added token, or `undefined`. */
  idOf(piece: string): number | undefined {
    const id = this.#addedIds.get(piece) ?? this.#parts.model.idOf(piece)
    return id < 0 ? undefined : id
  }
}

function parseModel(field: Field): Model {
  const type = field.at('type')
  // Old files tell no type.
  if (type.absent) return field.at('merges').absent ? parseUnigram(field) : parseBpe(field)
  switch (type.string()) {
    case 'Unigram':
      return parseUnigram(field)
    case 'BPE':
      return parseBpe(field)
    default:
      return type.unsupported('Unigram, BPE')
  }
}

async function readAll(file: ByteSource): Promise<Uint8Array> {
  try {
    if (file.size > MAX_FILE_BYTES)
      throw new TokenizerError(
        'tokenizer-invalid',
        `${file.name} has ${file.size} bytes; expected a tokenizer of at most ${MAX_FILE_BYTES}`,
      )
    return await file.read(0, file.size)
  } finally {
    await file.close()
  }
}

async function readJson(file: ByteSource): Promise<unknown> {
  const bytes = await readAll(file)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new TokenizerError(
      'tokenizer-invalid',
      `${file.name} is no JSON in UTF-8 (${cause instanceof Error ? cause.message : cause})`,
      { cause },
    )
  }
}
