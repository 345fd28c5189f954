import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { blobFolder, type Folder } from '../../src/platform/files.ts'
import { Tokenizer, TokenizerError } from '../../src/tokenizers/index.ts'
import type { Edit } from '../edited-folder.ts'

/** A file under test/fixtures, unpacked where it is stored as .gz. */
export function fixture(path: string): Uint8Array<ArrayBuffer> {
  const bytes = readFileSync(fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url)))
  return new Uint8Array(path.endsWith('.gz') ? gunzipSync(bytes) : bytes)
}

// biome-ignore lint/suspicious/noExplicitAny: what the files hold is looked into freely here
export const fixtureJson = (path: string): any =>
  JSON.parse(new TextDecoder().decode(fixture(path)))

/** One line of a fixtures.jsonl. */
export interface Line {
  readonly i: number
  readonly tag: string
  readonly text: string
  readonly ids: number[]
  readonly ids_with_specials: number[]
  readonly pair_with: number | null
  readonly pair_ids: number[] | null
  /** Runs of token types: type and length. */
  readonly pair_types: [number, number][] | null
  /** What SentencePiece gives, where it is something else. */
  readonly ids_spm?: number[]
}

export function readLines(path: string): Line[] {
  const lines = new TextDecoder().decode(fixture(path)).trimEnd().split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line))
}

/** The fixture folders with the full vocabulary. */
export const vocabularies = [
  ...(['xlm-roberta', 'xlm-roberta-replace', 'mistral-v1', 'bert-uncased'] as const),
  ...(['deberta-v3-standin', 'roberta-base', 'modernbert-standin'] as const),
]
export type Vocabulary = (typeof vocabularies)[number]

/** Their tokenizer.json, parsed. */
export function largeJson(name: Vocabulary) {
  if (name !== 'xlm-roberta' && name !== 'xlm-roberta-replace')
    return fixtureJson(`tokenizers/${name}/tokenizer.json.gz`)
  const json = fixtureJson('tokenizers/xlm-roberta/tokenizer.json.gz')
  if (name === 'xlm-roberta') return json
  const { set } = fixtureJson('tokenizers/xlm-roberta-replace/overlay.json')
  set.normalizer.normalizers[0].precompiled_charsmap = json.normalizer.precompiled_charsmap
  return { ...json, ...set }
}

/** A folder with a SentencePiece model and the given tokenizer_config.json. */
export function modelFolder(model: Uint8Array<ArrayBuffer>, config?: unknown): Folder {
  const files: Record<string, Blob> = { 'sentencepiece.bpe.model': new Blob([model]) }
  if (config !== undefined)
    files['tokenizer_config.json'] = new Blob([
      config instanceof Uint8Array ? new Uint8Array(config) : JSON.stringify(config),
    ])
  return blobFolder(files, 'folder')
}

/** A folder of files.json or families.json, and what transformers makes of it. */
export interface FolderCase {
  readonly base: string
  readonly name: string
  readonly edits: readonly Edit[]
  readonly ids: readonly number[][]
  readonly single: readonly number[]
  readonly pair: readonly number[]
  readonly types: readonly number[] | null
}

/** Token types that are all 0 are none. */
export const typesOf = (types: Iterable<number> | null | undefined): number[] | undefined => {
  const found = [...(types ?? [])]
  return found.some((type) => type !== 0) ? found : undefined
}

interface Variant {
  // biome-ignore lint/suspicious/noExplicitAny: tests change it as they like
  readonly tokenizer: any
  readonly cases: { readonly text: string; readonly ids: number[] }[]
  readonly pair: {
    readonly texts: [string, string]
    readonly ids: number[]
    readonly types: number[]
    readonly single: number[]
  }
}

/** The small tokenizers of variants.json.gz. */
export function readVariants(): Record<string, Variant> {
  const { charsmap, variants } = fixtureJson('tokenizers/variants.json.gz')
  return JSON.parse(JSON.stringify(variants).replaceAll('@charsmap', charsmap))
}

/** The TokenizerError that `run` throws, as `code: message`. */
export function faultOf(run: () => unknown): string {
  try {
    run()
  } catch (fault) {
    if (fault instanceof TokenizerError) return `${fault.code}: ${fault.message}`
    throw fault
  }
  return 'no error'
}

/** The same of a promise. */
export async function rejectionOf(promise: Promise<unknown>): Promise<string> {
  const outcome = await promise.then(
    () => undefined,
    (fault: unknown) => fault,
  )
  return faultOf(() => {
    if (outcome !== undefined) throw outcome
  })
}

/** The first few texts whose ids are not those wanted, for a message that shows them. */
export function differences(
  encode: (text: string) => Uint32Array,
  cases: Iterable<{ readonly text: string; readonly ids: readonly number[] }>,
): unknown[] {
  const found: unknown[] = []
  for (const { text, ids } of cases) {
    const got = encode(text)
    if (got.length === ids.length && got.every((id, i) => id === ids[i])) continue
    found.push({ text, got: [...got], want: ids })
    if (found.length === 5) break
  }
  return found
}

export { Tokenizer, TokenizerError }

/** The tokenizer.json with a charsmap of these bytes. */
export function withCharsmap(json: object, bytes: Uint8Array): unknown {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  const normalizer = { type: 'Precompiled', precompiled_charsmap: btoa(binary) }
  return { ...json, normalizer }
}
