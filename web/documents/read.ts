/** Files that were dropped, as documents. */
import { readJson, readJsonLines } from './records.ts'
import { decodeText, plainMarkdown } from './text.ts'
import type { Section, TextDocument } from './types.ts'

type Read = { readonly sections: readonly Section[]; readonly notes?: readonly string[] }

const oneSection = (text: string): Read => ({ sections: text.trim() === '' ? [] : [{ text }] })

async function readHtml(bytes: Uint8Array): Promise<Read> {
  const { htmlCharset, htmlText } = await import('./html.ts')
  const { title, text } = htmlText(decodeText(bytes, htmlCharset(bytes)))
  const [first] = text.split('\n')
  return oneSection(title === '' || first === title ? text : `${title}\n\n${text}`)
}

async function readPdf(bytes: Uint8Array): Promise<Read> {
  const { readPdf } = await import('./pdf.ts')
  const sections = await readPdf(bytes)
  if (sections.length > 0) return { sections }
  throw new Error('its pages have no text; if it was scanned, recognize its text (OCR) first')
}

const readTable = async (bytes: Uint8Array): Promise<Read> =>
  (await import('./csv.ts')).readCsv(decodeText(bytes))

/** Readers by the ending of a name. */
const readers: Readonly<Record<string, (bytes: Uint8Array) => Read | Promise<Read>>> = {
  txt: (bytes) => oneSection(decodeText(bytes)),
  md: (bytes) => oneSection(plainMarkdown(decodeText(bytes))),
  html: readHtml,
  pdf: readPdf,
  jsonl: (bytes) => readJsonLines(decodeText(bytes)),
  json: (bytes) => readJson(decodeText(bytes)),
  csv: readTable,
}

const sameAs: Readonly<Record<string, string>> = {
  text: 'txt',
  log: 'txt',
  rst: 'txt',
  markdown: 'md',
  htm: 'html',
  xhtml: 'html',
  ndjson: 'jsonl',
  tsv: 'csv',
}

/** Kinds by the type of a file whose name says nothing. */
const byType: Readonly<Record<string, string>> = {
  'text/plain': 'txt',
  'text/markdown': 'md',
  'text/html': 'html',
  'application/pdf': 'pdf',
  'application/json': 'json',
  'text/csv': 'csv',
}

/** The endings that a file picker offers. */
export const accepted = [...Object.keys(readers), ...Object.keys(sameAs)].map((kind) => `.${kind}`)

function kindOf({ name, type }: File): string | undefined {
  const ending = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const kind = sameAs[ending] ?? ending
  return Object.hasOwn(readers, kind) ? kind : byType[type]
}

/**
 * Reads a file.
 *
 * @throws Error that says what is wrong with it
 */
export async function readDocument(file: File): Promise<TextDocument> {
  const kind = kindOf(file)
  if (!kind) throw new Error(`${file.name}: expected one of ${Object.keys(readers).join(', ')}`)
  try {
    const bytes = new Uint8Array(await file.arrayBuffer())
    const { sections, notes = [] } = await (readers[kind] as (typeof readers)[string])(bytes)
    if (sections.length === 0) throw new Error(['no text in it', ...notes].join('; '))
    return { name: file.name, sections, notes }
  } catch (fault) {
    throw new Error(`${file.name}: ${fault instanceof Error ? fault.message : fault}`, {
      cause: fault,
    })
  }
}
