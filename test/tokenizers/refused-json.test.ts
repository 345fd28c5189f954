/** Contradictory tokenizer.json files and wrong arguments: a TokenizerError that names what is wrong. */
import { describe, expect, it } from 'vitest'
import { faultOf, readVariants, Tokenizer } from './helpers.ts'

const { plain, 'bpe-llama': bpe, 'wordpiece-added': wordpiece } = readVariants()

describe('a tokenizer.json is refused by what is wrong in it', () => {
  // biome-ignore lint/suspicious/noExplicitAny: each case breaks another part
  type Break = (json: any) => unknown
  const size = plain!.tokenizer.model.vocab.length
  const added = { ...plain!.tokenizer.added_tokens[0], content: '<new>', id: size }
  const invalid = (where: string) => `tokenizer-invalid: tokenizer.json: ${where}`
  const unsupported = (where: string) => `tokenizer-unsupported: tokenizer.json: ${where}`

  const replaceBy = (pattern: unknown, content: unknown = '') => ({
    type: 'Replace',
    pattern,
    content,
  })

  const typed = (first: unknown) => ({
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }],
    pair: [first, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '[CLS]': { ids: [2] } },
  })

  it.each<[string, Break]>([
    [invalid('model is missing; expected an object'), (j) => delete j.model],
    [
      unsupported('model.type is "WordLevel", which is not supported; supported: Unigram, BPE'),
      (j) => (j.model.type = 'WordLevel'),
    ],
    [invalid('model.vocab is missing; expected an array'), (j) => delete j.model.vocab],
    [
      invalid('model.vocab is an array of 0; expected at least one piece'),
      (j) => (j.model.vocab = []),
    ],
    [
      invalid('model.vocab[5] is an array of 2; expected a piece and its finite score'),
      (j) => (j.model.vocab[5][1] = Number.NaN),
    ],
    [invalid('model.vocab[5] is an array of 2; expected'), (j) => (j.model.vocab[5][0] = 5)],
    [invalid('model.vocab[6] is "a"; expected'), (j) => (j.model.vocab[6] = 'a')],
    [
      invalid(`model.unk_id is ${size}; expected an integer from 0 to ${size - 1}`),
      (j) => (j.model.unk_id = size),
    ],
    [invalid('model.unk_id is 0.5; expected an integer'), (j) => (j.model.unk_id = 0.5)],
    [
      invalid('model.byte_fallback is "no"; expected true or false'),
      (j) => (j.model.byte_fallback = 'no'),
    ],
    [
      'tokenizer-invalid: piece 5 is 1025 UTF-16 code units long',
      (j) => (j.model.vocab[5][0] = 'x'.repeat(1025)),
    ],
    [invalid('added_tokens is an object; expected an array'), (j) => (j.added_tokens = {})],
    [
      invalid('added_tokens[0].lstrip is missing; expected true or false'),
      (j) => delete j.added_tokens[0].lstrip,
    ],
    [
      invalid('added_tokens[1].id is 2; expected 1, the id of "<pad>" in the vocabulary'),
      (j) => (j.added_tokens[1].id = 2),
    ],
    [
      invalid(`added_tokens[4].id is 5; expected ${size} or more: "<new>" is no piece`),
      (j) => j.added_tokens.push({ ...added, id: 5 }),
    ],
    [
      invalid(`added_tokens[4].id is ${size + 5}; expected an integer from 0 to ${size + 4}`),
      (j) => j.added_tokens.push({ ...added, id: size + 5 }),
    ],
    [
      invalid(`added_tokens[5].id is ${size}; expected another id than that of "<new>"`),
      (j) => j.added_tokens.push(added, { ...added, content: '<newer>' }),
    ],
    [
      invalid('added_tokens[4].content is "\\ud800"; expected a string without lone surrogates'),
      (j) => j.added_tokens.push({ ...added, content: '\ud800' }),
    ],
    [
      unsupported('normalizer.type is "Nmt", which is not supported; supported: Sequence'),
      (j) => (j.normalizer = { type: 'Nmt' }),
    ],
    [
      unsupported('normalizer.normalizers[0].type is "Other"'),
      (j) => (j.normalizer = { type: 'Sequence', normalizers: [{ type: 'Other' }] }),
    ],
    [invalid('normalizer.type is missing; expected a string'), (j) => (j.normalizer = {})],
    [invalid('normalizer.strip_left is missing'), (j) => (j.normalizer = { type: 'Strip' })],
    [
      invalid('normalizer.precompiled_charsmap is "?"; expected base64'),
      (j) => (j.normalizer = { type: 'Precompiled', precompiled_charsmap: '?' }),
    ],
    [
      invalid('normalizer: the charsmap has 3 bytes'),
      (j) => (j.normalizer = { type: 'Precompiled', precompiled_charsmap: 'AAAA' }),
    ],
    ...[
      ...[
        'a*',
        '',
        '|a',
        '(?=a)',
        '\\A',
        '^',
        '$',
        'a^',
        '^*',
        '^a|b$',
        'x(^a)',
        '(?:a*)*b',
        '(?:|a){2}',
      ],
      ...[
        'a{2,400}$',
        '(?:[ab]{20}a){9}',
        '[ab]{12}a',
        'a{,}',
        'a{3,2}',
        'a{2000}',
        'a{',
        '{2}',
        '*a',
        'a**',
        'a{2}+',
        '(?:ab)++',
      ],
      ...[
        '[z-a]+',
        '[]a]',
        '[',
        '[a',
        '[[:alpha:]]',
        '(',
        ')',
        'a)',
        '(a',
        '(?<n>a)',
        '(?<=a)b',
        '(?<!a)b',
        '(?>a)',
        '(?i)a',
        '(?x:a)',
      ],
      ...[
        '\\ba',
        '\\Ga',
        '\\Ka',
        '(a)\\1',
        '\\h',
        '\\R',
        '\\p{Han}',
        '\\p{Xx}',
        '\\pL',
        '\\',
        '(?i:é)',
        '(?i:ss)',
        '(?i:\\p{L})',
        '(?i:\\w)',
      ],
    ].flatMap((pattern): [string, Break][] => [
      [
        unsupported(`normalizer.pattern.Regex is ${JSON.stringify(pattern)}, which`),
        (j) => (j.normalizer = replaceBy({ Regex: pattern })),
      ],
      [
        unsupported(`pre_tokenizer.pattern.Regex is ${JSON.stringify(pattern)}, which`),
        (j) => (j.pre_tokenizer = { type: 'Split', pattern: { Regex: pattern } }),
      ],
    ]),
    ...[`${'('.repeat(100)}a${')'.repeat(100)}`, 'a'.repeat(5000), '[ab]{500}'].map(
      (pattern): [string, Break] => [
        unsupported('normalizer.pattern.Regex is "'),
        (j) => (j.normalizer = replaceBy({ Regex: pattern })),
      ],
    ),
    [
      unsupported('normalizer.pattern is an object'),
      (j) => (j.normalizer = replaceBy({ Glob: '*' })),
    ],
    [
      invalid('normalizer.pattern.String is ""; expected a string that is not empty'),
      (j) => (j.normalizer = replaceBy({ String: '' })),
    ],
    [
      invalid('normalizer.content is "xxx'),
      (j) => (j.normalizer = replaceBy({ String: 'a' }, 'x'.repeat(2000))),
    ],
    [
      invalid('pre_tokenizer.add_prefix_space is missing; expected true or false'),
      (j) => (j.pre_tokenizer = { type: 'ByteLevel' }),
    ],
    [
      invalid('pre_tokenizer.use_regex is "yes"; expected true or false'),
      (j) => (j.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: true, use_regex: 'yes' }),
    ],
    [
      invalid('pre_tokenizer.delimiter is "ab"; expected one character'),
      (j) => (j.pre_tokenizer = { type: 'CharDelimiterSplit', delimiter: 'ab' }),
    ],
    [
      unsupported('pre_tokenizer.type is "UnicodeScripts"'),
      (j) => (j.pre_tokenizer = { type: 'UnicodeScripts' }),
    ],
    [
      invalid('pre_tokenizer.replacement is "▁▁"; expected one character'),
      (j) => (j.pre_tokenizer.replacement = '▁▁'),
    ],
    [
      invalid('pre_tokenizer.prepend_scheme is "last"; expected "always" or "first" or "never"'),
      (j) => (j.pre_tokenizer.prepend_scheme = 'last'),
    ],
    [
      invalid('pre_tokenizer.add_prefix_space is false; expected true, or no prepend_scheme'),
      (j) => (j.pre_tokenizer.add_prefix_space = false),
    ],
    [unsupported('post_processor.type is "Other"'), (j) => (j.post_processor = { type: 'Other' })],
    [
      invalid('post_processor.cls is missing; expected an array'),
      (j) => (j.post_processor = { type: 'BertProcessing', sep: ['</s>', 2] }),
    ],
    [
      invalid('post_processor.sep is an array of 1; expected a token and its id'),
      (j) => (j.post_processor = { type: 'RobertaProcessing', sep: ['</s>'], cls: ['<s>', 0] }),
    ],
    [
      invalid(`post_processor.cls[1] is ${size}; expected an integer from 0 to ${size - 1}`),
      (j) => (j.post_processor = { type: 'BertProcessing', sep: ['</s>', 2], cls: ['x', size] }),
    ],
    [
      unsupported('post_processor.processors is an array of 2, which is not supported'),
      (j) => {
        j.post_processor = { type: 'Sequence', processors: [j.post_processor, j.post_processor] }
      },
    ],
    [
      invalid('post_processor.single[0].SpecialToken.id is "<x>"; expected a token that'),
      (j) => (j.post_processor.single[0].SpecialToken.id = '<x>'),
    ],
    [
      invalid('post_processor.single[0].SpecialToken.id is "constructor"; expected a token that'),
      (j) => (j.post_processor.single[0].SpecialToken.id = 'constructor'),
    ],
    [
      invalid(`post_processor.special_tokens.<s>.ids[0] is ${size}; expected an integer`),
      (j) => (j.post_processor.special_tokens['<s>'].ids = [size]),
    ],
    [
      invalid('post_processor.pair is an array of 6; expected a template with A and B, each once'),
      (j) => (j.post_processor.pair[4].Sequence.id = 'A'),
    ],
    [
      invalid('post_processor.single is an array of 0; expected a template with the text A once'),
      (j) => (j.post_processor.single = []),
    ],
    [
      invalid('post_processor.single is an array of 3; expected a template of at most 64'),
      (j) => (j.post_processor.special_tokens['<s>'].ids = new Array(100).fill(0)),
    ],
  ])('%s', (message, damage) => {
    const json = structuredClone(plain!.tokenizer)
    damage(json)
    expect(faultOf(() => Tokenizer.from(json)).slice(0, message.length)).toBe(message)
  })

  const third = 'expected two pieces of the vocabulary that make a third one'
  it.each<[string, Break]>([
    [invalid('model.vocab is missing; expected an object'), (j) => delete j.model.vocab],
    [invalid('model.vocab is an array of 1; expected an object'), (j) => (j.model.vocab = ['a'])],
    [invalid('model.vocab is an object; expected at least one piece'), (j) => (j.model.vocab = {})],
    ...[2 ** 20 + 1, 1e300, -1, 0.5, '3', [3], null, 0].map((id): [string, Break] => [
      invalid('model.vocab.a is '),
      (j) => (j.model.vocab.a = id),
    ]),
    [
      'tokenizer-invalid: piece 3 is 1025 UTF-16 code units long',
      (j) => {
        delete j.model.vocab['<0x00>']
        j.model.vocab['x'.repeat(1025)] = 3
      },
    ],
    [invalid('model.merges is missing; expected an array'), (j) => delete j.model.merges],
    ...[null, 7, [], ['a'], ['a', 'b', 'c'], ['a', 7], ['a', 'no'], ['no', 'a'], ['b', 'a']].map(
      (merge): [string, Break] => [
        invalid('model.merges[2] is '),
        (j) => (j.model.merges[2] = merge),
      ],
    ),
    [
      invalid(`model.merges[2] is "[\\"a\\",\\"\\"]"; ${third}`),
      (j) => (j.model.merges[2] = ['a', '']),
    ],
    ...['ab', 'a  b', 'a b ', ' a b', '', ' ', 'a b c'].map((merge): [string, Break] => [
      invalid(`model.merges[2] is ${JSON.stringify(merge)}; ${third}`),
      (j) => (j.model.merges[2] = merge),
    ]),
    [
      invalid('model.merges[0] is "['),
      (j) => (j.model.merges[0] = ['a'.repeat(2000), 'b'.repeat(2000)]),
    ],
    [invalid('model.unk_token is 1; expected a string'), (j) => (j.model.unk_token = 1)],
    [unsupported('model.dropout is 0.1, which'), (j) => (j.model.dropout = 0.1)],
    [
      unsupported('model.byte_fallback is true, which is not supported; supported: false, beside'),
      (j) => (j.model.continuing_subword_prefix = '##'),
    ],
    [
      unsupported('model.byte_fallback is true, which is not supported; supported: false, beside'),
      (j) => (j.model.end_of_word_suffix = '</w>'),
    ],
    [invalid('model.fuse_unk is 1; expected true or false'), (j) => (j.model.fuse_unk = 1)],
    [invalid('model.ignore_merges is "x"; expected'), (j) => (j.model.ignore_merges = 'x')],
    [
      invalid('normalizer.prepend is missing; expected a string'),
      (j) => (j.normalizer = { type: 'Prepend' }),
    ],
    [
      unsupported('pre_tokenizer.pattern is an object, which'),
      (j) => (j.pre_tokenizer = { type: 'Split', pattern: { Glob: ' ' } }),
    ],
    [
      invalid('pre_tokenizer.pattern.String is ""; expected a string that is not empty'),
      (j) => (j.pre_tokenizer = { type: 'Split', pattern: { String: '' } }),
    ],
    [
      invalid('pre_tokenizer.behavior is "Other"; expected "Removed" or'),
      (j) => (j.pre_tokenizer = { type: 'Split', pattern: { String: 'a' }, behavior: 'Other' }),
    ],
    [
      invalid('pre_tokenizer.invert is missing; expected true or false'),
      (j) => (j.pre_tokenizer = { type: 'Split', pattern: { String: 'a' }, behavior: 'Removed' }),
    ],
  ])('BPE: %s', (message, damage) => {
    const json = structuredClone(bpe!.tokenizer)
    damage(json)
    const fault = faultOf(() => Tokenizer.from(json))
    expect(fault.slice(0, message.length)).toBe(message)
    expect(fault.length).toBeLessThan(300)
  })

  it.each<[string, Break]>([
    [invalid('model.vocab is missing; expected an object'), (j) => delete j.model.vocab],
    [invalid('model.vocab is an array of 1; expected an object'), (j) => (j.model.vocab = ['a'])],
    [invalid('model.vocab is an object; expected at least one piece'), (j) => (j.model.vocab = {})],
    ...[2 ** 20 + 1, -1, 0.5, '3', null, 0].map((id): [string, Break] => [
      invalid('model.vocab.a is '),
      (j) => (j.model.vocab.a = id),
    ]),
    [
      invalid('model.vocab.a\ud83d is 500; expected under a name without lone surrogates'),
      (j) => (j.model.vocab['a\ud83d'] = 500),
    ],
    [
      'tokenizer-invalid: piece 4 is 1025 UTF-16 code units long',
      (j) => {
        delete j.model.vocab.a
        j.model.vocab['x'.repeat(1025)] = 4
      },
    ],
    ...['unk_token', 'continuing_subword_prefix'].flatMap((name): [string, Break][] => [
      [invalid(`model.${name} is missing; expected a string`), (j) => delete j.model[name]],
      [invalid(`model.${name} is null; expected a string`), (j) => (j.model[name] = null)],
      [invalid(`model.${name} is "\\ud83d"; expected a string`), (j) => (j.model[name] = '\ud83d')],
    ]),
    ...[-1, 1.5, '100', null, undefined, 2 ** 60].map((most): [string, Break] => [
      invalid('model.max_input_chars_per_word is '),
      (j) => (j.model.max_input_chars_per_word = most),
    ]),
    ...['clean_text', 'handle_chinese_chars', 'lowercase'].flatMap((name): [string, Break][] => [
      [invalid(`normalizer.${name} is missing; expected true`), (j) => delete j.normalizer[name]],
      [invalid(`normalizer.${name} is null; expected true`), (j) => (j.normalizer[name] = null)],
    ]),
    [
      invalid('normalizer.strip_accents is "no"; expected true or false'),
      (j) => (j.normalizer.strip_accents = 'no'),
    ],
    [
      invalid('pre_tokenizer.behavior is "isolated"; expected "Removed" or "Isolated" or'),
      (j) => (j.pre_tokenizer = { type: 'Punctuation', behavior: 'isolated' }),
    ],
    [
      invalid('pre_tokenizer.behavior is null; expected "Removed" or "Isolated" or'),
      (j) => (j.pre_tokenizer = { type: 'Punctuation', behavior: null }),
    ],
    [
      invalid('pre_tokenizer.individual_digits is missing; expected true or false'),
      (j) => (j.pre_tokenizer = { type: 'Digits' }),
    ],
    ...[undefined, null, -1, 256, 0.5, '0'].flatMap((type): [string, Break][] => [
      [
        invalid('post_processor.pair[0].Sequence.type_id is '),
        (j) => (j.post_processor = typed({ Sequence: { id: 'A', type_id: type } })),
      ],
      [
        invalid('post_processor.pair[0].SpecialToken.type_id is '),
        (j) => (j.post_processor = typed({ SpecialToken: { id: '[CLS]', type_id: type } })),
      ],
    ]),
  ])('WordPiece: %s', (message, damage) => {
    const json = structuredClone(wordpiece!.tokenizer)
    damage(json)
    const fault = faultOf(() => Tokenizer.from(json))
    expect(fault.slice(0, message.length)).toBe(message)
    expect(fault.length).toBeLessThan(300)
  })

  it.each([[null], [[]], ['tokenizer'], [7], [undefined]])('%j in place of the file', (value) => {
    expect(faultOf(() => Tokenizer.from(value))).toMatch(
      /^tokenizer-invalid: .*expected an object$/,
    )
  })

  it('deep and long sequences', () => {
    let deep: unknown = { type: 'WhitespaceSplit' }
    for (let i = 0; i < 100_000; i++) deep = { type: 'Sequence', pretokenizers: [deep] }
    expect(faultOf(() => Tokenizer.from({ ...plain!.tokenizer, pre_tokenizer: deep }))).toContain(
      'expected at most 16 levels of Sequence',
    )
    // 2 ** 25 letters of one.
    const [many, some] = [2 ** 10, 2 ** 5].map((n) => replaceBy({ String: 'a' }, 'a'.repeat(n)))
    const normalizer = { type: 'Sequence', normalizers: [many, many, some] }
    const tokenizer = Tokenizer.from({ ...plain!.tokenizer, normalizer })
    expect(faultOf(() => tokenizer.encode('a'))).toMatch(/^tokenizer-input: the text is over/)
    const long = { type: 'Sequence', normalizers: new Array(65).fill(many) }
    expect(faultOf(() => Tokenizer.from({ ...plain!.tokenizer, normalizer: long }))).toContain(
      'expected at most 64 normalizers',
    )
  })
})

describe('arguments', () => {
  const tokenizer = Tokenizer.from(plain!.tokenizer)

  it.each([[null], [undefined], [7], [{}], [['a']]])('%j is no text', (text) => {
    expect(faultOf(() => tokenizer.encode(text as string))).toMatch(
      /^tokenizer-input: the text is .*; expected a string$/,
    )
  })

  it.each([-1, 0.5, 1e9, Number.NaN])('%j is no id', (id) => {
    expect(faultOf(() => tokenizer.pieces([id]))).toMatch(/^tokenizer-input: .* is no token id/)
  })

  it('an unknown character where the unknown piece of BPE is none', () => {
    const json = structuredClone(bpe!.tokenizer)
    Object.assign(json.model, { unk_token: 'no', byte_fallback: false })
    const known = Tokenizer.from(json)
    expect(known.unkId).toBe(undefined)
    expect(known.encode('ab').length).toBe(1)
    expect(faultOf(() => known.encode('a\u{1F602}'))).toBe(
      'tokenizer-no-unk: the text holds "\u{1F602}", for which there are no pieces, and model.unk_token is no piece',
    )
  })

  it('an unknown character where the model names no unknown piece', () => {
    const json = structuredClone(plain!.tokenizer)
    json.model.unk_id = null
    const known = Tokenizer.from(json)
    expect(known.unkId).toBe(undefined)
    expect(known.encode('ab').length).toBe(2)
    expect(faultOf(() => known.encode('a\u{1F602}'))).toBe(
      'tokenizer-no-unk: the text holds "\u{1F602}", for which there is no piece, and the model names no unknown piece (model.unk_id)',
    )
  })
})
