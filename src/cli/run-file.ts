import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openFile } from '#platform'
import { type Run, type RunFile, readRun } from '../eval/index.ts'
import { CliError } from './errors.ts'
import { writable } from './output.ts'

/** A run on the disk; its settings are in `<path>.settings.json`. */
export function diskRunFile(path: string): RunFile {
  const beside = `${path}.settings.json`
  return {
    name: path,
    open: () => openFile(path),
    truncate: (size) => writable(path, size === 0 ? writeFile(path, '') : truncate(path, size)),
    append: (text) => writable(path, appendWhole(path, text)),
    readSettings: () =>
      readFile(beside, 'utf8').catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') return undefined
        throw cause
      }),
    writeSettings: async (text) => {
      await writable(path, mkdir(dirname(path), { recursive: true }))
      await writable(path, writeFile(beside, text))
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

/**
 * Reads a first-stage run, plain or gzip.
 *
 * @throws CliError `input-missing`, and what `readRun` throws
 */
export async function readRunFile(path: string): Promise<Run> {
  const source = (await openFile(path)) ?? (await openFile(`${path}.gz`))
  if (!source) throw new CliError('input-missing', `${path}: there is no such file, nor ${path}.gz`)
  try {
    return await readRun(source)
  } finally {
    await source.close()
  }
}
