import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { openFile } from '#platform'
import {
  collectPassages,
  type EvaluationData,
  type FirstStage,
  type Run,
  type RunFile,
  readRun,
  rerankedDocuments,
} from '../eval/index.ts'
import { type DataSetOptions, findDataSets } from './data-sets.ts'
import { CliError } from './errors.ts'
import { openSource } from './input.ts'
import type { Io } from './io.ts'
import { isStream, writable } from './output.ts'

/** A run that is written. */
export interface RunOutput extends RunFile {
  /** Whether it is a file, which a later command goes on with: a pipe or a device is only written to. */
  readonly isResumable: boolean
  close(): Promise<void>
}

export const openRunOutput = async (path: string): Promise<RunOutput> =>
  (await isStream(path)) ? runStream(path) : diskRunFile(path)

/** A run on disk, with its settings in `<path>.settings.json`. */
function diskRunFile(path: string): RunOutput {
  const beside = `${path}.settings.json`
  return {
    name: path,
    isResumable: true,
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
    close: async () => {},
  }
}

/** It is opened once: the reader of a pipe takes its closing for the end. */
async function runStream(path: string): Promise<RunOutput> {
  const file = await writable(path, open(path, 'a'))
  return {
    name: path,
    isResumable: false,
    open: async () => undefined,
    truncate: async () => {},
    append: (text) => writable(path, file.writeFile(text)),
    readSettings: async () => undefined,
    writeSettings: async () => {},
    close: () => file.close(),
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
export interface RunOptions extends DataSetOptions {
  top: number
  keepIdenticalIds: boolean
}

/** Adds the options of {@link RunOptions} but `--top` to a command. */
export function withRunOptions(command: Command): Command {
  return command
    .option(
      '--qrels <split>',
      'part of the judgements, such as dev (default: test; dev in MIRACL), or a file of judgements',
    )
    .option('--root <folder>', 'where data sets by name are, such as beir/scifact/test')
    .option(
      '--keep-identical-ids',
      'keep documents with the id of their query; BEIR and this command remove them by default',
      false,
    )
}

/**
 * Reads one data set and a first-stage run, plain or gzip; `-` is stdin.
 *
 * @throws CliError `input-missing`, and what the readers throw
 */
export async function readEvaluationData(
  place: string,
  runFile: string,
  options: RunOptions,
  io: Io,
): Promise<FirstStage> {
  const sets = await findDataSets([place], options)
  if (sets.length > 1) {
    const names = sets.map(({ name }) => name).join(', ')
    throw new CliError('usage', `${place}: holds several data sets (${names}); expected one`)
  }
  return readStage(sets[0]!.data, () => readRunFile(runFile, io), options, io.signal)
}

/** Reads what the reranking of a first stage needs; of the corpus only the passages that will be scored are kept. */
export async function readStage(
  data: EvaluationData,
  readRun: () => Promise<Run>,
  { top, keepIdenticalIds }: Pick<RunOptions, 'top' | 'keepIdenticalIds'>,
  signal: AbortSignal,
): Promise<FirstStage> {
  const qrels = await data.qrels(signal)
  const stage = { run: await readRun(), topK: top, keepIdenticalIds }
  const queries = await data.queries(signal)
  const passages = await collectPassages(data.passages(signal), rerankedDocuments(stage))
  return { ...stage, qrels, queries, passages }
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
