import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { openFile, openFolder } from '#platform'
import {
  type FirstStage,
  type Run,
  type RunFile,
  readCorpus,
  readQrels,
  readQueries,
  readRun,
  rerankedDocuments,
} from '../eval/index.ts'
import { CliError } from './errors.ts'
import { openSource } from './input.ts'
import type { Io } from './io.ts'
import { writable } from './output.ts'

/** A run on disk, with its settings in `<path>.settings.json`. A pipe or a device is only written to. */
export function diskRunFile(path: string): RunFile {
  const beside = `${path}.settings.json`
  let isStream = false
  return {
    name: path,
    open: async () => {
      const source = await openFile(path)
      isStream = source?.stream !== undefined
      return isStream ? undefined : source
    },
    truncate: async (size) => {
      if (isStream) return
      await writable(path, size === 0 ? writeFile(path, '') : truncate(path, size))
    },
    append: (text) => writable(path, appendWhole(path, text)),
    readSettings: () =>
      readFile(beside, 'utf8').catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') return undefined
        throw cause
      }),
    writeSettings: async (text) => {
      if (isStream) return
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

/** Options of reading a first stage and its judgements. */
export interface RunOptions {
  top: number
  qrels: string
  keepIdenticalIds: boolean
}

/** Adds the options of {@link RunOptions} but `--top` to a command. */
export function withRunOptions(command: Command): Command {
  return command
    .option('--qrels <name>', 'file of judgements in qrels/, without .tsv', 'test')
    .option(
      '--keep-identical-ids',
      'keep documents with the id of their query; BEIR and this command remove them by default',
      false,
    )
}

/**
 * Reads a folder in BEIR's format and a first-stage run, plain or gzip; `-` is stdin.
 *
 * @throws CliError `input-missing`, and what the readers throw
 */
export async function readEvaluationData(
  data: string,
  runFile: string,
  { top, qrels, keepIdenticalIds }: RunOptions,
  io: Io,
): Promise<FirstStage> {
  const { signal } = io
  const folder = await openFolder(data)
  const judged = await readQrels(await openFolder(join(data, 'qrels')), qrels, signal)
  const run = await readRunFile(runFile, io)
  const stage = { run, topK: top, keepIdenticalIds }
  return {
    ...stage,
    qrels: judged,
    queries: await readQueries(folder, signal),
    passages: await readCorpus(folder, rerankedDocuments(stage), signal),
  }
}

export async function readRunFile(path: string, io: Io): Promise<Run> {
  const source = (await openSource(path, io)) ?? (await openFile(`${path}.gz`))
  if (!source) throw new CliError('input-missing', `${path}: there is no such file, nor ${path}.gz`)
  try {
    return await readRun(source, io.signal)
  } finally {
    await source.close()
  }
}
