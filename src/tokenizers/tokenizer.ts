import { openFolder, openParent } from '#platform'
import { type ByteSource, blobSource, type Folder, type Place } from '../platform/files.ts'
import {
  type AddedToken,
  AddedVocabulary,
  parseAddedTokens,
  type TokenForm,
} from './added-tokens.ts'
import { Bpe, parseBpe } from './bpe.ts'
import { Ids } from './buffers.ts'
import { joinByteLevel } from './byte-level-bpe.ts'
import type { SpecialName } from './classes.ts'
import { TokenizerError } from './errors.ts'
import { Field } from './field.ts'
import { parseNormalizer } from './normalizers.ts'
import { type Model, type Parts, Pipeline } from './pipeline.ts'
import {
  eachTemplates,
  fillTemplate,
  fillTypes,
  parsePostProcessor,
  type Templates,
  type TextPlaces,
  textPlaces,
} from './post-processors.ts'
import { parsePreTokenizer } from './pre-tokenizers.ts'
import { readAll, readJson } from './reading.ts'
import { isOldConfig, lacksClass, Settings, type SettingsFiles } from './settings.ts'
import { parseUnigram } from './unigram.ts'
import { parseWordPiece } from './wordpiece.ts'

/** What a tokenizer is made of where there is no tokenizer.json: a SentencePiece model, or a list of pieces. */
const sentencePieceFiles = ['sentencepiece.bpe.model', 'spm.model', 'tokenizer.model']
const vocabFile = 'vocab.txt'
/** Of byte-level BPE; merges.txt is beside it. */
const bpeVocabFile = 'vocab.json'
const otherFiles = [...sentencePieceFiles, vocabFile, bpeVocabFile]

/**
 * Text to token ids, as a tokenizer.json of Hugging Face says: added tokens, normalizer, pre-tokenizer, model,
 * post-processor; with what is gathered of the files beside it. The lengths of truncation and padding
 * that the file carries are left out, as AutoTokenizer leaves them out. All methods throw {@link TokenizerError}.
 */
export class Tokenizer {
  readonly #parts: Parts
  readonly #settings: Settings
  readonly #templates: Templates
  readonly #pipeline: Pipeline
  #built: Templates | undefined
  readonly #ids = new Ids()
  readonly #added = new Map<number, string>()
  readonly #addedIds = new Map<string, number>()

  /** How many ids there are: all ids are below. */
  readonly vocabSize: number
  /** How many special tokens {@link join} and {@link joinPair} add. */
  readonly overhead: number
  readonly pairOverhead: number
  /** At which end a text that is too long is cut. */
  readonly truncationSide: 'left' | 'right'
  /** Whether a missing {@link bosId} is certain: a file or a known class says that there is none. */
  readonly bosIsKnown: boolean
  /**
   * The id of unknown text, from the model; the others by the names that the files declare, or that the class has without
   * a declaration.
   */
  readonly unkId: number | undefined
  readonly padId: number | undefined
  readonly bosId: number | undefined
  readonly eosId: number | undefined
  readonly clsId: number | undefined
  readonly sepId: number | undefined
  readonly maskId: number | undefined

  private constructor(parts: Parts, settings: Settings) {
    this.#parts = parts
    this.#settings = settings
    this.#pipeline = new Pipeline(parts)
    for (const { id, content } of parts.addedTokens) {
      this.#added.set(id, content)
      this.#addedIds.set(content, id)
    }
    this.vocabSize = idsEnd(parts)
    this.truncationSide = settings.truncationSide
    this.bosIsKnown = settings.class !== undefined || settings.at('bos_token')?.value === null
    this.unkId = parts.model.unkId
    this.padId = this.#named('pad_token')
    this.bosId = this.#named('bos_token')
    this.eosId = this.#named('eos_token')
    this.clsId = this.#named('cls_token')
    this.sepId = this.#named('sep_token')
    this.maskId = this.#named('mask_token')
    this.#templates = this.#framed() ?? parts.templates
    this.overhead = this.#templates.single.length - 1
    this.pairOverhead = this.#templates.pair.length - 2
  }

  #named(name: SpecialName): number | undefined {
    const token = this.#settings.text(name)
    return token === undefined ? undefined : this.idOf(token)
  }

  /** The templates that the class makes in place of the post-processor's. */
  #framed(): Templates | undefined {
    if (!this.#settings.class?.frames) return undefined
    const idsOf = (name: 'bos_token' | 'eos_token', otherwise: boolean): number[] => {
      if (!this.#settings.flag(`add_${name}`, otherwise)) return []
      const id = this.#named(name)
      return id === undefined
        ? (this.#settings.at(name)?.fail('a token, since it is to be added to a text') ?? [])
        : [id]
    }
    return eachTemplates(idsOf('bos_token', true), idsOf('eos_token', false))
  }

  /**
   * Opens a tokenizer: a folder (path, URL, {@link Folder} or files) with tokenizer.json, or else with a SentencePiece
   * model, a vocab.txt, or vocab.json and merges.txt, and the files beside it, one of which must name the class; one of
   * these files itself (path or URL that ends in .json, .model or .txt); or a Blob of a tokenizer.json. Errors:
   * `tokenizer-missing`, and those of {@link Tokenizer.from}.
   */
  static async load(place: Blob | Place): Promise<Tokenizer> {
    if (place instanceof Blob)
      return Tokenizer.from(await readJson(blobSource('tokenizer.json', place)))
    if (typeof place === 'string' || place instanceof URL) {
      const { folder, file } = openParent(place)
      if (/\.(json|model|txt)$/i.test(file)) {
        const tokenizer = await Tokenizer.#open(file, (name) => folder.open(name))
        if (tokenizer) return tokenizer
        throw new TokenizerError('tokenizer-missing', `${place}: there is no such file`)
      }
    }
    const folder = await openFolder(place)
    for (const name of ['tokenizer.json', ...otherFiles]) {
      const tokenizer = await Tokenizer.#open(name, (file) => folder.open(file))
      if (tokenizer) return tokenizer
    }
    const why = await folder.whyMissing?.('tokenizer.json')
    throw new TokenizerError(
      'tokenizer-missing',
      `${folder.name}: no tokenizer; expected tokenizer.json or one of ${otherFiles.join(', ')}${why ? `. ${why}` : ''}`,
    )
  }

  /** Reads a tokenizer file and the files beside it; `undefined` where there is no such file. */
  static async #open(name: string, open: Folder['open']): Promise<Tokenizer | undefined> {
    const file = await open(name)
    if (!file) return undefined
    if (name.toLowerCase().endsWith('.model'))
      return Tokenizer.#convert(await readAll(file), file.name, new Settings(await readFiles(open)))
    if (name.toLowerCase().endsWith('.txt')) {
      const settings = new Settings(await readFiles(open))
      const { convertVocab } = await import('./vocab-txt.ts')
      const converted = convertVocab(await readAll(file), settings, file.name)
      return Tokenizer.#fromFields(new Field(converted, `${file.name}: `), settings)
    }
    const json = new Field(await readJson(file), `${file.name}: `)
    if (name === bpeVocabFile) return Tokenizer.#convertBpe(json, open)
    const files = await readFiles(open)
    const settings = new Settings({ ...files, tokenizer: json })
    const model = settings.isFromSlow ? await openFirst(open, sentencePieceFiles) : undefined
    if (!model) return Tokenizer.#fromFields(json, settings)
    try {
      return await Tokenizer.#convert(await readAll(model), model.name, new Settings(files), json)
    } catch (fault) {
      if (fault instanceof TokenizerError && fault.code === 'tokenizer-unsupported')
        return Tokenizer.#fromFields(json, settings)
      throw fault
    }
  }

  /** Of the vocabulary of byte-level BPE. */
  static async #convertBpe(vocab: Field, open: Folder['open']): Promise<Tokenizer> {
    const merges = await open('merges.txt')
    if (!merges)
      throw new TokenizerError('tokenizer-missing', `${vocab.where}merges.txt is not beside it`)
    const settings = new Settings(await readFiles(open))
    const { convertVocabMerges } = await import('./vocab-merges.ts')
    const json = convertVocabMerges(vocab, await readAll(merges), settings, merges.name)
    return Tokenizer.#fromFields(new Field(json, vocab.where), settings)
  }

  /** Of a SentencePiece model; a tokenizer.json beside it may list added tokens. */
  static async #convert(
    bytes: Uint8Array,
    where: string,
    settings: Settings,
    json?: Field,
  ): Promise<Tokenizer> {
    const { readSentencePiece } = await import('./sentencepiece-model.ts')
    const { addedPieces, convertSentencePiece, fixedPieces } = await import('./sentencepiece.ts')
    const sentencePiece = readSentencePiece(bytes, where)
    const converted = convertSentencePiece(sentencePiece, settings, where)
    const { model } = converted
    const end = model.pieces.length
    if (!json) settings.checkListed(fixedPieces(sentencePiece, settings))
    const declared = json ? parseAddedTokens(json.at('added_tokens'), model, end) : []
    const addedTokens = addedOf(model, addedPieces(sentencePiece), declared, settings)
    return new Tokenizer({ ...converted, addedTokens, splitSpecial: splits(settings) }, settings)
  }

  /**
   * A tokenizer from a parsed tokenizer.json, and a parsed tokenizer_config.json. Errors: `tokenizer-invalid`,
   * `tokenizer-unsupported`; both name the field.
   */
  static from(json: unknown, config?: unknown): Tokenizer {
    const tokenizer = new Field(json, 'tokenizer.json: ')
    const settings = new Settings({
      tokenizer,
      config: config === undefined ? undefined : new Field(config, 'tokenizer_config.json: '),
    })
    return Tokenizer.#fromFields(tokenizer, settings)
  }

  static #fromFields(json: Field, settings: Settings): Tokenizer {
    const model = parseModel(json.at('model'))
    const declared = parseAddedTokens(json.at('added_tokens'), model, model.pieces.length)
    const addedTokens = addedOf(model, declared, declared, settings)
    const preTokenizers = parsePreTokenizer(settings.preTokenizer(json.at('pre_tokenizer')))
    return new Tokenizer(
      {
        addedTokens,
        splitSpecial: splits(settings),
        normalizers: parseNormalizer(settings.normalizer(json.at('normalizer'))),
        ...(model instanceof Bpe ? joinByteLevel(model, preTokenizers) : { model, preTokenizers }),
        templates: parsePostProcessor(json.at('post_processor'), idsEnd({ model, addedTokens })),
      },
      settings,
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
    return options.specialTokens ? this.join(found) : found
  }

  /** The template for one text over ids that are there already, perhaps truncated. */
  join(ids: Uint32Array): Uint32Array {
    return fillTemplate(this.#templates.single, ids)
  }

  /** The ids of two texts in the post-processor's template for pairs. */
  encodePair(first: string, second: string): Uint32Array {
    return this.joinPair(this.encode(first), this.encode(second))
  }

  /** The template for pairs over ids that are there already, perhaps truncated. */
  joinPair(first: Uint32Array, second: Uint32Array): Uint32Array {
    return fillTemplate(this.#templates.pair, first, second)
  }

  /**
   * The ids of a pair as its class builds them (`build_inputs_with_special_tokens`), whatever the template; of a class
   * that is not known, or builds as the template says, as {@link joinPair}. Errors: `tokenizer-invalid`, where a token
   * that the class needs has no name.
   */
  buildPair(first: Uint32Array, second: Uint32Array): Uint32Array {
    return fillTemplate(this.#builtTemplates().pair, first, second)
  }

  /**
   * The token types (`token_type_ids`) of a pair of texts of so many tokens, as {@link joinPair} puts it together
   * (`template`) or {@link buildPair} (`class`). `undefined` where all are 0, or where the model is given none
   * (`model_input_names` of tokenizer_config.json, or of the class). Errors: those of {@link buildPair}.
   */
  pairTypes(
    firstLength: number,
    secondLength: number,
    by: 'template' | 'class',
  ): Uint8Array | undefined {
    if (!this.#settings.givesTypes) return undefined
    const templates = by === 'class' ? this.#builtTemplates() : this.#templates
    return fillTypes(templates, firstLength, secondLength)
  }

  /**
   * Where the texts of a pair, of so many tokens, stand in what {@link joinPair} (`template`) or {@link buildPair} (`class`)
   * puts together. Errors: those of {@link buildPair}.
   */
  pairPlaces(firstLength: number, secondLength: number, by: 'template' | 'class'): TextPlaces {
    const { pair } = by === 'class' ? this.#builtTemplates() : this.#templates
    return textPlaces(pair, firstLength, secondLength)
  }

  #builtTemplates(): Templates {
    this.#built ??=
      this.#settings.class?.build?.((name) => {
        const id = this.#named(name)
        if (id !== undefined) return id
        throw new TokenizerError(
          'tokenizer-invalid',
          `${name} is null; ${this.#settings.className} puts it around texts. Name it in tokenizer_config.json`,
        )
      }) ?? this.#templates
    return this.#built
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

/** The end of the ids. */
const idsEnd = ({ model, addedTokens }: Pick<Parts, 'model' | 'addedTokens'>): number =>
  addedTokens.reduce((end, { id }) => Math.max(end, id + 1), model.pieces.length)

const splits = (settings: Settings): boolean => settings.flag('split_special_tokens', false)

/** The added tokens of a model: its own, and those that the settings add; `declared` are those of a tokenizer.json. */
function addedOf(
  model: Model,
  own: readonly TokenForm[],
  declared: readonly AddedToken[],
  settings: Settings,
): AddedToken[] {
  const vocabulary = new AddedVocabulary(model)
  vocabulary.add(own)
  settings.addTo(vocabulary, declared)
  return vocabulary.tokens()
}

function parseModel(field: Field): Model {
  const type = field.at('type')
  // Old files have no type.
  if (type.absent) {
    if (!field.at('merges').absent) return parseBpe(field)
    return field.at('max_input_chars_per_word').absent ? parseUnigram(field) : parseWordPiece(field)
  }
  switch (type.string()) {
    case 'Unigram':
      return parseUnigram(field)
    case 'BPE':
      return parseBpe(field)
    case 'WordPiece':
      return parseWordPiece(field)
    default:
      return type.unsupported('Unigram, BPE, WordPiece')
  }
}

/** The first file of those named that there is. */
async function openFirst(
  open: Folder['open'],
  names: readonly string[],
): Promise<ByteSource | undefined> {
  for (const name of names) {
    const file = await open(name)
    if (file) return file
  }
  return undefined
}

/** The files beside a tokenizer that count. */
async function readFiles(open: Folder['open']): Promise<SettingsFiles> {
  const read = async (name: string): Promise<Field | undefined> => {
    const file = await open(name)
    return file && new Field(await readJson(file), `${file.name}: `)
  }
  const config = await read('tokenizer_config.json')
  const isOld = isOldConfig(config)
  return {
    config,
    map: isOld ? await read('special_tokens_map.json') : undefined,
    added: isOld ? await read('added_tokens.json') : undefined,
    model: lacksClass(config) ? await read('config.json') : undefined,
  }
}
