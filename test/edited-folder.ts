import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { blobFolder, type Folder } from '../src/platform/files.ts'
import { fixtureFolder } from './fixtures.ts'

/**
 * An edit of a folder: `[file]` takes the file away, `[file, path]` a member of its JSON, `[file, path, value]` sets one
 * (the step "+" appends to a list, no step is the whole), and `[file, 'text', text]` sets the file as it is.
 */
export type Edit = readonly [
  file: string,
  path?: 'text' | readonly (string | number)[],
  value?: unknown,
]

const modelFiles = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'tokenizer.model',
  'sentencepiece.bpe.model',
  'spm.model',
  'vocab.txt',
  'added_tokens.json',
  'model.safetensors',
  'model.safetensors.index.json',
  ...[1, 2, 3].map((shard) => `model-0000${shard}-of-00003.safetensors`),
]

/** A fixture's model folder with edits, in memory. */
export function editedFolder(base: string, edits: readonly Edit[]): Folder {
  const files = new Map<string, Blob>()
  for (const name of modelFiles) {
    const path = join(fixtureFolder(base), name)
    if (existsSync(path)) files.set(name, new Blob([readFileSync(path)]))
  }
  const json = new Map<string, { '': unknown }>()
  for (const [file, path, value] of edits) {
    if (path === undefined || path === 'text') {
      json.delete(file)
      files.delete(file)
      if (path === 'text') files.set(file, new Blob([value as string]))
      continue
    }
    const stored = join(fixtureFolder(base), file)
    const content = json.get(file) ?? {
      '': existsSync(stored) ? JSON.parse(readFileSync(stored, 'utf8')) : undefined,
    }
    json.set(file, content)
    const steps = ['', ...path]
    const last = steps.pop() as string
    // biome-ignore lint/suspicious/noExplicitAny: an edit may go anywhere
    const at = steps.reduce<any>((inner, step) => inner[step], content)
    if (value === undefined) delete at[last]
    else if (last === '+') at.push(value)
    else at[last] = value
  }
  for (const [file, content] of json) files.set(file, new Blob([JSON.stringify(content[''])]))
  return blobFolder(Object.fromEntries(files), base)
}
