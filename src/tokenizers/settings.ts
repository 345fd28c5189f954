import type { AddedToken, AddedVocabulary, TokenForm } from './added-tokens.ts'
import {
  classNameOf,
  type SpecialName,
  specialNames,
  type TokenizerClass,
  tokenizerClass,
} from './classes.ts'
import { Field } from './field.ts'

/** The files that make a tokenizer together, where they are there. */
export interface SettingsFiles {
  /** tokenizer.json, unless the tokenizer is made of a SentencePiece model */
  readonly tokenizer?: Field | undefined
  /** tokenizer_config.json */
  readonly config?: Field | undefined
  /** special_tokens_map.json */
  readonly map?: Field | undefined
  /** added_tokens.json */
  readonly added?: Field | undefined
  /** config.json, for the class */
  readonly model?: Field | undefined
}

/** A token as a file declares it: its text alone, or with the flags of its matching. */
type Declared =
  | string
  | (Omit<TokenForm, 'normalized'> & { readonly normalized: boolean | undefined })

/** Whether special_tokens_map.json and added_tokens.json count. */
export const isOldConfig = (config: Field | undefined): boolean =>
  !config || config.at('added_tokens_decoder').absent

/** Whether config.json is asked for the class. */
export const lacksClass = (config: Field | undefined): boolean =>
  !config || config.at('tokenizer_class').absent

/**
 * What the files beside a tokenizer.json say together, as transformers 4.46 puts them together
 * (`PreTrainedTokenizerBase._from_pretrained`, `PreTrainedTokenizerFast.__init__`), and `extra_special_tokens` as
 * transformers 5 does. Special_tokens_map.json and added_tokens.json count beside an old config, one without
 * `added_tokens_decoder`.
 */
export class Settings {
  /** The class without "Fast", by tokenizer_config.json, or else by config.json. */
  readonly className: string | undefined
  readonly class: TokenizerClass | undefined
  readonly #files: SettingsFiles
  readonly #isOld: boolean

  constructor(files: SettingsFiles) {
    this.#files = files
    this.#isOld = isOldConfig(files.config)
    const named = [files.config, files.model]
      .map((file) => file?.at('tokenizer_class'))
      .find((name) => name && !name.absent)
    const modelType = files.model?.at('model_type')
    this.className = named
      ? named.string().replace(/Fast$/, '')
      : modelType && !modelType.absent
        ? classNameOf(modelType.string())
        : undefined
    this.class = tokenizerClass(this.className)
  }

  /** What is said under a key; `undefined` where no file has it. */
  at(key: string): Field | undefined {
    const { config, map } = this.#files
    const fields = [this.#isOld ? map?.at(key) : undefined, config?.at(key)]
    return fields.find((field) => field && field.value !== undefined)
  }

  /** A setting that is true or false; null is false, as in Python. */
  flag(key: string, otherwise: boolean): boolean {
    const field = this.at(key)
    return field ? !field.absent && field.boolean() : otherwise
  }

  /** The text of a special token. */
  text(name: SpecialName): string | undefined {
    const field = this.at(name)
    if (field) return field.absent ? undefined : contentOf(declared(field))
    const padding = name === 'pad_token' ? this.#files.tokenizer?.at('padding') : undefined
    return (
      this.class?.names[name] ?? (padding?.absent === false ? padding.at(name).string() : undefined)
    )
  }

  /** Whether the class makes its tokenizer anew of a SentencePiece model, though there is a tokenizer.json. */
  get isFromSlow(): boolean {
    const prefix = this.at('add_prefix_space')
    const isPrefixed = this.className === 'LlamaTokenizer' && prefix?.absent === false
    return isPrefixed || this.flag('from_slow', false)
  }

  /** Whether the model is given token types. */
  get givesTypes(): boolean {
    const names = this.at('model_input_names')
    if (!names || names.absent) return !this.class?.isUntyped
    return names.items().some((name) => name.string() === 'token_type_ids')
  }

  /** The `normalizer` of a tokenizer.json, with what the class sets in it. */
  normalizer(field: Field): Field {
    const isSet = this.class?.setsBertNormalizer && !field.absent
    if (!isSet || field.at('type').value !== 'BertNormalizer') return field
    const accents = this.at('strip_accents')
    return new Field(
      {
        ...field.object(),
        lowercase: this.#switch('do_lower_case'),
        handle_chinese_chars: this.#switch('tokenize_chinese_chars'),
        strip_accents: accents && !accents.absent ? accents.boolean() : null,
      },
      field.where,
    )
  }

  /** The `pre_tokenizer` of a tokenizer.json, with what the class sets in it. */
  preTokenizer(field: Field): Field {
    const isSet = this.class?.setsPrefixSpace && !field.absent
    if (!isSet || field.at('type').value !== 'ByteLevel') return field
    const prefix = this.flag('add_prefix_space', false)
    return new Field({ ...field.object(), add_prefix_space: prefix }, field.where)
  }

  /** A setting that must be true or false, and is true where no file has it. */
  #switch(key: string): boolean {
    return this.at(key)?.boolean() ?? true
  }

  /** Where a text that is too long is cut. */
  get truncationSide(): 'left' | 'right' {
    const side = this.at('truncation_side')
    if (side && !side.absent) return side.oneOf('left', 'right')
    const section = this.#files.tokenizer?.at('truncation')
    const direction = section?.absent === false ? section.at('direction') : undefined
    return direction?.absent === false && direction.oneOf('Left', 'Right') === 'Left'
      ? 'left'
      : 'right'
  }

  /** Adds to the tokens of a tokenizer.json, which are there already, those that the other files declare. */
  addTo(vocabulary: AddedVocabulary, ofTokenizer: readonly AddedToken[]): void {
    const listed = this.#listed(ofTokenizer)
    const forms = new Map(listed.map((token) => [contentOf(token), token]))
    const special = this.#special(forms)
    const names = new Set(special.map(contentOf))
    // A token declared by its text alone is added only if no other form of it exists.
    const missing = special.filter(
      (token) => typeof token !== 'string' || !(vocabulary.has(token) || forms.has(token)),
    )
    vocabulary.add([...listed, ...missing].map((token) => formOf(token, names)))
  }

  /**
   * Throws where a token is listed under the id of one of `pieces`, or one of these under another id. Without a
   * tokenizer.json it would take the piece's place, since then a tokenizer is made of the model and the list first.
   */
  checkListed(pieces: ReadonlyMap<number, string>): void {
    for (const [id, token, field] of this.#fieldsListed()) {
      const content = contentOf(token)
      for (const [at, piece] of pieces)
        if ((id === at) !== (content === piece))
          field.fail(
            `${JSON.stringify(piece)} to be listed under ${at}, its id, and nothing else there`,
          )
    }
  }

  /** The tokens that files list with ids, in the order of these ids, which have no other meaning. */
  #listed(ofTokenizer: readonly AddedToken[]): Declared[] {
    const byId = new Map(this.#fieldsListed().map(([id, token]) => [id, token]))
    if (this.#isOld) for (const token of ofTokenizer) byId.set(token.id, token)
    return [...byId].sort(([a], [b]) => a - b).map(([, token]) => token)
  }

  #fieldsListed(): [id: number, token: Declared, field: Field][] {
    const { config, added } = this.#files
    if (config && !this.#isOld) {
      const decoder = config.at('added_tokens_decoder')
      return Object.keys(decoder.object()).map((key) => {
        const field = decoder.at(key)
        if (!/^\d+$/.test(key)) field.fail('under an id')
        field.object()
        return [Number(key), declared(field), field]
      })
    }
    const names = new Set(this.#declaredSpecial().map(contentOf))
    return Object.keys(added?.object() ?? {}).map((content) => {
      const field = added!.at(content)
      const special = names.has(content)
      const token = { ...plainForm, content, special, normalized: !special }
      return [field.integer(0, Number.MAX_SAFE_INTEGER), token, field]
    })
  }

  /** The special tokens that files declare, not those of the class. */
  #declaredSpecial(): Declared[] {
    const named = specialNames.map((name) => this.at(name)).filter((field) => field !== undefined)
    return [...named.filter((field) => !field.absent).map(declared), ...this.#additional()]
  }

  /** The special tokens in the order in which they are added; `forms` is how listed ones are found. */
  #special(forms: ReadonlyMap<string, Declared>): Declared[] {
    const tokens: Declared[] = []
    const seen = new Set<string>()
    // Which class adds those that are named is not known without one.
    for (const name of this.className === undefined ? [] : specialNames) {
      const content = this.text(name)
      if (!content || seen.has(content)) continue
      seen.add(content)
      const field = this.at(name)
      const token = field ? (forms.get(content) ?? declared(field)) : content
      tokens.push(typeof token === 'string' ? this.#formOfClass(name, token) : token)
    }
    return [...tokens, ...this.#additional().filter((token) => !seen.has(contentOf(token)))]
  }

  /** How the class declares a named token of which a file has the text alone. */
  #formOfClass(name: SpecialName, content: string): Declared {
    if (name === 'mask_token' && this.class?.maskTakesSpace)
      return { ...plainForm, content, lstrip: true }
    const isNormalized = this.class?.unkIsNormalized && !this.#files.tokenizer
    return name === 'unk_token' && isNormalized
      ? { ...plainForm, content, normalized: true }
      : content
  }

  /** Special tokens without a name. */
  #additional(): Declared[] {
    const { config, map } = this.#files
    const key = 'additional_special_tokens'
    const mapped = this.#isOld ? map?.at(key) : undefined
    const fields = mapped?.value === null ? [] : [config?.at(key), mapped]
    return [...fields, this.at('extra_special_tokens')].flatMap((field) => {
      if (!field || field.absent) return []
      // In extra_special_tokens, models with tokens of their own have them by name.
      if (field.where.endsWith(key) || Array.isArray(field.value))
        return field.items().map(declared)
      return Object.keys(field.object()).map((name) => declared(field.at(name)))
    })
  }
}

const plainForm = {
  singleWord: false,
  lstrip: false,
  rstrip: false,
  normalized: undefined,
  special: false,
} as const

const contentOf = (token: Declared): string => (typeof token === 'string' ? token : token.content)

/** A token as it stands in a file: a string, or an object with `content` and flags. */
function declared(field: Field): Declared {
  if (typeof field.value === 'string') return field.string()
  const content = field.at('content').string()
  const flag = (name: string): boolean => !field.at(name).absent && field.at(name).boolean()
  return {
    content,
    singleWord: flag('single_word'),
    lstrip: flag('lstrip'),
    rstrip: flag('rstrip'),
    normalized: field.at('normalized').absent ? undefined : flag('normalized'),
    special: flag('special'),
  }
}

/** How a token is found that is special where it says so, or is one of `names`. */
function formOf(token: Declared, names: ReadonlySet<string>): TokenForm {
  const { normalized, ...flags } =
    typeof token === 'string' ? { ...plainForm, content: token } : token
  const special = flags.special || names.has(flags.content)
  return { ...flags, special, normalized: normalized ?? !special }
}
