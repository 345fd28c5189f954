import type { ByteSource } from '../platform/files.ts'
import { EvaluationError } from './errors.ts'
import { readLines } from './lines.ts'
import type { Run, ScoredDocument } from './metrics.ts'
import { parseTrecLine } from './trec.ts'

/** The settings of an output run. The same settings give the same run. */
export type RunSettings = Readonly<Record<string, string | number | boolean>>

/** A TREC run that grows query by query, with a text file of its settings next to it. */
export interface RunFile {
  /** The name of the run in messages. */
  readonly name: string
  /** The existing run; `undefined` if there is none. */
  open(): Promise<ByteSource | undefined>
  /** Truncates the run to its first `size` bytes, or creates it. */
  truncate(size: number): Promise<void>
  /** Appends to the run; resolves when the system has accepted all of it. */
  append(text: string): Promise<void>
  /** The text beside the run. */
  readSettings(): Promise<string | undefined>
  /** Replaces the text beside the run. */
  writeSettings(text: string): Promise<void>
}

/**
 * Resumes an output run: returns its complete queries and truncates an incomplete last one. A missing or
 * empty run is created with `settings`.
 *
 * @param expected the query's documents, in any order, for each query that the run will have
 * @throws EvaluationError `output-mismatch` where the file was made with other settings, or is no run of
 *   these queries; `data-malformed` where a line of it is broken. The file is then left as it is.
 */
export async function resumeRun(
  file: RunFile,
  settings: RunSettings,
  expected: Run,
): Promise<Map<string, ScoredDocument[]>> {
  const source = await file.open()
  if (!source || source.size === 0) {
    await source?.close()
    await file.writeSettings(`${JSON.stringify(settings, null, 2)}\n`)
    await file.truncate(0)
    return new Map()
  }
  try {
    compareSettings(file.name, await file.readSettings(), settings)
    const { complete, size } = await readComplete(await wholeLines(source), expected)
    if (size < source.size) await file.truncate(size)
    return complete
  } finally {
    await source.close()
  }
}

const remedy = 'take another name for the output, or delete that file to begin anew'

function compareSettings(name: string, text: string | undefined, now: RunSettings): void {
  let before: RunSettings | undefined
  try {
    before = JSON.parse(text ?? 'null') ?? undefined
  } catch {
    before = undefined
  }
  if (!before) {
    throw new EvaluationError(
      'output-mismatch',
      `${name}: exists, and no file beside it says what it was made with; ${remedy}`,
    )
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(now)])
  const show = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
  const differing = [...keys].filter((key) => before[key] !== now[key])
  if (differing.length === 0) return
  const list = differing.map((key) => `${key} was ${show(before[key])}, is ${show(now[key])}`)
  throw new EvaluationError(
    'output-mismatch',
    `${name}: was begun with other settings (${list.join('; ')}); ${remedy}`,
  )
}

/** The file up to its last line break: what follows may end inside a number or a character. */
async function wholeLines(source: ByteSource): Promise<ByteSource> {
  const step = 1 << 16
  let size = source.size
  while (size > 0) {
    const start = Math.max(0, size - step)
    const found = (await source.read(start, size)).lastIndexOf(0x0a)
    size = start + found + 1
    if (found >= 0) break
  }
  return {
    name: source.name,
    size,
    read: (start, end) => source.read(start, Math.min(end, size)),
    close: () => source.close(),
  }
}

async function readComplete(source: ByteSource, expected: Run) {
  const complete = new Map<string, ScoredDocument[]>()
  let size = 0
  let query: string | undefined
  let open: ScoredDocument[] = []
  let missing = new Set<string>()
  for await (const line of readLines(source)) {
    const record = parseTrecLine(line, source.name)
    const refuse = (why: string) =>
      new EvaluationError('output-mismatch', `${source.name}:${line.number}: ${why}; ${remedy}`)
    if (query === undefined) {
      const documents = expected.get(record.query)
      if (!documents) throw refuse(`query "${record.query}" is not in the first-stage run`)
      if (complete.has(record.query)) throw refuse(`query "${record.query}" is there twice`)
      query = record.query
      open = []
      missing = new Set(documents.map(({ id }) => id))
    }
    if (record.query !== query) throw refuse(`query "${query}" is not complete before this line`)
    if (!missing.delete(record.id)) {
      throw refuse(`document "${record.id}" is twice, or is not in the first stage of "${query}"`)
    }
    open.push({ id: record.id, score: Math.fround(record.score) })
    if (missing.size > 0) continue
    complete.set(query, open)
    size = line.end
    query = undefined
  }
  return { complete, size }
}
