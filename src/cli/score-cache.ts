import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunSettings } from '../eval/index.ts'
import { modelFiles } from './fingerprint.ts'
import type { CliReranker } from './io.ts'
import { checkOutput, writable, writeOutput } from './output.ts'

/** Everything that scores depend on. */
interface ScoreSource {
  readonly info: CliReranker['info']
  /** The layers that have a list of scores each. */
  readonly layers: readonly number[]
  readonly pairs: readonly (readonly [query: string, passage: string])[]
  /** Of inputs, such as their longest length. */
  readonly settings?: RunSettings
}

/**
 * Makes the folder of a cache, and finds out before the work where it cannot be one.
 *
 * @throws CliError `output-unwritable`
 */
export async function makeCache(folder: string): Promise<void> {
  await writable(folder, mkdir(folder, { recursive: true }))
}

/**
 * Scores from a folder, or made and kept there: a list for each layer.
 *
 * @param folder where there is none, nothing is kept
 * @throws CliError `output-unwritable`, before scores are made
 */
export async function cachedScores(
  folder: string | undefined,
  source: ScoreSource,
  make: () => Promise<number[][]>,
): Promise<number[][]> {
  if (folder === undefined) return make()
  const path = join(folder, `${await keyOf(source)}.json`)
  // A name of its own: another process may keep the same scores.
  const part = `${path}.${randomUUID()}`
  const kept: unknown = await readFile(path, 'utf8')
    .then(JSON.parse)
    .catch(() => undefined)
  if (isScores(kept, source)) return kept
  await checkOutput(part)
  const made = await make()
  try {
    await writeOutput(part, JSON.stringify(made))
    await writable(path, rename(part, path))
  } finally {
    await rm(part, { force: true })
  }
  return made
}

/** Whether a file has what {@link cachedScores} writes: a list for each layer, a finite number for each pair. */
const isScores = (kept: unknown, { layers, pairs }: ScoreSource): kept is number[][] =>
  isList(kept, layers.length) &&
  kept.every((list) => isList(list, pairs.length) && list.every(Number.isFinite))

const isList = (value: unknown, length: number): value is unknown[] =>
  Array.isArray(value) && value.length === length

async function keyOf({ info, layers, pairs, settings = {} }: ScoreSource): Promise<string> {
  const { dtype, activations } = info
  const text = JSON.stringify([await modelFiles(info), dtype, activations, settings, layers, pairs])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
