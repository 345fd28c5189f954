import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { type Checkpoint, CheckpointError } from '../../src/checkpoint/index.ts'
import type { Folder } from '../../src/platform/files.ts'
import { safetensors } from '../mutations.ts'

/** Path of a fixture's model folder. */
export const fixturePath = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/${name}/model`, import.meta.url))

/** A file of a fixture's model folder. */
export const fixtureFile = (name: string, file: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(`${fixturePath(name)}/${file}`))

/**
 * A folder in memory; content that is no text and no bytes is written as JSON. Not of Blobs: Node aborts the process where a
 * mutant slices one at NaN.
 */
export function memoryFolder(files: Readonly<Record<string, unknown>>): Folder {
  const contents = new Map(
    Object.entries(files).map(([name, content]) => {
      if (content instanceof Uint8Array) return [name, content]
      const text = typeof content === 'string' ? content : JSON.stringify(content)
      return [name, new TextEncoder().encode(text)]
    }),
  )
  return {
    name: 'folder',
    open: async (file) => {
      const bytes = contents.get(file)
      return (
        bytes && {
          name: `folder/${file}`,
          size: bytes.length,
          read: async (start, end) => Uint8Array.from(bytes.subarray(start, end)),
          close: async () => {},
        }
      )
    },
  }
}

/**
 * A folder that tells how many of its files are open, how many are being read, and how many bytes were.
 *
 * @param delay milliseconds that a read takes at least
 */
export function watched(
  folder: Folder,
  delay = 0,
): Folder & { opened: number; nowOpen: number; nowRead: number; bytes: number } {
  const watch = {
    name: folder.name,
    opened: 0,
    nowOpen: 0,
    nowRead: 0,
    bytes: 0,
    async open(file: string) {
      const source = await folder.open(file)
      if (!source) return undefined
      watch.opened++
      watch.nowOpen++
      return {
        name: source.name,
        size: source.size,
        async read(start: number, end: number) {
          watch.nowRead++
          try {
            if (delay > 0) await new Promise((done) => setTimeout(done, delay))
            const bytes = await source.read(start, end)
            watch.bytes += bytes.length
            return bytes
          } finally {
            watch.nowRead--
          }
        },
        close: async () => {
          watch.nowOpen--
          await source.close()
        },
      }
    },
  }
  return watch
}

/** One tensor as a header has it. */
export const entry = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

/** A model folder with one safetensors file of this header (text, or a value written as JSON). */
export const folderOf = (header: unknown, dataBytes: number): Folder =>
  memoryFolder({
    'config.json': {},
    'model.safetensors': safetensors(
      typeof header === 'string' || header instanceof Uint8Array ? header : JSON.stringify(header),
      new Uint8Array(dataBytes),
    ),
  })

/** Expects a rejection with a CheckpointError of this code whose message holds all the parts. */
export async function expectFault(
  result: Promise<Checkpoint | Uint8Array> | (() => unknown),
  code: string,
  ...parts: readonly string[]
): Promise<void> {
  const fault = await (async () => (typeof result === 'function' ? result() : result))().then(
    () => expect.unreachable(`expected ${code}`),
    (fault: unknown) => fault,
  )
  expect(fault).toBeInstanceOf(CheckpointError)
  const { code: found, message } = fault as CheckpointError
  expect(`${found}: ${message}`).toContain(`${code}: `)
  for (const part of parts) expect(message).toContain(part)
}
