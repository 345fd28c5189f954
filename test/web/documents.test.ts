import { describe, expect, test } from 'vitest'
import { readCsv } from '../../web/documents/csv.ts'
import { pageText } from '../../web/documents/pdf-text.ts'
import { readDocument } from '../../web/documents/read.ts'
import { readJson, readJsonLines } from '../../web/documents/records.ts'
import { splitDocuments, type Unit } from '../../web/documents/split.ts'
import { decodeText, plainMarkdown } from '../../web/documents/text.ts'

// What needs no browser of the page's readers; HTML and PDF are read in test/web/page.test.ts.

const bytes = (...values: number[]) => new Uint8Array(values)
const utf8 = (text: string) => new TextEncoder().encode(text)

test.each([
  ['UTF-8', utf8('Zürich 東京'), 'Zürich 東京'],
  ['UTF-8 with a mark', bytes(0xef, 0xbb, 0xbf, 0x61), 'a'],
  ['UTF-16, little end first', bytes(0xff, 0xfe, 0x61, 0, 0x71, 0x67), 'a東'],
  ['UTF-16, big end first', bytes(0xfe, 0xff, 0, 0x61), 'a'],
  ['Windows-1252', bytes(0x5a, 0xfc, 0x72), 'Zür'],
])('decodes %s', (_, given, expected) => {
  expect(decodeText(given)).toBe(expected)
})

test('refuses bytes of no text', () => {
  expect(() => decodeText(bytes(0x50, 0x4b, 0, 3))).toThrow('zero bytes')
})

test.each([
  ['# Title #\n\nText', 'Title\n\nText'],
  ['Title\n=====\nText', 'Title\n\nText'],
  ['---\nlayout: x\n---\nText', 'Text'],
  ['- a\n* b\n+ c', 'a\nb\nc'],
  ['> quoted\n> > twice', 'quoted\ntwice'],
  ['see [the page](https://x.y/z) and ![a cat](c.png)', 'see the page and a cat'],
  ['see [the page][1]\n\n[1]: https://x.y', 'see the page\n'],
  ['**bold** and *soft* and `code` and __strong__', 'bold and soft and code and strong'],
  ['2 * 3 * 4 and snake_case_name', '2 * 3 * 4 and snake_case_name'],
  ['```js\nconst a = **b**\n# no title\n```', 'const a = **b**\n# no title\n'],
  ['| a | b |\n|---|---|\n| 1 | 2 |', '| a | b |\n\n| 1 | 2 |'],
  ['a\n\n***\n\nb', 'a\n\n\n\nb'],
  ['<!-- gone -->here', 'here'],
  ['A note[^1].\n\n[^1]: It says x/y.', 'A note[^1].\n\n[^1]: It says x/y.'],
  ['[Bob]: hello everyone\n[Al]: hi.', '[Bob]: hello everyone\n[Al]: hi.'],
  ['[a][] [b][A]\n\n[a]: ./c.md "C"\n', 'a b\n\n'],
  ['---\nFirst slide\n\n---\n\nSecond', '\nFirst slide\n\n\n\nSecond'],
  ['a[i][j] and foo__bar__baz', 'a[i][j] and foo__bar__baz'],
  ['````md\n```js\n**code**\n```\n````\n# After', '```js\n**code**\n```\n\nAfter'],
  ['~~~\n# a\n**b**', '# a\n**b**'],
])('takes the marks off %j', (source, text) => {
  expect(plainMarkdown(source)).toBe(text)
})

const texts = ({ sections }: { sections: readonly { text: string; place?: string }[] }) =>
  sections.map(({ text, place }) => [place, text])

test.each([
  [
    '"a"\n\n"b"\r\n',
    [
      ['line 1', 'a'],
      ['line 3', 'b'],
    ],
    [],
  ],
  ['{"text": "a", "id": 7}', [['7', 'a']], []],
  ['{"_id": "d1", "title": "T", "text": "a"}', [['d1', 'T\na']], []],
  ['{"TEXT": "a"}', [['line 1', 'a']], []],
  [
    '{"note": "short", "remark": "a longer one", "on": "2024-01-01"}',
    [['line 1', 'a longer one']],
    ['left out "note": no known name, and another field has a longer text'],
  ],
  [
    '{"sentence": "a text", "tags": ["b", "c"]}',
    [['line 1', 'a text']],
    ['left out "tags": no known name, and another field has a longer text'],
  ],
  ['{"text": "a", "texts": []}', [['line 1', 'a']], []],
  [
    '{"text": "a", "documents": ["b", {"n": 1}]}',
    [
      ['line 1', 'a'],
      ['line 1, passage 1', 'b'],
    ],
    ['left out line 1, passage 2: no JSON with a text'],
  ],
  [
    '{"query": "q", "passages": ["a", {"text": "b"}]}',
    [
      ['line 1, passage 1', 'a'],
      ['line 1, passage 2', 'b'],
    ],
    [],
  ],
  [
    '"a"\n{oops\n{"n": 1}\n"b"',
    [
      ['line 1', 'a'],
      ['line 4', 'b'],
    ],
    ['left out line 2, line 3: no JSON with a text'],
  ],
] as const)('reads the JSON Lines %j', (source, expected, notes) => {
  const found = readJsonLines(source)
  expect(texts(found)).toEqual(expected)
  expect(found.notes).toEqual(notes)
})

test.each([
  [
    '["a", {"passage": "b"}]',
    [
      ['item 1', 'a'],
      ['item 2', 'b'],
    ],
  ],
  ['{"text": "a"}', [['item 1', 'a']]],
  [
    '{"documents": ["a", "b"]}',
    [
      ['item 1, passage 1', 'a'],
      ['item 1, passage 2', 'b'],
    ],
  ],
  [
    '"a"\n"b"',
    [
      ['line 1', 'a'],
      ['line 2', 'b'],
    ],
  ],
  [
    '{"version": "1.1", "data": [{"title": "T", "paragraphs": [{"context": "a text"}]}]}',
    [['item 1, passage 1, passage 1', 'a text']],
  ],
  [
    '{"name": "corpus", "data": [{"text": "abc"}, {"text": "def"}]}',
    [
      ['item 1, passage 1', 'abc'],
      ['item 1, passage 2', 'def'],
    ],
  ],
  ['{"n": 1, "found": {"docs": [{"id": "x", "source": {"text": "a"}}]}}', [['x', 'a']]],
  [
    '{"1": "a", "2": "bc"}',
    [
      ['1', 'a'],
      ['2', 'bc'],
    ],
  ],
  [
    '{"d1": {"text": "a"}, "d2": {"text": "b"}}',
    [
      ['d1', 'a'],
      ['d2', 'b'],
    ],
  ],
])('reads the JSON %j', (source, expected) => {
  expect(texts(readJson(source))).toEqual(expected)
})

test.each([
  [
    'known names',
    'id,text\nx1,Hello\nx2,"With, comma"',
    [
      ['x1', 'Hello'],
      ['x2', 'With, comma'],
    ],
  ],
  ['title', 'title,text\nT,a', [['row 1', 'T\na']]],
  ['tabs', 'id\ttext\n1\ta, b', [['1', 'a, b']]],
  ['semicolons', 'id;text\n1;a, b', [['1', 'a, b']]],
  [
    'line breaks in cells',
    'text\n"a\nb"\nc',
    [
      ['row 1', 'a\nb'],
      ['row 2', 'c'],
    ],
  ],
  ['quotes in cells', 'text\n"say ""hi"""', [['row 1', 'say "hi"']]],
  [
    'own names over long texts',
    'nr,remark\n1,a text that is long',
    [['row 1', 'a text that is long']],
  ],
  [
    'no names',
    '1,The first text.\n2,The second text.',
    [
      ['row 1', 'The first text.'],
      ['row 2', 'The second text.'],
    ],
  ],
  [
    'one column of sentences',
    'A first line.\nOne, two, three.',
    [
      ['row 1', 'A first line.'],
      ['row 2', 'One, two, three.'],
    ],
  ],
  ['a byte order mark', '\uFEFFtext\na', [['row 1', 'a']]],
  ['empty lines', 'text\n\na\n\n', [['row 1', 'a']]],
  [
    'one column with semicolons',
    'text\nHello; world\nFoo; bar; baz',
    [
      ['row 1', 'Hello; world'],
      ['row 2', 'Foo; bar; baz'],
    ],
  ],
  ['a name that is there twice', 'text,Text\na,b', [['row 1', 'a\nb']]],
  ["Excel's line of the delimiter", 'sep=;\r\nid;text\r\n1;a, b', [['1', 'a, b']]],
])('reads CSV with %s', (_, source, expected) => {
  const found = readCsv(source)
  expect(texts(found)).toEqual(expected)
  expect(found.notes).toEqual([])
})

test('says which rows of a table are left out, by one count', () => {
  expect(readCsv('id,text\n\n1,a\n2,\n3,"5" TV"').notes).toEqual([
    'left out row 2: no text',
    'row 3: a quote that does not close',
  ])
})

test('says which rows have more cells than the header, and loses none', () => {
  const found = readCsv('id,text\n1,Hello, world\n2,"a, b",\n3,b, c')
  expect(texts(found)).toEqual([
    ['1', 'Hello, world'],
    ['2', 'a, b'],
    ['3', 'b, c'],
  ])
  expect(found.notes).toEqual([
    'row 1 and others: more cells than the header; they are in the last column',
  ])
})

test('lines of a PDF become paragraphs where the gap between them is large', () => {
  const piece = (str: string, y: number) => ({
    str,
    hasEOL: true,
    height: 10,
    transform: [1, 0, 0, 1, 0, y],
  })
  const pieces = [piece('A word that is di-', 700), piece('vided.', 688), piece('Another.', 650)]
  expect(pageText(pieces)).toBe('A word that is divided.\n\nAnother.')
})

const split = (text: string, unit: Unit, size = 40) =>
  splitDocuments([{ name: 'd', sections: [{ text }], notes: [] }], { unit, size }).map(
    ({ text }) => text,
  )

describe('splitting', () => {
  test.each<[string, string, Unit, string[]]>([
    [
      'paragraphs',
      'The first one is this.\n\nThe second one is this.',
      'paragraphs',
      ['The first one is this.', 'The second one is this.'],
    ],
    [
      'a heading with what follows',
      'Title\n\nThe first one is this.',
      'paragraphs',
      ['Title\n\nThe first one is this.'],
    ],
    [
      'long paragraphs between sentences',
      'One sentence is here. Another one is there. A third.',
      'paragraphs',
      ['One sentence is here.', 'Another one is there. A third.'],
    ],
    [
      'long sentences between words',
      `${'word '.repeat(12)}end`,
      'paragraphs',
      ['word word word word word word word', 'word word word word word end'],
    ],
    [
      'text without spaces',
      'x'.repeat(90),
      'paragraphs',
      ['x'.repeat(30), 'x'.repeat(30), 'x'.repeat(30)],
    ],
    ['lines', 'a\n\n  b \r\nc', 'lines', ['a', 'b', 'c']],
    ['lines that end as on old Macs', 'a\r\rb\rc', 'lines', ['a', 'b', 'c']],
    ['nothing of a whole', ' a\n\nb ', 'whole', ['a\n\nb']],
    ['nothing of nothing', ' \n ', 'paragraphs', []],
  ])('%s', (_, text, unit, expected) => {
    expect(split(text, unit)).toEqual(expected)
  })

  test('loses no character of a text but spaces', () => {
    const text = Array.from(
      { length: 60 },
      (_, i) => `Sentence ${i} has some words, and 東京 is one. ${i % 7 ? '' : '\n\n'}`,
    ).join('')
    const parts = split(text, 'paragraphs', 200)
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(200)
    expect(parts.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
  })

  test('leaves records whole, and says where a passage stands', () => {
    const sections = [
      { text: 'x '.repeat(60).trim(), place: 'row 1', whole: true },
      { text: 'a\nb', place: 'page 2' },
    ]
    const passages = splitDocuments([{ name: 'd', sections, notes: [] }], {
      unit: 'lines',
      size: 40,
    })
    expect(passages.map(({ place }) => place)).toEqual([
      'row 1',
      'page 2, passage 1',
      'page 2, passage 2',
    ])
  })
})

test.each([
  ['a.docx', 'text', 'a.docx: expected one of txt, md, html, pdf, jsonl, json, csv'],
  ['a.txt', ' \n', 'a.txt: no text in it'],
  ['a.txt', 'a\0b', 'a.txt: it holds zero bytes'],
  ['a.jsonl', 'nope', 'a.jsonl: no text in it; left out line 1'],
])('refuses %s', async (name, content, message) => {
  await expect(readDocument(new File([content], name))).rejects.toThrow(message)
})

test('knows a file without an ending by its type', async () => {
  const { sections } = await readDocument(new File(['# T'], 'readme', { type: 'text/markdown' }))
  expect(sections).toEqual([{ text: 'T' }])
})
