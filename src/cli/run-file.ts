import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openFile } from '#platform'
import type { RunFile } from '../eval/index.ts'
import { CliError } from './errors.ts'

/** A run on the disk; its settings are in `<path>.settings.json`. */
export function diskRunFile(path: string): RunFile {
  const beside = `${path}.settings.json`
  const writable = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: NodeJS.ErrnoException) => {
      throw new CliError('output-unwritable', `${path}: cannot be written (${cause.code})`, {
        cause,
      })
    })
  return {
    name: path,
    open: () => openFile(path),
    truncate: (size) => writable(size === 0 ? writeFile(path, '') : truncate(path, size)),
    append: (text) => writable(appendWhole(path, text)),
    readSettings: () =>
      readFile(beside, 'utf8').catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') return undefined
        throw cause
      }),
    writeSettings: async (text) => {
      await writable(mkdir(dirname(path), { recursive: true }))
      await writable(writeFile(beside, text))
    },
  }
}

async function appendWhole(path: string, text: string): Promise<void> {
  const file = await open(path, 'a')
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}
